import { getPage, post, put } from '../api.js';
import { offOf } from '../coupons.js';
import { element, notice, time } from '../dom.js';
import { number, t } from '../texts.js';
import { ask } from './form.js';
import { action, list, report, row, sure, title } from './list.js';

const path = '/api/admin/coupons';

export async function coupons(root) {
  const all = list('coupon-list', t('adminCoupons.none'), c => row(`coupon-${c.id}`, c.name,
    [t('adminCoupon.issued', { issued: number(c.issuedQuantity), total: number(c.totalQuantity), off: offOf(c) }), t('sale.until', { time: time(c.endsAt) })].join(' · '),
    [c.status, t(`adminCoupon.${c.status}`)],
    action(`edit-${c.id}`, t('admin.edit'), c.name, () => edit(c)),
    c.status === 'CANCELLED' ? null : action(`cancel-${c.id}`, t('admin.cancel'), c.name, () => sure(
      t('adminCoupon.cancelAsk'), t('adminCoupon.cancelText', { name: c.name }), t('adminCoupon.cancelYes'),
      () => post(`${path}/${c.id}/cancel`), t('admin.cancelledNow', { name: c.name }), read))));
  const read = () => all.read(path);

  async function edit(c) {
    const found = await report(Promise.all([getPage('/api/admin/products'), getPage('/api/admin/events')]));
    if (!found) return;
    const [products, events] = found.map(page => page.items.map(item => [item.id, item.name]));
    ask(t(c ? 'adminCoupon.edit' : 'adminCoupon.new'), [
      { name: 'name', label: t('adminCoupon.name'), kind: 'text', value: c?.name, required: true, maxlength: 200 },
      { name: 'percent', label: t('adminCoupon.percent'), kind: 'number', value: c?.percent, min: 1, max: 100 },
      { name: 'discount', label: t('adminCoupon.discount'), kind: 'number', value: c?.discount, required: true, min: 1, max: 1_000_000_000 },
      { name: 'minOrderAmount', label: t('adminCoupon.minOrderAmount'), kind: 'number', value: c?.minOrderAmount, min: 1, max: 1_000_000_000 },
      { name: 'totalQuantity', label: t('adminCoupon.totalQuantity'), kind: 'number', value: c?.totalQuantity, required: true, min: 1, max: 100_000_000 },
      { name: 'startsAt', label: t('adminCoupon.startsAt'), kind: 'time', value: c?.startsAt, required: true },
      { name: 'endsAt', label: t('adminCoupon.endsAt'), kind: 'time', value: c?.endsAt, required: true },
      { name: 'validFrom', label: t('adminCoupon.validFrom'), kind: 'time', value: c?.validFrom },
      { name: 'validUntil', label: t('adminCoupon.validUntil'), kind: 'time', value: c?.validUntil },
      { name: 'productIds', label: t('adminCoupon.products'), kind: 'many', value: c?.productIds, options: products },
      { name: 'eventIds', label: t('adminCoupon.events'), kind: 'many', value: c?.eventIds, options: events },
    ], t(c ? 'admin.save' : 'admin.create'), async values => {
      const body = { ...values, productIds: orNull(values.productIds), eventIds: orNull(values.eventIds) };
      await (c ? put(`${path}/${c.id}`, body, c.version) : post(path, body));
      notice(t(c ? 'admin.saved' : 'admin.created', { name: values.name }), true);
    }, read);
  }

  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' },
    title(t('admin.coupons'), element('button', { id: 'new', type: 'button', onclick: () => edit() }, t('adminCoupon.new'))), all.node));
  await read();
}

/** Returns null if nothing is chosen, which means no restriction. */
const orNull = ids => ids.length ? ids : null;
