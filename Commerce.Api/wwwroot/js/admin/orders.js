import { get, insist, newKey, post } from '../api.js';
import { element, money, notice, time } from '../dom.js';
import { number, t } from '../texts.js';
import { detail, facts } from './detail.js';
import { ask } from './form.js';
import { action, list, report, row, sure, title } from './list.js';

const path = '/api/admin/orders';
const states = ['CREATED', 'PENDING_PAYMENT', 'PAID', 'CANCELLED', 'EXPIRED', 'REFUNDING', 'REFUNDED'];
const next = { null: 'PREPARING', PREPARING: 'SHIPPED', SHIPPED: 'DELIVERED' };

export async function orders(root) {
  const all = list('order-list', t('adminOrders.none'), o => row(`order-${o.id}`, `${o.userId} · ${money(o.totalAmount)}`, `${time(o.createdAt)} · ${o.id}`,
    [o.fulfilment ?? o.status, stateOf(o)],
    action(`detail-${o.id}`, t('adminOrder.detail'), o.id, () => report(show(o.id))),
    o.status === 'PAID' && next[o.fulfilment] ? action(`advance-${o.id}`, t(`advance.${next[o.fulfilment]}`), o.id, () => advance(o, next[o.fulfilment])) : null,
    ['CREATED', 'PENDING_PAYMENT'].includes(o.status) ? action(`cancel-${o.id}`, t('admin.cancel'), o.id, () => cancel(o)) : null,
    o.refundable > 0 || isFree(o) ? action(`refund-${o.id}`, t('order.refund'), o.id, () => report(refund(o))) : null));
  const user = element('input', { id: 'order-user', autocapitalize: 'none', maxlength: 255 });
  const recipient = element('input', { id: 'order-recipient', autocomplete: 'off', maxlength: 100 });
  const status = element('select', { id: 'order-status' }, element('option', { value: '' }, t('adminOrders.any')),
    ...states.map(state => element('option', { value: state }, nameOf(state))));
  const read = () => all.read(`${path}?${new URLSearchParams(Object.entries({ userId: user.value.trim(), recipient: recipient.value.trim(), status: status.value }).filter(([, value]) => value))}`);
  const search = element('form', { class: 'search', role: 'search' },
    element('div', { class: 'field' }, element('label', { for: user.id }, t('adminOrders.user')), user),
    element('div', { class: 'field' }, element('label', { for: recipient.id }, t('adminOrders.recipient')), recipient),
    element('div', { class: 'field' }, element('label', { for: status.id }, t('adminOrders.status')), status),
    element('button', { id: 'search' }, t('adminOrders.search')));
  search.addEventListener('submit', event => {
    event.preventDefault();
    report(read());
  });

  /** Takes an order to the next step of its delivery. Shipping needs a tracking number. */
  function advance(o, state) {
    const done = t('advance.done', { id: o.id, state: t(`fulfilment.${state}`) });
    if (state !== 'SHIPPED') return sure(t('advance.ask'), o.id, t(`advance.${state}`), () => post(`${path}/${o.id}/fulfilment`, { state }), done, read);
    return ask(t('advance.SHIPPED'), [
      { name: 'trackingNumber', label: t('adminOrder.trackingNumber'), kind: 'text', required: true, maxlength: 64 },
    ], t('advance.SHIPPED'), async ({ trackingNumber }) => {
      await post(`${path}/${o.id}/fulfilment`, { state, trackingNumber });
      notice(done, true);
    }, read);
  }

  const cancel = o => ask(t('order.cancelYes'), [
    { name: 'reason', label: t('adminOrder.reason'), kind: 'text', required: true, maxlength: 200 },
  ], t('order.cancelYes'), async values => {
    await post(`${path}/${o.id}/cancel`, values);
    notice(t('order.cancelledNow'), true);
  }, read);

  /** Refunds lines or an amount. The refund of units follows from what was paid for them, so the form asks for an amount only if no units are chosen. */
  async function refund(o) {
    const { order } = await get(`${path}/${o.id}`);
    const lines = isFree(o) ? [] : order.items.filter(i => i.refundedQuantity < i.quantity);
    const names = await namesOf(lines);
    const back = !['SHIPPED', 'DELIVERED'].includes(order.fulfilment);
    const named = (text, i) => t(text, { name: names.get(i.productId), count: number(i.quantity - i.refundedQuantity) });
    // If a response was lost, the same request can be repeated and refunds once. A new request gets a new key.
    let asked = {};
    ask(t('adminOrder.refundTitle'), [
      ...lines.flatMap(i => [
        { name: `units-${i.productId}`, label: named('adminOrder.refundUnits', i), kind: 'number', value: 0, required: true, min: 0, max: i.quantity - i.refundedQuantity },
        { name: `restock-${i.productId}`, label: named('adminOrder.restock', i), kind: 'check', value: back },
      ]),
      { name: 'amount', label: t('adminOrder.refundAmount'), kind: 'number', value: isFree(o) ? 0 : undefined, required: isFree(o), min: isFree(o) ? 0 : 1, max: order.refundable },
      { name: 'reason', label: t('adminOrder.reason'), kind: 'text', required: true, maxlength: 200 },
      ...order.couponId ? [{ name: 'couponBack', label: t('adminOrder.couponBack'), kind: 'check', value: false }] : [],
    ], t('order.refund'), async ({ amount, reason, couponBack, ...values }) => {
      const chosen = lines.map(i => ({ productId: i.productId, quantity: values[`units-${i.productId}`], restock: values[`restock-${i.productId}`] })).filter(l => l.quantity);
      if (!chosen.length === (amount === null)) throw new Error(t('adminOrder.refundEither'));
      const request = { reason, couponBack, ...chosen.length ? { lines: chosen } : { amount } };
      const text = JSON.stringify(request);
      if (asked.text !== text) asked = { text, key: newKey() };
      const refunded = await insist(`${path}/${o.id}/refund`, request, asked.key);
      notice(refunded.status === 'SETTLING' ? t('refund.onTheWay') : isFree(o) ? t('refund.freeDone') : t('refund.done', { amount: money(refunded.amount) }), true);
    }, read);
  }

  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' }, title(t('admin.orders')), search, all.node));
  await read();
}

