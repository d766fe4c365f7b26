// The server's clock, which decides when events open. A browser's clock may be wrong by minutes.

import { t } from './texts.js';

// The bounds of the server's clock offset in ms.
let least;
let most;

/** Narrows the bounds by the Date header of a response to a request sent at this local time. */
export function observe(sent, date) {
  const stamp = Date.parse(date ?? '');
  if (!stamp) return;
  // The header has whole seconds and is updated once a second, so the response is up to two seconds younger.
  const from = stamp - Date.now();
  const to = stamp + 2000 - sent;
  // Responses only narrow the bounds, so that a countdown does not jump. A contradiction means that a clock was set.
  const fits = !(from > most || to < least);
  least = fits ? Math.max(from, least ?? from) : from;
  most = fits ? Math.min(to, most ?? to) : to;
}

export const serverNow = () => Date.now() + (least === undefined ? 0 : (least + most) / 2);

/** Returns the remaining time as text for a countdown, or an empty text if the time has passed. */
export function left(until) {
  const seconds = Math.ceil((Date.parse(until) - serverNow()) / 1000);
  if (seconds <= 0) return '';
  if (seconds >= 86_400) return t('days', { days: Math.floor(seconds / 86_400), hours: Math.floor(seconds % 86_400 / 3600) });
  const [hours, ...rest] = [seconds / 3600, seconds % 3600 / 60, seconds % 60].map(n => String(Math.floor(n)).padStart(2, '0'));
  return hours === '00' ? rest.join(':') : [hours, ...rest].join(':');
}
