// Coupons, products, and what is the user's own.

import { get, insist, newKey, post, Refusal, user } from './api.js';
import { element, fill, find, money, notice, time } from './dom.js';

const results = new Map();

export async function showCoupons() {
  const coupons = await get('/api/coupons');
  fill(find('coupons'), coupons.map(c => element('li', { id: `coupon-${c.id}` },
    element('h3', {}, c.name),
    element('p', { class: 'price' }, `${money(c.discount)} off`),
    element('p', { class: 'soft' }, c.remaining > 0 ? `${c.remaining.toLocaleString()} of ${c.totalQuantity.toLocaleString()} left` : 'none left'),
    element('div', { class: 'foot' },
      element('button', { id: `issue-${c.id}`, disabled: !user(), onclick: () => collect(c.id) }, 'Get coupon'),
      element('span', { role: 'status', class: results.get(c.id)?.good ? 'good' : 'bad' }, results.get(c.id)?.text ?? '')))), 'No coupons at this time.');
}

async function collect(id) {
  try {
    await insist(`/api/coupons/${id}/issue`);
    results.set(id, { text: 'It is yours.', good: true });
  } catch (error) {
    const text = { 'coupon-already-issued': 'You have it.', 'coupon-sold-out': 'Sold out.', 'coupon-not-started': 'Not yet.', 'coupon-ended': 'Over.' }[error.slug];
    results.set(id, { text: text ?? error.message, good: error.slug === 'coupon-already-issued' });
  }
  await Promise.all([showCoupons(), showMine()]);
}

export async function showProducts() {
  const products = await get('/api/products');
  fill(find('products'), products.map(p => element('li', { id: `product-${p.id}` },
    element('h3', {}, p.name),
    element('p', { class: 'price' }, money(p.price)),
    element('p', { class: 'soft' }, p.available > 0 ? `${p.available.toLocaleString()} left` : 'sold out'),
    element('div', { class: 'foot' }, element('button', { id: `buy-${p.id}`, disabled: !user() || p.available < 1, onclick: () => checkout(p) }, 'Buy')))), 'Nothing is on sale.');
}

async function checkout(product) {
  const dialog = find('checkout');
  const form = find('order');
  find('checkout-product').textContent = `${product.name}, ${money(product.price)} each`;
  find('checkout-problem').textContent = '';
  form.recipient.value ||= user();
  const own = await get('/api/coupons/my').catch(() => []);
  form.coupon.replaceChildren(element('option', { value: '' }, 'none'),
    ...own.map(c => element('option', { value: c.couponId }, `${c.name} (${money(c.discount)} off)`)));
  // One order for one opening of the dialog, however often the button is pressed.
  const key = newKey();
  form.onsubmit = async event => {
    if (event.submitter?.value !== 'order') return;
    event.preventDefault();
    event.submitter.disabled = true;
    try {
      const field = Object.fromEntries(new FormData(form));
      const order = await insist('/api/orders', {
        items: [{ productId: product.id, quantity: Number(field.quantity) }],
        shipping: { recipient: field.recipient, phone: field.phone, zipcode: field.zipcode, address1: field.address1, address2: field.address2 || null },
        couponId: field.coupon ? Number(field.coupon) : null,
      }, key);
      dialog.close();
      await pay(order.orderId, order.totalAmount);
    } catch (error) {
      find('checkout-problem').textContent = error.errors ? Object.values(error.errors).flat().join(' ') : error.message;
    } finally {
      event.submitter.disabled = false;
    }
  };
  dialog.showModal();
}

async function pay(orderId, amount) {
  try {
    const { payUrl } = await insist('/api/payments/prepare', { orderId, amount }, newKey());
    const target = new URL(payUrl);
    target.searchParams.set('returnUrl', `${location.origin}/?orderId=${orderId}`);
    location.assign(target);
  } catch (error) {
    notice(error.message);
    await showMine();
  }
}

/** Back from the pay window: what was authorised there is captured now. */
export async function finishPayment() {
  const query = new URLSearchParams(location.search);
  const [orderId, result, pgPaymentId] = ['orderId', 'resultCode', 'paymentId'].map(name => query.get(name));
  if (!orderId || !result) return;
  // Gone from the address bar, so that a reload does not ask again.
  history.replaceState(null, '', '/');
  if (result !== 'Success') return notice('The payment was not made. You can pay as long as the order holds its pieces.');
  try {
    // The key belongs to this payment: pressing reload in between asks for the same answer.
    const answer = await insist('/api/payments/approve', { orderId, pgPaymentId }, `approve-${pgPaymentId}`);
    notice(answer.status === 'PAID' ? 'Paid. Thank you!' : 'The payment is being settled; look at your orders in a moment.', true);
  } catch (error) {
    notice(error.message);
  }
}

export async function showMine() {
  find('mine').hidden = !user();
  if (!user()) return;
  const [orders, coupons] = await Promise.all([get('/api/orders?limit=20'), get('/api/coupons/my')]);
  fill(find('orders'), orders.items.map(o => element('li', { 'data-order': o.orderId },
    element('span', { class: 'pill', 'data-state': o.status }, words(o.status)),
    element('span', { class: 'price' }, money(o.totalAmount)),
    element('span', { class: 'soft' }, time(o.createdAt)),
    element('span', { class: 'actions' }, ...actions(o)))), 'None yet.');
  fill(find('own-coupons'), coupons.map(c => element('li', {},
    element('span', { class: 'pill', 'data-state': c.status }, words(c.status)),
    element('span', {}, c.name),
    element('span', { class: 'price' }, `${money(c.discount)} off`))), 'None yet.');
}

function actions(order) {
  if (order.status === 'CREATED' || order.status === 'PENDING_PAYMENT')
    return [
      element('button', { id: `pay-${order.orderId}`, onclick: () => pay(order.orderId, order.totalAmount) }, 'Pay'),
      element('button', { id: `cancel-${order.orderId}`, class: 'quiet', onclick: () => act(() => post(`/api/orders/${order.orderId}/cancel`)) }, 'Cancel'),
    ];
  if (order.status === 'PAID')
    return [element('button', {
      id: `refund-${order.orderId}`, class: 'quiet',
      onclick: () => act(() => insist(`/api/payments/${order.orderId}/refund`, { amount: order.totalAmount, reason: 'Changed my mind' }, `refund-${order.orderId}`)),
    }, 'Refund')];
  return [];
}

async function act(work) {
  try {
    await work();
    notice('');
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    notice(error.message);
  }
  await Promise.all([showMine(), showProducts()]);
}

const words = status => status.toLowerCase().replaceAll('_', ' ');
