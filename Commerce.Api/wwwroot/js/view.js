// Shows the shop: a countdown for each opening, and buttons only for possible actions.

import { user } from './api.js';
import { cancel, collect, pay, refund, refundOne } from './actions.js';
import { checkout } from './checkout.js';
import { left, serverNow } from './clock.js';
import { button, element, fill, find, money, time } from './dom.js';
import { shop } from './shop.js';
import { hasRoom, join, leave, mayOrder, placeIn, roomsOf } from './waiting.js';

const aYear = 365 * 86_400_000;
const order = { OPEN: 0, PENDING: 1, CLOSED: 2, CANCELLED: 2 };
const states = { OPEN: 'Open now', PENDING: 'Opens soon', CLOSED: 'Over', CANCELLED: 'Cancelled' };
const endedShown = 3;
const few = 5;

export function show() {
  if (!shop.events) return;
  const ended = shop.events.filter(e => order[e.status] === 2).slice(endedShown);
  const events = shop.events.filter(e => !ended.includes(e))
    .sort((a, b) => order[a.status] - order[b.status] || (a.status === 'PENDING' ? Date.parse(a.opensAt) - Date.parse(b.opensAt) : 0));
  const linked = new Set(shop.events.flatMap(e => e.couponIds));
  fill(find('events'), events.map(eventCard), 'No sales are planned.');
  const coupons = shop.coupons.filter(c => !linked.has(c.id) && (owns(c) || Date.parse(c.endsAt) > serverNow()));
  fill(find('coupons'), coupons.map(c => ticket(c)), 'No coupons right now.');
  fill(find('products'), shop.products.map(productCard), 'Nothing is on sale.');
  fill(find('orders'), shop.orders.map(orderRow), 'You have not ordered yet.');
  fill(find('own-coupons'), shop.own.map(ownRow), 'You have no coupons yet.');
  find('mine').hidden = !user();
}

/** Updates the countdowns. */
export function tick() {
  for (const timer of document.querySelectorAll('[data-until]')) {
    const text = remaining(timer.dataset.until, timer.dataset.over);
    if (timer.textContent !== text) timer.textContent = text;
  }
}

const remaining = (until, over) => left(until) || over;
const countdown = (look, until, over) =>
  element('span', { class: look, role: 'timer', 'data-until': until, 'data-over': over }, remaining(until, over));

function eventCard(e) {
  const coupons = shop.coupons.filter(c => e.couponIds.includes(c.id));
  const products = shop.products.filter(p => e.productIds.includes(p.id));
  const [verb, at] = { OPEN: ['until', e.closesAt], PENDING: ['opens', e.opensAt], CLOSED: ['ended', e.closedAt] }[e.status] ?? [];
  return element('li', { id: `event-${e.id}`, class: `event ${shop.opened.has(e.id) ? 'just-opened' : ''}`, 'data-state': e.status },
    element('div', { class: 'head' }, element('h3', {}, e.name), element('p', { class: 'pill', 'data-state': e.status }, states[e.status])),
    element('p', { class: 'when' },
      e.status === 'PENDING' ? countdown('countdown', e.opensAt, 'Opening …') : null,
      element('span', { class: 'soft' }, at ? `${verb} ${time(at)}` : '')),
    hasRoom(e) ? line(e) : null,
    coupons.length ? element('ul', { class: 'tickets' }, ...coupons.map(c => ticket(c, e))) : null,
    products.length ? element('p', { class: 'soft' }, 'In this sale: ', ...products.flatMap((p, i) => [i ? ', ' : '', linkTo(p)])) : null);
}

/** The waiting room of an event: how to join it, the place, or the time to order. */
function line(e) {
  const place = placeIn(e);
  if (place?.pass) return element('p', { class: 'line' }, element('span', {}, 'It is your turn: order within ', countdown('left', place.passExpiresAt, 'no time left')));
  if (!place) return element('p', { class: 'line' },
    element('span', {}, 'Its products are sold in the order of arrival.'), button(`join-${e.id}`, 'Join the line', `of ${e.name}`, () => join(e)));
  return element('p', { class: 'line' },
    element('span', {}, element('strong', {}, `You are number ${place.position.toLocaleString()}`), ` of ${place.waiting.toLocaleString()}. ${about(place.estimatedSeconds)}`),
    button(`leave-${e.id}`, 'Leave the line', `of ${e.name}`, () => leave(e), 'quiet'));
}

function about(seconds) {
  if (seconds < 60) return `Your turn comes in about ${Math.max(1, seconds)} s.`;
  return seconds < 3600 ? `Your turn comes in about ${Math.ceil(seconds / 60)} min.` : `Your turn comes in about ${Math.ceil(seconds / 3600)} h.`;
}

const linkTo = product => element('a', { href: `#product-${product.id}` }, product.name);

