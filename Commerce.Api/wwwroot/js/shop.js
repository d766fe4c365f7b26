// The state of the shop and of the user, reloaded repeatedly.

import { get, user } from './api.js';
import { notice } from './dom.js';
import { t } from './texts.js';

export const shop = { events: undefined, coupons: [], products: [], orders: [], own: [], taken: new Set(), over: new Set(), opened: new Set() };

// The lines of an order only change with its refunds, so they are loaded once for each refunded amount.
const items = new Map();
let draw = () => {};

export const onChange = callback => { draw = callback; };

export const redraw = () => draw();

/** Returns the number of units of a product that one customer may have now. */
export const limitOf = product => Math.min(...[product, ...(shop.events ?? []).filter(e => e.status === 'OPEN' && e.productIds.includes(product.id))]
  .map(limiting => limiting.maxPerCustomer ?? Infinity));

export const readEvents = oneAtATime(async () => {
  const events = await get('/api/events');
  // The initial state is not announced.
  const known = shop.events ?? events;
  const opened = events.filter(e => e.status === 'OPEN' && !known.some(k => k.id === e.id && k.status === 'OPEN'));
  for (const e of opened) shop.opened.add(e.id);
  if (opened.length) notice(t('sale.openNow', { names: opened.map(e => e.name).join(', ') }), true);
  shop.events = events;
  draw();
});

export const readCoupons = oneAtATime(async () => {
  shop.coupons = await get('/api/coupons');
  draw();
});

export const readProducts = oneAtATime(async () => {
  shop.products = await get('/api/products');
  draw();
});

export const readMine = oneAtATime(async () => {
  if (!user()) return;
  const [{ items: orders }, own] = await Promise.all([get('/api/orders?limit=20'), get('/api/coupons/my')]);
  for (const order of orders) {
    const known = `${order.orderId} ${order.refundedAmount} ${order.status === 'REFUNDED'}`;
    if (!items.has(known)) items.set(known, (await get(`/api/orders/${order.orderId}`)).items);
    order.items = items.get(known);
  }
  Object.assign(shop, { orders, own });
  draw();
});

/** Loads everything. Throws the first failure after the rest was loaded. */
export async function readAll() {
  const failed = (await Promise.allSettled([readEvents(), readCoupons(), readProducts(), readMine()])).find(read => read.status === 'rejected');
  if (failed) throw failed.reason;
}

/** A call during a run gets the next run, so that older data never replaces newer data. */
function oneAtATime(work) {
  let running;
  let next;
  return function run() {
    if (running) return next ??= running.catch(() => {}).then(() => {
      next = undefined;
      return run();
    });
    return running = work().finally(() => { running = undefined; });
  };
}
