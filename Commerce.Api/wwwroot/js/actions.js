// The actions on coupons and orders. Each reports its result.

import { insist, isUndecided, newKey, pause, post, user } from './api.js';
import { confirm, find, money, notice } from './dom.js';
import { readAll, readMine, shop } from './shop.js';
import { t } from './texts.js';

const underWay = new Set();

/** Runs one action at a time, reports its result, and reloads what it changed. */
async function act(name, work) {
  if (underWay.has(name)) return;
  underWay.add(name);
  try {
    await work();
  } catch (error) {
    notice(error.message);
  } finally {
    underWay.delete(name);
  }
  await readAll().catch(error => notice(error.message));
}

/** Whether a user is signed in; a visitor is asked to sign in. */
export function signedIn() {
  if (user()) return true;
  notice(t(find('name').disabled ? 'signIn.first' : 'signIn.firstAnyName'));
  askForSignIn();
  return false;
}

/** Moves the focus to the sign-in. */
export const askForSignIn = () => find(find('name').disabled ? 'sign-in-button' : 'name').focus();

export const collect = coupon => signedIn() && act(`collect ${coupon.id}`, async () => {
  try {
    await insist(`/api/coupons/${coupon.id}/issue`);
    shop.taken.add(coupon.id);
    notice(t('coupon.isYours', { name: coupon.name }), true);
    arrival(coupon.id).catch(() => {});
  } catch (error) {
    // Possibly by a request whose response was lost.
    if (error.slug === 'coupon-already-issued') shop.taken.add(coupon.id);
    if (error.slug === 'coupon-ended') shop.over.add(coupon.id);
    throw error;
  }
});

/** The coupon is issued and its row is on the way: polls at growing intervals until it is there, or the page reloads everything anyway. */
async function arrival(couponId) {
  for (let wait = 100; wait < 3000 && !shop.own.some(own => own.couponId === couponId); wait *= 2) {
    await pause(wait);
    await readMine();
  }
}

export const cancel = (order, what) => act(`order ${order.orderId}`, async () => {
  if (!await confirm(t('order.cancelAsk'), t('order.cancelText', { what, amount: money(order.totalAmount) }), t('order.cancelYes'))) return;
  await post(`/api/orders/${order.orderId}/cancel`);
  notice(t('order.cancelledNow'), true);
});

/** An order that needs no payment. */
export const thank = () => act('thank', async () => notice(t('pay.thanks'), true));

/** Returns an order that its coupon paid. */
export const giveBack = (order, what) => act(`order ${order.orderId}`, async () => {
  if (!await confirm(t('refund.ask'), t('refund.freeText', { what }), t('order.refund'))) return;
  await insist(`/api/payments/${order.orderId}/refund`, { amount: 0, reason: t('refund.reason') }, newKey());
  notice(t('refund.freeDone'), true);
});

export const refund = (order, what) => act(`order ${order.orderId}`, async () => {
  const amount = order.refundable;
  const before = order.refundedAmount ? ` ${t('refund.before', { amount: money(order.refundedAmount) })}` : '';
  if (!await confirm(t('refund.ask'), t('refund.text', { what, amount: money(amount) }) + before, t('refund.yes', { amount: money(amount) }))) return;
  const { status } = await insist(`/api/payments/${order.orderId}/refund`, { amount, reason: t('refund.reason') }, newKey());
  notice(status === 'SETTLING' ? t('refund.onTheWay') : t('refund.done', { amount: money(amount) }), true);
});

/** Refunds one unit of a line. */
export const refundOne = (order, item, what) => act(`order ${order.orderId}`, async () => {
  if (!await confirm(t('refund.oneAsk'), t('refund.oneText', { what }), t('refund.one'))) return;
  const { status, amount } = await insist(
    `/api/payments/${order.orderId}/refund`, { lines: [{ productId: item.productId, quantity: 1 }], reason: t('refund.reason') }, newKey());
  notice(status === 'SETTLING' ? t('refund.onTheWay') : t('refund.done', { amount: money(amount) }), true);
});

/** Opens the payment window. */
export const pay = order => act(`order ${order.orderId}`, async () => {
  const { payUrl } = await insist('/api/payments/prepare', { orderId: order.orderId, amount: order.totalAmount }, newKey());
  const target = new URL(payUrl);
  target.searchParams.set('returnUrl', `${location.origin}/?orderId=${order.orderId}`);
  location.assign(target);
});

const settling = { tries: 15, every: 2000 };

/** Back from the payment window: captures the authorised payment. */
export async function finishPayment() {
  const query = new URLSearchParams(location.search);
  const [orderId, result, pgPaymentId] = ['orderId', 'resultCode', 'paymentId'].map(name => query.get(name));
  if (!orderId || !result) return;
  if (result !== 'Success') return conclude(t('pay.notYet'));
  waiting(t('paying'));
  try {
    // The key belongs to this payment: a repetition, also after a reload, gets the same response.
    const approve = () => insist('/api/payments/approve', { orderId, pgPaymentId }, `approve-${pgPaymentId}`);
    let { status } = await approve();
    for (let i = 1; status !== 'PAID' && i < settling.tries; i++) {
      await pause(settling.every);
      ({ status } = await approve());
    }
    await conclude(t(status === 'PAID' ? 'pay.thanks' : 'pay.slow'), true);
  } catch (error) {
    if (isUndecided(error) || error.status === 401) waiting(t('pay.noAnswer'), true);
    else await conclude(error.message);
  }
}

/** The call has its response: removes it from the address, so that a reload does not repeat it. */
async function conclude(text, good) {
  history.replaceState(null, '', '/');
  waiting('');
  notice(text, good);
  await readAll().catch(error => notice(error.message));
  find('mine-title').focus();
}

/** The message shown instead of the shop while the payment has no response; empty shows the shop. */
function waiting(text, again = false) {
  find('paying').hidden = !text;
  find('shop').hidden = !!text;
  find('paying-text').textContent = text;
  find('pay-again').hidden = !again;
}

find('pay-again').addEventListener('click', finishPayment);
