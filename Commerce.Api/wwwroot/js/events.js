// Events with a live countdown. The stream opens them; where it is lost, the list is asked when the time has come.

import { get, serverNow } from './api.js';
import { element, fill, find, time } from './dom.js';

let events = [];
const asked = new Map();

export async function showEvents(justOpened) {
  events = await get('/api/events');
  draw(justOpened);
}

/** Marks an event as the stream tells. */
export function mark(id, status) {
  const event = events.find(e => e.id === id);
  if (!event) return false;
  event.status = status;
  draw(status === 'OPEN' ? id : undefined);
  return true;
}

function draw(justOpened) {
  fill(find('events'), events.filter(e => e.status !== 'DRAFT').map(e => element('li', { id: `event-${e.id}`, class: e.id === justOpened ? 'just-opened' : undefined },
    element('h3', {}, e.name),
    element('p', { class: 'pill', 'data-state': e.status }, label(e)),
    e.status === 'PENDING' ? element('p', { class: 'countdown', role: 'timer', 'data-opens': e.opensAt }, '') : null,
    element('p', { class: 'soft' }, e.status === 'PENDING' ? `opens ${time(e.opensAt)}` : e.closesAt ? `until ${time(e.closesAt)}` : ''))), 'No events at this time.');
  tick();
}

const label = e => ({ PENDING: 'Opens soon', OPEN: 'Open now', CLOSED: 'Over', CANCELLED: 'Cancelled' })[e.status] ?? e.status;

function tick() {
  const now = serverNow();
  for (const timer of document.querySelectorAll('[data-opens]')) {
    const left = Math.max(0, Math.ceil((Date.parse(timer.dataset.opens) - now) / 1000));
    const text = left >= 86_400 ? `${Math.floor(left / 86_400)} d ${Math.floor(left % 86_400 / 3600)} h` : [left / 3600, left % 3600 / 60, left % 60].map(n => String(Math.floor(n)).padStart(2, '0')).join(':');
    if (timer.textContent !== text) timer.textContent = text;
  }
  // A stream that is down must not keep an event closed: two seconds after its time, and then ever more seldom, the list is asked.
  for (const e of events) {
    if (e.status !== 'PENDING' || now < Date.parse(e.opensAt) + 2000 || now < (asked.get(e.id) ?? 0)) continue;
    asked.set(e.id, now + 5000);
    showEvents(e.id).catch(() => {});
  }
}

setInterval(tick, 250);
