// The order form of one product: total, address, and errors by field.

import { insist, isUndecided, newKey, user } from './api.js';
import { pay, signedIn, thank } from './actions.js';
import { discountOn, offOf, termsOf, validityOf } from './coupons.js';
import { element, find, money } from './dom.js';
import { limitOf, readMine, readProducts, shop } from './shop.js';
import { isServers, t } from './texts.js';
import { passesFor } from './waiting.js';

const dialog = find('checkout');
const form = find('order');
const fields = ['quantity', 'coupon', 'recipient', 'phone', 'zipcode', 'address1', 'address2'].map(name => form.elements[name]);

let product;
let key;
let asked;

export function checkout(chosen) {
  if (!signedIn()) return;
  product = chosen;
  asked = undefined;
  find('checkout-product').textContent = t('checkout.each', { name: product.name, price: money(product.price) });
  form.quantity.max = Math.min(100, product.available, limitOf(product));
  form.quantity.value = 1;
  form.recipient.value ||= user();
  // A coupon of another order cannot be used.
  form.coupon.replaceChildren(element('option', { value: '' }, t('none')),
    ...shop.own.filter(c => !c.orderId).map(c => element('option', { value: c.couponId })));
  tell({});
  add();
  dialog.showModal();
}

/** Returns the text of a choice. A coupon that this order cannot use says why. */
function labelOf(coupon, isDisabled) {
  const [name, off, validity] = [coupon.name, offOf(coupon), validityOf(coupon)];
  return isDisabled
    ? t('checkout.couponNot', { name, off, reason: validity === 'READY' ? termsOf(coupon) : t(`coupon.${validity}`) })
    : t('checkout.couponOff', { name, off });
}

/** Shows the amount due. */
function add() {
  const sum = product.price * (form.quantity.validity.valid ? form.quantity.valueAsNumber : 1);
  const couponOf = option => shop.own.find(c => String(c.couponId) === option.value);
  const discountOf = option => {
    const coupon = couponOf(option);
    return coupon ? discountOn(coupon, product, sum) : 0;
  };
  for (const option of form.coupon.options) {
    if (!option.value) continue;
    option.disabled = !discountOf(option);
    const coupon = couponOf(option);
    if (coupon) option.textContent = labelOf(coupon, option.disabled);
  }
  if (form.coupon.selectedOptions[0]?.disabled) form.coupon.value = '';
  const discount = discountOf(form.coupon.selectedOptions[0]);
  find('discount').textContent = discount ? `−${money(discount)}` : money(0);
  find('total').textContent = money(sum - discount);
}

function mistakes() {
  const wrong = {};
  for (const field of fields) {
    const label = field.labels[0].textContent;
    if (field.value.trim() === '' && field.required) wrong[field.name] = t('wrong.missing', { label });
    else if (!field.validity.valid) {
      wrong[field.name] = field.name === 'quantity' ? t('wrong.range', { label, min: 1, max: field.max }) : t('wrong.rule', { label, rule: t(field.dataset.rule) });
    }
  }
  return wrong;
}

/** Shows errors next to their fields, and errors without a field. Moves the focus to the first one. */
function tell(wrong, otherwise = '') {
  for (const field of fields) {
    const text = wrong[field.name];
    find(`${field.id}-wrong`).textContent = text ?? '';
    field.toggleAttribute('aria-invalid', false);
    if (text) field.setAttribute('aria-invalid', 'true');
  }
  find('checkout-wrong').textContent = otherwise;
  fields.find(field => wrong[field.name])?.focus();
}

/** Returns the server's errors by the names of the form's fields. */
function translate(error) {
  const label = name => form.elements[name]?.labels[0].textContent;
  if (error.slug === 'out-of-stock') return { quantity: t('wrong.stock', { label: label('quantity') }) };
  if (error.slug === 'customer-limit') return { quantity: t('wrong.refused', { label: label('quantity'), reason: error.message }) };
  if (error.slug === 'coupon-not-usable') return { coupon: t('wrong.coupon', { label: label('coupon') }) };
  if (error.slug?.startsWith('coupon-')) return { coupon: t('wrong.refused', { label: label('coupon'), reason: error.message }) };
  return Object.fromEntries(Object.entries(error.errors ?? {}).map(([path, texts]) => {
    const name = path === 'items' ? 'quantity' : path.replace('shipping.', '');
    return [name, t('wrong.refused', { label: label(name), reason: isServers ? texts.join(' ') : '' })];
  }));
}

async function place() {
  const wrong = mistakes();
  tell(wrong);
  if (Object.keys(wrong).length) return;
  const value = Object.fromEntries(fields.map(field => [field.name, field.value.trim()]));
  const order = {
    items: [{ productId: product.id, quantity: Number(value.quantity) }],
    shipping: { recipient: value.recipient, phone: value.phone, zipcode: value.zipcode, address1: value.address1, address2: value.address2 || null },
    couponId: value.coupon ? Number(value.coupon) : null,
  };
  // Repeated submissions of the same form create one order.
  if (asked !== JSON.stringify(order)) key = newKey();
  asked = JSON.stringify(order);
  find('place').disabled = true;
  try {
    const placed = await insist('/api/orders', order, key, passesFor(product));
    // If the dialog was closed meanwhile, the order appears in the list.
    if (!dialog.open) return await readMine();
    dialog.close();
    // An order of 0 won is paid by its coupon.
    await (placed.status === 'PAID' ? thank() : pay(placed));
  } catch (error) {
    // A refusal is final for its key. A request with an unknown outcome is repeated with the same key.
    if (!isUndecided(error)) asked = undefined;
    const named = translate(error);
    const known = Object.keys(named).some(name => form.elements[name]);
    tell(named, known ? '' : error.slug === 'waiting-room-pass-required' ? t('line.passOver') : error.message);
    if (error.slug === 'out-of-stock') await readProducts();
  } finally {
    find('place').disabled = false;
  }
}

form.addEventListener('submit', event => {
  event.preventDefault();
  place();
});
form.addEventListener('input', event => {
  find(`${event.target.id}-wrong`).textContent = '';
  event.target.removeAttribute('aria-invalid');
  add();
});
find('back').addEventListener('click', () => dialog.close());
