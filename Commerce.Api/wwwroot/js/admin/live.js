// The live sale of one event: figures once a second.

import { getPage } from '../api.js';
import { countdown } from '../countdown.js';
import { element, fill, find, money, notice, time } from '../dom.js';
import { listen } from '../stream.js';
import { number, t } from '../texts.js';
import { chart, figure } from './chart.js';
import { title } from './list.js';

const every = 5000;
const ranks = { OPEN: 0, PENDING: 1, CLOSED: 2, CANCELLED: 3 };

export async function live(root, [chosen], signal) {
  const cards = element('ul', { id: 'sales', class: 'events' });
  const figures = element('div', { class: 'watched' });
  let events = [];

  async function read() {
    events = (await getPage('/api/admin/events')).items;
    const shown = events.filter(e => e.status !== 'DRAFT').sort((a, b) => ranks[a.status] - ranks[b.status]).slice(0, 6);
    fill(cards, shown.map(e => card(e, String(e.id) === chosen)), t('live.none'));
  }

  let trouble;
  /** Reads the events. Reports a failure once, until the next success. */
  async function refresh() {
    try {
      await read();
      trouble?.remove();
      trouble = undefined;
    } catch (error) {
      trouble ??= notice(error.message);
    }
  }

  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' }, title(t('live')), cards), figures);
  await refresh();
  if (signal.aborted) return;
  const timer = setInterval(() => { if (!document.hidden) refresh(); }, every);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    find('stream').hidden = true;
  });
  if (chosen) watch(figures, chosen, events.find(e => String(e.id) === chosen)?.name ?? chosen, refresh, signal);
}

function card(e, isChosen) {
  const [verb, at] = { OPEN: ['sale.until', e.closesAt], PENDING: ['sale.opens', e.opensAt], CLOSED: ['sale.ended', e.closedAt] }[e.status] ?? [];
  return element('li', { id: `sale-${e.id}`, class: 'event', 'data-state': e.status, 'aria-current': isChosen ? 'true' : undefined },
    element('div', { class: 'head' }, element('h3', {}, e.name), element('p', { class: 'pill', 'data-state': e.status }, t(`event.${e.status}`))),
    element('p', { class: 'when' },
      e.status === 'PENDING' ? countdown('countdown', e.opensAt, t('sale.opening')) : null,
      e.status === 'OPEN' && e.closesAt ? countdown('countdown', e.closesAt, t('event.CLOSED')) : null,
      at ? element('span', { class: 'soft' }, t(verb, { time: time(at) })) : null),
    element('a', { id: `watch-${e.id}`, class: 'look', href: `#live/${e.id}` }, t('live.watch'), element('span', { class: 'unseen' }, ` ${e.name}`)));
}

function watch(root, eventId, name, reload, signal) {
  const rates = { issued: chart('rate-issued', t('live.issuedPerSecond')), placed: chart('rate-orders', t('live.ordersPerSecond')), errors: chart('rate-errors', t('live.errors')) };
  const totals = {
    left: figure('coupons-left', t('live.couponsLeft')), placed: figure('orders-placed', t('live.orders')), holding: figure('orders-holding', t('live.holding')),
    paid: figure('orders-paid', t('live.paid')), amount: figure('paid-amount', t('live.paidAmount')),
  };
  const line = {
    rate: figure('line-rate', t('live.lineRate')), waiting: figure('line-waiting', t('live.lineWaiting')),
    admitted: figure('line-admitted', t('live.lineAdmitted')), ordering: figure('line-ordering', t('live.lineOrdering')),
  };
  const room = element('section', { id: 'line', 'aria-labelledby': 'line-title', hidden: true },
    element('h3', { id: 'line-title' }, t('live.line')), element('dl', { class: 'figures' }, ...Object.values(line).map(f => f.node)));
  const stock = element('ul', { id: 'live-stock', class: 'stock', hidden: true });
  const wait = element('p', { class: 'empty', role: 'status', hidden: true }, t('live.unavailable'));
  root.replaceChildren(element('section', { 'aria-labelledby': 'figures-title' },
    element('h2', { id: 'figures-title' }, t('live.title', { name })), wait,
    element('dl', { class: 'figures' }, ...[...Object.values(rates), ...Object.values(totals)].map(f => f.node)), room, stock));

  let last;
  function show(sale) {
    // All viewers of a process share a reading, so the same reading may arrive twice.
    if (last?.at === sale.at) return;
    const issued = sale.coupons.reduce((sum, c) => sum + c.issued, 0);
    const total = sale.coupons.reduce((sum, c) => sum + c.total, 0);
    const now = { at: sale.at, status: sale.status, issued, placed: sale.orders.placed, errors: sale.errors ?? last?.errors ?? 0 };
    const seconds = last ? (Date.parse(now.at) - Date.parse(last.at)) / 1000 : 1;
    // The count of errors restarts after Redis has lost it.
    for (const [key, drawn] of Object.entries(rates)) drawn.add(last ? Math.max(0, Math.round((now[key] - last[key]) / seconds * 10) / 10) : 0);
    if (last && last.status !== now.status) reload();
    last = now;
    totals.left.show(number(total - issued));
    totals.placed.show(number(sale.orders.placed));
    totals.holding.show(number(sale.orders.holding));
    totals.paid.show(number(sale.orders.paid));
    totals.amount.show(money(sale.orders.paidAmount));
    room.hidden = !sale.waitingRoom;
    // A closed room has no count.
    for (const [key, shown] of Object.entries(line)) shown.show(number(sale.waitingRoom?.[key] ?? 0));
    stock.hidden = sale.coupons.length + sale.products.length === 0;
    fill(stock, [
      ...sale.coupons.map(c => meter(`live-coupon-${c.id}`, t('live.couponIssued', { name: c.name, issued: number(c.issued), total: number(c.total) }), c.issued, c.total)),
      ...sale.products.map(p => element('li', { id: `live-product-${p.id}` }, t('live.productLeft', { name: p.name, count: number(p.available) }))),
    ]);
  }

  const pill = find('stream');
  pill.hidden = false;
  listen((type, data) => {
    wait.hidden = type !== 'UNAVAILABLE';
    if (type === 'LIVE') show(JSON.parse(data));
  }, state => {
    pill.dataset.state = state;
    pill.textContent = t(`stream.${state}`);
  }, `/api/admin/live?eventId=${eventId}`, signal).catch(error => {
    pill.hidden = true;
    root.replaceChildren(element('p', { class: 'empty', role: 'alert' }, error.message));
  });
}

const meter = (id, text, value, max) => element('li', { id }, element('label', { for: `${id}-bar` }, text), element('progress', { id: `${id}-bar`, value, max }));
