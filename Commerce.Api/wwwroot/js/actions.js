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

/** Returns whether a user is signed in. Asks a visitor to sign in. */
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
    // An earlier request may have succeeded although its response was lost.
    if (error.slug === 'coupon-already-issued') shop.taken.add(coupon.id);
    if (error.slug === 'coupon-ended') shop.over.add(coupon.id);
    throw error;
  }
});

/** Polls at growing intervals until the row of an issued coupon is saved, or until the page reloads everything anyway. */
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

/** Reports an order that needs no payment. */
export const thank = () => act('thank', async () => notice(t('pay.thanks'), true));

/** Refunds an order that its coupon paid. */
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

/** Captures the authorised payment after the return from the payment window. */
export async function finishPayment() {
  const query = new URLSearchParams(location.search);
  const [orderId, result, pgPaymentId] = ['orderId', 'resultCode', 'paymentId'].map(name => query.get(name));
  if (!orderId || !result) return;
  if (result !== 'Success') return conclude(t('pay.notYet'));
  waiting(t('paying'));
  try {
    // The key belongs to this payment, so a repetition gets the same response, even after a reload.
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

/** Removes a completed call from the address, so that a reload does not repeat it. */
async function conclude(text, good) {
  history.replaceState(null, '', '/');
  waiting('');
  notice(text, good);
  await readAll().catch(error => notice(error.message));
  find('mine-title').focus();
}

/** Shows a message instead of the shop while the payment has no response. An empty message shows the shop. */
function waiting(text, again = false) {
  find('paying').hidden = !text;
  find('shop').hidden = !!text;
  find('paying-text').textContent = text;
  find('pay-again').hidden = !again;
}

find('pay-again').addEventListener('click', finishPayment);
