import { getPage, post, put } from '../api.js';
import { element, money, notice, time } from '../dom.js';
import { locale, number, t, textOr } from '../texts.js';
import { detail } from './detail.js';
import { ask } from './form.js';
import { action, list, report, row, title } from './list.js';

const path = '/api/admin/products';

export async function products(root) {
  const all = list('product-list', t('adminProducts.none'), p => row(`product-${p.id}`, p.name,
    [money(p.price), t('adminProduct.inStock', { count: number(p.stock) }), p.maxPerCustomer && t('product.limit', { count: number(p.maxPerCustomer) })].filter(Boolean).join(' · '),
    [String(p.onSale), t(p.onSale ? 'adminProduct.onSale' : 'adminProduct.offSale')],
    action(`edit-${p.id}`, t('admin.edit'), p.name, () => edit(p)),
    action(`adjust-${p.id}`, t('adminProduct.adjust'), p.name, () => adjust(p)),
    action(`history-${p.id}`, t('adminProduct.history'), p.name, () => report(history(p)))));
  const read = () => all.read(path);

  const edit = p => ask(t(p ? 'adminProduct.edit' : 'adminProduct.new'), [
    { name: 'name', label: t('adminProduct.name'), kind: 'text', value: p?.name, required: true, maxlength: 200 },
    { name: 'price', label: t('adminProduct.price'), kind: 'number', value: p?.price, required: true, min: 1, max: 1_000_000_000 },
    ...p ? [] : [{ name: 'stock', label: t('adminProduct.stock'), kind: 'number', value: 0, required: true, min: 0, max: 10_000_000 }],
    { name: 'maxPerCustomer', label: t('adminProduct.maxPerCustomer'), kind: 'number', value: p?.maxPerCustomer, min: 1, max: 10_000 },
    { name: 'onSale', label: t('adminProduct.onSale'), kind: 'check', value: p?.onSale ?? true },
  ], t(p ? 'admin.save' : 'admin.create'), async values => {
    await (p ? put(`${path}/${p.id}`, values, p.version) : post(path, values));
    notice(t(p ? 'admin.saved' : 'admin.created', { name: values.name }), true);
  }, read);

  const adjust = p => ask(t('adminProduct.adjust'), [
    { name: 'delta', label: t('adminProduct.delta'), kind: 'number', required: true, min: -1_000_000, max: 1_000_000 },
    { name: 'reason', label: t('adminProduct.reason'), kind: 'text', required: true, maxlength: 100 },
  ], t('admin.save'), async values => {
    const { stock } = await post(`${path}/${p.id}/stock`, values);
    notice(t('adminProduct.adjusted', { name: p.name, count: number(stock) }), true);
  }, read);

  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' },
    title(t('admin.products'), element('button', { id: 'new', type: 'button', onclick: () => edit() }, t('adminProduct.new'))), all.node));
  await read();
}

async function history(p) {
  const { items } = await getPage(`${path}/${p.id}/stock`);
  const signed = new Intl.NumberFormat(locale, { signDisplay: 'always' });
  detail(t('adminProduct.historyOf', { name: p.name }), element('ul', { class: 'rows' }, ...items.map(change =>
    row(undefined, signed.format(change.delta), `${time(change.createdAt)} · ${textOr(`stock.${change.reason}`, change.reason)}`))));
}
