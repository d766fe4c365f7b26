// What can be done with coupons and orders. Each says how it went.

import { insist, isUndecided, newKey, pause, post, user } from './api.js';
import { confirm, find, money, notice } from './dom.js';
import { readAll, readMine, shop } from './shop.js';

const underWay = new Set();

/** Does one thing once at a time, says what became of it, and reads what it has changed. */
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

/** Whether somebody is; a visitor is asked to. */
export function signedIn() {
  if (user()) return true;
  notice(find('name').disabled ? 'Please sign in first.' : 'Please sign in first. Any name will do.');
  askForSignIn();
  return false;
}

/** The keyboard goes to where one signs in. */
export const askForSignIn = () => find(find('name').disabled ? 'sign-in-button' : 'name').focus();

export const collect = coupon => signedIn() && act(`collect ${coupon.id}`, async () => {
  try {
    await insist(`/api/coupons/${coupon.id}/issue`);
    shop.taken.add(coupon.id);
    notice(`${coupon.name} is yours.`, true);
    arrival(coupon.id).catch(() => {});
  } catch (error) {
    // Perhaps by an answer that was lost.
    if (error.slug === 'coupon-already-issued') shop.taken.add(coupon.id);
    if (error.slug === 'coupon-ended') shop.over.add(coupon.id);
    throw error;
  }
});

/** The coupon is the user's, its row is on the way: looks soon, then later, until it is there or the page reads everything again anyway. */
async function arrival(couponId) {
  for (let wait = 100; wait < 3000 && !shop.own.some(own => own.couponId === couponId); wait *= 2) {
    await pause(wait);
    await readMine();
  }
}

export const cancel = (order, what) => act(`order ${order.orderId}`, async () => {
  if (!await confirm('Cancel this order?', `${what}, ${money(order.totalAmount)}. Its items return to the shop.`, 'Cancel the order')) return;
  await post(`/api/orders/${order.orderId}/cancel`);
  notice('The order is cancelled.', true);
});

export const refund = (order, what) => act(`order ${order.orderId}`, async () => {
  const amount = order.refundable;
  const before = order.refundedAmount ? ` ${money(order.refundedAmount)} came back before.` : '';
  if (!await confirm('Request a refund?', `${what}. You get ${money(amount)} back.${before}`, `Refund ${money(amount)}`)) return;
  const { status } = await insist(`/api/payments/${order.orderId}/refund`, { amount, reason: 'Changed my mind' }, newKey());
  notice(status === 'SETTLING' ? 'Your money is on its way back.' : `${money(amount)} refunded.`, true);
});

/** Goes to the pay window. */
export const pay = order => act(`order ${order.orderId}`, async () => {
  const { payUrl } = await insist('/api/payments/prepare', { orderId: order.orderId, amount: order.totalAmount }, newKey());
  const target = new URL(payUrl);
  target.searchParams.set('returnUrl', `${location.origin}/?orderId=${order.orderId}`);
  location.assign(target);
});

const settling = { tries: 15, every: 2000 };

/** Back from the pay window: what was authorised there is captured now. */
export async function finishPayment() {
  const query = new URLSearchParams(location.search);
  const [orderId, result, pgPaymentId] = ['orderId', 'resultCode', 'paymentId'].map(name => query.get(name));
  if (!orderId || !result) return;
  if (result !== 'Success') return conclude('You have not paid yet. The order is reserved below until its deadline.');
  waiting('Paying …');
  try {
    // The key belongs to this payment: asked again, also after a reload, it is the same answer.
    const approve = () => insist('/api/payments/approve', { orderId, pgPaymentId }, `approve-${pgPaymentId}`);
    let { status } = await approve();
    for (let i = 1; status !== 'PAID' && i < settling.tries; i++) {
      await pause(settling.every);
      ({ status } = await approve());
    }
    await conclude(status === 'PAID' ? 'Paid. Thank you!' : 'The payment takes longer than usual. Your order will show the result.', true);
  } catch (error) {
    if (isUndecided(error) || error.status === 401) waiting('No answer yet. Try again: you are charged only once.', true);
    else await conclude(error.message);
  }
}

/** The call has its answer: nothing is left in the address that a reload would ask again. */
async function conclude(text, good) {
  history.replaceState(null, '', '/');
  waiting('');
  notice(text, good);
  await readAll().catch(error => notice(error.message));
  find('mine-title').focus();
}

/** What is shown instead of the shop while the payment has no answer; nothing: the shop. */
function waiting(text, again = false) {
  find('paying').hidden = !text;
  find('shop').hidden = !!text;
  find('paying-text').textContent = text;
  find('pay-again').hidden = !again;
}

find('pay-again').addEventListener('click', finishPayment);
