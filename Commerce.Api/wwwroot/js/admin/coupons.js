import { post, put } from '../api.js';
import { element, money, notice } from '../dom.js';
import { number, t } from '../texts.js';
import { ask } from './form.js';
import { action, list, report, row, sure, title } from './list.js';

const path = '/api/admin/coupons';

export async function coupons(root) {
  const all = list('coupon-list', t('adminCoupons.none'), c => row(`coupon-${c.id}`, c.name,
    t('adminCoupon.issued', { issued: number(c.issuedQuantity), total: number(c.totalQuantity), amount: money(c.discount) }),
    [c.status, t(`adminCoupon.${c.status}`)],
    action(`edit-${c.id}`, t('admin.edit'), c.name, () => edit(c)),
    c.status === 'CANCELLED' ? null : action(`cancel-${c.id}`, t('admin.cancel'), c.name, () => sure(
      t('adminCoupon.cancelAsk'), t('adminCoupon.cancelText', { name: c.name }), t('adminCoupon.cancelYes'),
      () => post(`${path}/${c.id}/cancel`), t('admin.cancelledNow', { name: c.name }), read))));
  const read = () => all.read(path);

  const edit = c => ask(t(c ? 'adminCoupon.edit' : 'adminCoupon.new'), [
    { name: 'name', label: t('adminCoupon.name'), kind: 'text', value: c?.name, required: true, maxlength: 200 },
    { name: 'discount', label: t('adminCoupon.discount'), kind: 'number', value: c?.discount, required: true, min: 1, max: 1_000_000_000 },
    { name: 'totalQuantity', label: t('adminCoupon.totalQuantity'), kind: 'number', value: c?.totalQuantity, required: true, min: 1, max: 100_000_000 },
    { name: 'startsAt', label: t('adminCoupon.startsAt'), kind: 'time', value: c?.startsAt, required: true },
    { name: 'endsAt', label: t('adminCoupon.endsAt'), kind: 'time', value: c?.endsAt, required: true },
  ], t(c ? 'admin.save' : 'admin.create'), async values => {
    await (c ? put(`${path}/${c.id}`, values, c.version) : post(path, values));
    notice(t(c ? 'admin.saved' : 'admin.created', { name: values.name }), true);
    await report(read());
  });

  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' },
    title(t('admin.coupons'), element('button', { id: 'new', type: 'button', onclick: () => edit() }, t('adminCoupon.new'))), all.node));
  await read();
}
