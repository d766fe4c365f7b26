// The server's clock, which decides when something opens: a browser's own may be wrong by minutes.

// How far the server's clock is ahead, in ms: between these two.
let least;
let most;

/** Learns from the Date of an answer to what was sent at this time of our clock. */
export function observe(sent, date) {
  const stamp = Date.parse(date ?? '');
  if (!stamp) return;
  // The header has whole seconds and is renewed once a second, so the answer was made up to two seconds after it.
  const from = stamp - Date.now();
  const to = stamp + 2000 - sent;
  // Every answer can only narrow what is known, so a countdown does not jump; one that contradicts it means that a clock was set.
  const fits = !(from > most || to < least);
  least = fits ? Math.max(from, least ?? from) : from;
  most = fits ? Math.min(to, most ?? to) : to;
}

export const serverNow = () => Date.now() + (least === undefined ? 0 : (least + most) / 2);

/** What is left until a time, in words for a countdown; nothing when it has come. */
export function left(until) {
  const seconds = Math.ceil((Date.parse(until) - serverNow()) / 1000);
  if (seconds <= 0) return '';
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)} d ${Math.floor(seconds % 86_400 / 3600)} h`;
  const [hours, ...rest] = [seconds / 3600, seconds % 3600 / 60, seconds % 60].map(n => String(Math.floor(n)).padStart(2, '0'));
  return hours === '00' ? rest.join(':') : [hours, ...rest].join(':');
}