/** Refunds an order that its coupon paid. The amount is 0. */
const isFree = o => o.status === 'PAID' && o.totalAmount === 0;

const stateOf = o => [
  o.status === 'PAID' && o.refundedAmount ? t('order.partlyRefunded') : nameOf(o.status),
  o.status === 'PAID' && o.fulfilment && t(`fulfilment.${o.fulfilment}`),
].filter(Boolean).join(', ');
const nameOf = status => t(['CREATED', 'PENDING_PAYMENT'].includes(status) ? `adminOrder.${status}` : `order.${status}`);

/** Returns the names of the lines' products by their ids. */
const namesOf = async lines => new Map(await Promise.all(lines.map(async ({ productId }) => [productId, (await get(`/api/admin/products/${productId}`)).name])));

async function show(id) {
  const { userId, order: o, payment, history } = await get(`${path}/${id}`);
  const names = await namesOf(o.items);
  detail(t('adminOrder.title', { id }),
    facts([
      [t('adminOrder.customer'), userId], [t('adminOrders.status'), stateOf(o)], [t('adminOrder.ordered'), time(o.createdAt)],
      [t('adminOrder.amount'), money(o.totalAmount)], [t('adminOrder.discount'), o.discount ? money(o.discount) : ''],
      [t('adminOrder.payment'), payment && t(`payment.${payment.status}`)], [t('adminOrder.refundedAmount'), o.refundedAmount ? money(o.refundedAmount) : ''],
      [t('adminOrder.trackingNumber'), o.trackingNumber],
      ...o.shipping ? [[t('adminOrder.shipping'), [o.shipping.recipient, o.shipping.phone, o.shipping.zipcode, o.shipping.address1, o.shipping.address2].filter(Boolean).join(', ')]] : [],
    ]),
    element('h3', {}, t('adminOrder.lines')),
    element('ul', { class: 'rows' }, ...o.items.map(i => row(undefined, names.get(i.productId),
      [`${number(i.quantity)} × ${money(i.price)}`, i.refundedQuantity && t('order.itemsRefunded', { name: names.get(i.productId), refunded: number(i.refundedQuantity), quantity: number(i.quantity) })]
        .filter(Boolean).join(' · ')))),
    element('h3', {}, t('adminProduct.history')),
    element('ul', { id: 'order-history', class: 'rows' }, ...history.map(step => row(undefined, stepOf(step),
      [time(step.at), step.actor, step.trackingNumber, step.amount && money(step.amount), step.reason].filter(Boolean).join(' · ')))));
}

const stepOf = ({ state }) => state.startsWith('REFUND_') ? t('order.refund') : t(`step.${state}`);
