// The discount of a coupon, and its terms.

import { serverNow } from './clock.js';
import { money, time } from './dom.js';
import { shop } from './shop.js';
import { number, t } from './texts.js';

/** Returns the discount as text. */
export const offOf = c => c.percent
  ? t('coupon.percentOff', { percent: number(c.percent), amount: money(c.discount) })
  : t('coupon.off', { amount: money(c.discount) });

/** Returns the terms as text, or an empty text if there are none. */
export function termsOf(c) {
  const names = [...shop.products.filter(p => c.productIds?.includes(p.id)), ...(shop.events ?? []).filter(e => c.eventIds?.includes(e.id))].map(item => item.name);
  return [
    c.minOrderAmount && t('coupon.minimum', { amount: money(c.minOrderAmount) }),
    isRestricted(c) && (names.length ? t('coupon.for', { names: names.join(', ') }) : t('coupon.forSome')),
    c.validFrom && t('coupon.validFrom', { time: time(c.validFrom) }),
    c.validUntil && t('coupon.validUntil', { time: time(c.validUntil) }),
  ].filter(Boolean).join(' · ');
}

/** Returns whether the current time is before, within or after the validity. */
export function validityOf(c) {
  if (c.validFrom && serverNow() < Date.parse(c.validFrom)) return 'LATER';
  return c.validUntil && serverNow() >= Date.parse(c.validUntil) ? 'EXPIRED' : 'READY';
}

/** Returns the discount on units of a product with this price, or 0 if the coupon cannot be used for them. */
export function discountOn(c, product, sum) {
  if (validityOf(c) !== 'READY' || !appliesTo(c, product) || sum < (c.minOrderAmount ?? 0)) return 0;
  return Math.min(sum, c.discount, c.percent ? Math.floor(sum * c.percent / 100) : Infinity);
}

const isRestricted = c => !!(c.productIds || c.eventIds);

const appliesTo = (c, product) => !isRestricted(c) || !!c.productIds?.includes(product.id)
  || (shop.events ?? []).some(e => c.eventIds?.includes(e.id) && e.productIds.includes(product.id));