function ticket(c, event) {
  const standing = standingOf(c, event);
  const ends = Date.parse(c.endsAt) - serverNow();
  const ending = !standing && !event?.closesAt && ends < aYear ? `, until ${time(c.endsAt)}` : '';
  return element('li', { id: `coupon-${c.id}`, class: 'ticket' },
    element('div', {},
      element(event ? 'h4' : 'h3', {}, c.name),
      element('p', { class: 'off' }, `${money(c.discount)} off`),
      element('p', { class: 'soft' }, `${c.remaining.toLocaleString()} of ${c.totalQuantity.toLocaleString()} left${ending}`)),
    standing
      ? element('p', { class: 'standing', 'data-state': standing === 'Yours' ? 'good' : undefined }, standing)
      : button(`issue-${c.id}`, 'Get coupon', c.name, () => collect(c)));
}

const owns = c => shop.taken.has(c.id) || shop.own.some(own => own.couponId === c.id);

/** Why a coupon is not available; empty if it is. */
function standingOf(c, event) {
  const now = serverNow();
  if (owns(c)) return 'Yours';
  if (event?.status === 'PENDING') return 'With the opening';
  if ((event && event.status !== 'OPEN') || now >= Date.parse(c.endsAt) || shop.over.has(c.id)) return 'Over';
  if (c.remaining < 1) return 'Sold out';
  if (now < Date.parse(c.startsAt)) return `From ${time(c.startsAt)}`;
  return undefined;
}

function productCard(p) {
  return element('li', { id: `product-${p.id}`, class: 'product' },
    element('div', { class: `tile tint-${p.id % 5}`, 'aria-hidden': 'true' }, [...p.name][0].toUpperCase()),
    element('h3', {}, p.name),
    element('p', { class: 'price' }, money(p.price)),
    p.available > few
      ? element('p', { class: 'soft' }, `${p.available.toLocaleString()} left`)
      : element('p', { class: 'scarce' }, p.available > 0 ? `Only ${p.available} left` : 'Sold out'),
    p.maxPerCustomer ? element('p', { class: 'soft' }, `At most ${p.maxPerCustomer} per customer`) : null,
    mayOrder(p) ? null : element('p', { class: 'soft' }, 'For those whose turn it is: ', element('a', { href: `#event-${roomsOf(p)[0].id}` }, roomsOf(p)[0].name)),
    p.available > 0 && mayOrder(p) ? button(`buy-${p.id}`, 'Buy', p.name, () => checkout(p)) : null);
}

const nameOf = productId => shop.products.find(p => p.id === productId)?.name ?? `Product ${productId}`;

function orderRow(o) {
  const what = o.items.map(i => `${nameOf(i.productId)} × ${i.quantity}`).join(', ');
  const payable = ['CREATED', 'PENDING_PAYMENT'].includes(o.status);
  const several = o.items.reduce((sum, i) => sum + i.quantity, 0) > 1;
  const returned = o.items.filter(i => i.refundedQuantity);
  return element('li', { id: `order-${o.orderId}` },
    element('div', { class: 'what' }, element('strong', {}, what), element('span', { class: 'soft' }, time(o.createdAt)),
      ...returned.map(i => element('span', { class: 'soft', 'data-state': i.state }, `${nameOf(i.productId)}: ${i.refundedQuantity} of ${i.quantity} refunded`))),
    element('span', { class: 'pill', 'data-state': o.status }, o.status === 'PAID' && o.refundedAmount ? 'partly refunded' : words(o.status)),
    o.status === 'PAID' && o.fulfilment ? element('span', { class: 'soft' }, o.fulfilment.toLowerCase(), o.trackingNumber ? ` (${o.trackingNumber})` : '') : null,
    payable ? element('span', { class: 'soft' }, 'pay within ', countdown('left', o.holdExpiresAt, 'no time left')) : null,
    element('span', { class: 'price' }, money(o.totalAmount)),
    o.refundedAmount && o.status !== 'REFUNDED' ? element('span', { class: 'soft back' }, `${money(o.refundedAmount)} refunded`) : null,
    element('span', { class: 'actions' },
      payable ? button(`cancel-${o.orderId}`, 'Cancel', `the order of ${what}`, () => cancel(o, what), 'quiet') : null,
      payable ? button(`pay-${o.orderId}`, 'Pay', `for ${what}`, () => pay(o)) : null,
      ...(several && o.refundable > 0 ? o.items.filter(i => i.refundedQuantity < i.quantity).map(i =>
        button(`return-${o.orderId}-${i.productId}`, 'Return one', nameOf(i.productId), () => refundOne(o, i, nameOf(i.productId)), 'quiet')) : []),
      o.refundable > 0 ? button(`refund-${o.orderId}`, 'Refund', what, () => refund(o, what), 'quiet') : null));
}

function ownRow(c) {
  const [state, text] = c.usedAt ? ['USED', 'used'] : c.orderId ? ['HELD', 'in an order'] : ['READY', 'ready to use'];
  return element('li', { id: `own-${c.couponId}` },
    element('strong', { class: 'what' }, c.name),
    element('span', { class: 'pill', 'data-state': state }, text),
    element('span', { class: 'price' }, `${money(c.discount)} off`));
}

const words = status => ({ CREATED: 'not paid yet', PENDING_PAYMENT: 'not paid yet' })[status] ?? status.toLowerCase();
