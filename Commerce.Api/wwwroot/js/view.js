// Shows the shop: a countdown for each opening, and buttons only for possible actions.

import { user } from './api.js';
import { cancel, collect, giveBack, pay, refund, refundOne } from './actions.js';
import { checkout } from './checkout.js';
import { serverNow } from './clock.js';
import { countdown } from './countdown.js';
import { offOf, termsOf, validityOf } from './coupons.js';
import { button, element, fill, find, money, time } from './dom.js';
import { limitOf, shop } from './shop.js';
import { number, parts, t } from './texts.js';
import { hasRoom, join, leave, mayOrder, placeIn, roomsOf } from './waiting.js';

const aYear = 365 * 86_400_000;
const order = { OPEN: 0, PENDING: 1, CLOSED: 2, CANCELLED: 2 };
const endedShown = 3;
const few = 5;

export function show() {
  if (!shop.events) return;
  const ended = shop.events.filter(e => order[e.status] === 2).slice(endedShown);
  const events = shop.events.filter(e => !ended.includes(e))
    .sort((a, b) => order[a.status] - order[b.status] || (a.status === 'PENDING' ? Date.parse(a.opensAt) - Date.parse(b.opensAt) : 0));
  const linked = new Set(shop.events.flatMap(e => e.couponIds));
  fill(find('events'), events.map(eventCard), t('sales.none'));
  const coupons = shop.coupons.filter(c => !linked.has(c.id) && (owns(c) || Date.parse(c.endsAt) > serverNow()));
  fill(find('coupons'), coupons.map(c => ticket(c)), t('coupons.none'));
  fill(find('products'), shop.products.map(productCard), t('products.none'));
  fill(find('orders'), shop.orders.map(orderRow), t('mine.noOrders'));
  fill(find('own-coupons'), shop.own.map(ownRow), t('mine.noCoupons'));
  find('mine').hidden = !user();
}

function eventCard(e) {
  const coupons = shop.coupons.filter(c => e.couponIds.includes(c.id));
  const products = shop.products.filter(p => e.productIds.includes(p.id));
  const [verb, at] = { OPEN: ['sale.until', e.closesAt], PENDING: ['sale.opens', e.opensAt], CLOSED: ['sale.ended', e.closedAt] }[e.status] ?? [];
  return element('li', { id: `event-${e.id}`, class: `event ${shop.opened.has(e.id) ? 'just-opened' : ''}`, 'data-state': e.status },
    element('div', { class: 'head' }, element('h3', {}, e.name), element('p', { class: 'pill', 'data-state': e.status }, t(`event.${e.status}`))),
    element('p', { class: 'when' },
      e.status === 'PENDING' ? countdown('countdown', e.opensAt, t('sale.opening')) : null,
      element('span', { class: 'soft' }, at ? t(verb, { time: time(at) }) : '')),
    hasRoom(e) ? line(e) : null,
    coupons.length ? element('ul', { class: 'tickets' }, ...coupons.map(c => ticket(c, e))) : null,
    products.length ? element('p', { class: 'soft' }, t('sale.products'), ...products.flatMap((p, i) => [i ? ', ' : '', linkTo(p)])) : null,
    e.maxPerCustomer ? element('p', { class: 'soft' }, t('sale.limit', { count: number(e.maxPerCustomer) })) : null);
}

/** Shows the waiting room of an event: how to join it, the place, or the time left to order. */
function line(e) {
  const place = placeIn(e);
  if (place?.pass) return element('p', { class: 'line' }, element('span', {}, ...parts('line.turn', { left: countdown('left', place.passExpiresAt, t('order.noTime')) })));
  if (!place) return element('p', { class: 'line' },
    element('span', {}, t('line.about')), button(`join-${e.id}`, t('line.join'), t('line.of', { name: e.name }), () => join(e)));
  const position = element('strong', {}, t('line.position', { position: number(place.position) }));
  return element('p', { class: 'line' },
    element('span', {}, ...parts('line.place', { position, waiting: number(place.waiting), wait: about(place.estimatedSeconds) })),
    button(`leave-${e.id}`, t('line.leave'), t('line.of', { name: e.name }), () => leave(e), 'quiet'));
}

function about(seconds) {
  if (seconds < 60) return t('line.seconds', { count: Math.max(1, seconds) });
  return seconds < 3600 ? t('line.minutes', { count: Math.ceil(seconds / 60) }) : t('line.hours', { count: Math.ceil(seconds / 3600) });
}

const linkTo = product => element('a', { href: `#product-${product.id}` }, product.name);

function ticket(c, event) {
  const standing = standingOf(c, event);
  const ends = Date.parse(c.endsAt) - serverNow();
  const ending = !standing && !event?.closesAt && ends < aYear;
  const terms = termsOf(c);
  return element('li', { id: `coupon-${c.id}`, class: 'ticket' },
    element('div', {},
      element(event ? 'h4' : 'h3', {}, c.name),
      element('p', { class: 'off' }, offOf(c)),
      terms ? element('p', { class: 'soft terms' }, terms) : null,
      element('p', { class: 'soft' }, t(ending ? 'coupon.leftUntil' : 'coupon.left', { remaining: number(c.remaining), total: number(c.totalQuantity), time: time(c.endsAt) }))),
    standing
      ? element('p', { class: 'standing', 'data-state': owns(c) ? 'good' : undefined }, standing)
      : button(`issue-${c.id}`, t('coupon.get'), c.name, () => collect(c)));
}

