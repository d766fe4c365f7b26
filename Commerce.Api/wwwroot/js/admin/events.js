import { getPage, post, put } from '../api.js';
import { element, notice, time } from '../dom.js';
import { number, t } from '../texts.js';
import { ask } from './form.js';
import { action, list, report, row, sure, title } from './list.js';

const path = '/api/admin/events';

export async function events(root) {
  const all = list('event-list', t('events.none'), e => row(`event-${e.id}`, e.name, detailOf(e), [e.status, t(`event.${e.status}`)],
    ['DRAFT', 'PENDING'].includes(e.status) ? action(`edit-${e.id}`, t('admin.edit'), e.name, () => edit(e)) : null,
    e.status === 'PENDING' ? action(`open-${e.id}`, t('event.openNow'), e.name, () => sure(
      t('event.openAsk'), e.name, t('event.openNow'), () => post(`${path}/${e.id}/open`), t('event.opened', { name: e.name }), read)) : null,
    ['DRAFT', 'PENDING', 'OPEN'].includes(e.status) ? action(`cancel-${e.id}`, t('admin.cancel'), e.name, () => sure(
      t('event.cancelAsk'), e.name, t('event.cancelYes'), () => post(`${path}/${e.id}/cancel`), t('admin.cancelledNow', { name: e.name }), read)) : null));
  const read = () => all.read(path);

  async function edit(e) {
    const found = await report(Promise.all([getPage('/api/admin/coupons'), getPage('/api/admin/products')]));
    if (!found) return;
    const [coupons, products] = found.map(page => page.items.map(item => [item.id, item.name]));
    ask(t(e ? 'event.edit' : 'event.new'), [
      { name: 'name', label: t('event.name'), kind: 'text', value: e?.name, required: true, maxlength: 200 },
      { name: 'opensAt', label: t('event.opensAt'), kind: 'time', value: e?.opensAt },
      { name: 'closesAt', label: t('event.closesAt'), kind: 'time', value: e?.closesAt },
      { name: 'couponIds', label: t('event.coupons'), kind: 'many', value: e?.couponIds, options: coupons },
      { name: 'productIds', label: t('event.products'), kind: 'many', value: e?.productIds, options: products },
      { name: 'maxPerCustomer', label: t('event.maxPerCustomer'), kind: 'number', value: e?.maxPerCustomer, min: 1, max: 10_000 },
      { name: 'waitingRoomRate', label: t('event.waitingRoomRate'), kind: 'number', value: e?.waitingRoomRate, min: 1, max: 10_000 },
    ], t(e ? 'admin.save' : 'admin.create'), async values => {
      await (e ? put(`${path}/${e.id}`, values, e.version) : post(path, values));
      notice(t(e ? 'admin.saved' : 'admin.created', { name: values.name }), true);
    }, read);
  }

  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' },
    title(t('events'), element('button', { id: 'new', type: 'button', onclick: () => edit() }, t('event.new'))), all.node));
  await read();
}

function detailOf(e) {
  const content = t('event.content', { coupons: number(e.couponIds.length), products: number(e.productIds.length) });
  const times = [e.opensAt && t('sale.opens', { time: time(e.opensAt) }), e.closesAt && t('sale.until', { time: time(e.closesAt) })];
  return [...times, content].filter(Boolean).join(' · ');
}