const owns = c => shop.taken.has(c.id) || shop.own.some(own => own.couponId === c.id);

/** Returns the reason why a coupon is not available, or an empty text if it is. */
function standingOf(c, event) {
  const now = serverNow();
  if (owns(c)) return t('coupon.yours');
  if (event?.status === 'PENDING') return t('coupon.atOpening');
  if ((event && event.status !== 'OPEN') || now >= Date.parse(c.endsAt) || shop.over.has(c.id)) return t('coupon.over');
  if (c.remaining < 1) return t('coupon.soldOut');
  if (now < Date.parse(c.startsAt)) return t('coupon.from', { time: time(c.startsAt) });
  return undefined;
}

function productCard(p) {
  return element('li', { id: `product-${p.id}`, class: 'product' },
    element('div', { class: `tile tint-${p.id % 5}`, 'aria-hidden': 'true' }, [...p.name][0].toUpperCase()),
    element('h3', {}, p.name),
    element('p', { class: 'price' }, money(p.price)),
    p.available > few
      ? element('p', { class: 'soft' }, t('product.left', { count: number(p.available) }))
      : element('p', { class: 'scarce' }, p.available > 0 ? t('product.few', { count: p.available }) : t('product.soldOut')),
    limitOf(p) < Infinity ? element('p', { class: 'soft' }, t('product.limit', { count: number(limitOf(p)) })) : null,
    mayOrder(p) ? null : element('p', { class: 'soft' }, ...parts('product.inTurn', { event: element('a', { href: `#event-${roomsOf(p)[0].id}` }, roomsOf(p)[0].name) })),
    p.available > 0 && mayOrder(p) ? button(`buy-${p.id}`, t('product.buy'), p.name, () => checkout(p)) : null);
}

const nameOf = productId => shop.products.find(p => p.id === productId)?.name ?? t('product.unnamed', { id: productId });

function orderRow(o) {
  const what = o.items.map(i => `${nameOf(i.productId)} × ${i.quantity}`).join(', ');
  const payable = ['CREATED', 'PENDING_PAYMENT'].includes(o.status);
  const several = o.items.reduce((sum, i) => sum + i.quantity, 0) > 1;
  const returned = o.items.filter(i => i.refundedQuantity);
  return element('li', { id: `order-${o.orderId}` },
    element('div', { class: 'what' }, element('strong', {}, what), element('span', { class: 'soft' }, time(o.createdAt)),
      ...returned.map(i => element('span', { class: 'soft', 'data-state': i.state }, t('order.itemsRefunded', { name: nameOf(i.productId), refunded: number(i.refundedQuantity), quantity: number(i.quantity) })))),
    element('span', { class: 'pill', 'data-state': o.status }, t(o.status === 'PAID' && o.refundedAmount ? 'order.partlyRefunded' : `order.${o.status}`)),
    o.status === 'PAID' && o.fulfilment ? element('span', { class: 'soft' }, t(`fulfilment.${o.fulfilment}`), o.trackingNumber ? ` (${o.trackingNumber})` : '') : null,
    payable ? element('span', { class: 'soft' }, ...parts('order.payWithin', { left: countdown('left', o.holdExpiresAt, t('order.noTime')) })) : null,
    element('span', { class: 'price' }, money(o.totalAmount)),
    o.refundedAmount && o.status !== 'REFUNDED' ? element('span', { class: 'soft back' }, t('order.refunded', { amount: money(o.refundedAmount) })) : null,
    element('span', { class: 'actions' },
      payable ? button(`cancel-${o.orderId}`, t('order.cancel'), t('order.cancelAbout', { what }), () => cancel(o, what), 'quiet') : null,
      payable ? button(`pay-${o.orderId}`, t('order.pay'), t('order.payAbout', { what }), () => pay(o)) : null,
      ...(several && o.refundable > 0 ? o.items.filter(i => i.refundedQuantity < i.quantity).map(i =>
        button(`return-${o.orderId}-${i.productId}`, t('refund.one'), nameOf(i.productId), () => refundOne(o, i, nameOf(i.productId)), 'quiet')) : []),
      o.status === 'PAID' && !o.totalAmount ? button(`return-${o.orderId}`, t('order.refund'), what, () => giveBack(o, what), 'quiet') : null,
      o.refundable > 0 ? button(`refund-${o.orderId}`, t('order.refund'), what, () => refund(o, what), 'quiet') : null));
}

function ownRow(c) {
  const state = c.usedAt ? 'USED' : c.orderId ? 'HELD' : validityOf(c);
  const terms = termsOf(c);
  return element('li', { id: `own-${c.couponId}` },
    element('div', { class: 'what' }, element('strong', {}, c.name), terms ? element('span', { class: 'soft terms' }, terms) : null),
    element('span', { class: 'pill', 'data-state': state }, t(`coupon.${state}`)),
    element('span', { class: 'price' }, offOf(c)));
}
