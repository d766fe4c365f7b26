// The user's places in the waiting rooms of events. The server says when to poll, and keeps place and pass even if the page is reloaded.

import { get, insist, user } from './api.js';
import { signedIn } from './actions.js';
import { serverNow } from './clock.js';
import { notice } from './dom.js';
import { redraw, shop } from './shop.js';
import { t } from './texts.js';

const again = 5;
const places = new Map();
const timers = new Map();
const seen = new Map();

const pathOf = event => `/api/events/${event.id}/waiting-room`;

export const hasRoom = event => !!event.waitingRoomRate && ['PENDING', 'OPEN'].includes(event.status);

export const placeIn = event => places.get(event.id);

/** The events through whose waiting rooms a product is sold. */
export const roomsOf = product => (shop.events ?? []).filter(e => hasRoom(e) && e.productIds.includes(product.id));

/** The user's passes for a product; undefined if there is none. */
export const passesFor = product => roomsOf(product).map(e => placeIn(e)?.pass).filter(Boolean).join(',') || undefined;

/** Whether the user can order a product now. */
export const mayOrder = product => !roomsOf(product).length || !!passesFor(product);

export const join = event => signedIn() && attempt(event, async () => take(event, await insist(pathOf(event))));

export const leave = event => attempt(event, async () => {
  forget(event);
  await insist(`${pathOf(event)}/leave`);
});

/** Loads the user's places, and polls soon after an event has opened. */
export function resume() {
  if (!user()) return;
  for (const event of shop.events ?? []) {
    if (!hasRoom(event) || seen.get(event.id) === event.status) continue;
    // The polls are spread, so that the crowd does not send them at once. Every replica knows an opening a second later.
    if (!seen.has(event.id)) ask(event);
    else if (placeIn(event)) askLater(event, 1 + 3 * Math.random());
    seen.set(event.id, event.status);
  }
}

async function attempt(event, work) {
  try {
    await work();
  } catch (error) {
    notice(error.message);
  }
  redraw();
}

function take(event, place) {
  const before = placeIn(event);
  places.set(event.id, place);
  const admitted = place.status === 'ADMITTED';
  if (admitted && before?.pass !== place.pass) notice(t('line.yourTurn', { name: event.name }), true);
  askLater(event, admitted ? Math.max(1, (Date.parse(place.passExpiresAt) - serverNow()) / 1000 + 1) : place.retryAfter);
  redraw();
}

function forget(event) {
  places.delete(event.id);
  clearTimeout(timers.get(event.id));
  redraw();
}

function askLater(event, seconds) {
  clearTimeout(timers.get(event.id));
  timers.set(event.id, setTimeout(() => ask(event), seconds * 1000));
}

async function ask(event) {
  const before = placeIn(event);
  try {
    take(event, await get(pathOf(event)));
  } catch (error) {
    if (error.status !== 404) return askLater(event, error.retryAfter ?? again);
    forget(event);
    if (error.slug !== 'waiting-room-place-not-found' || !before) return;
    if (before.pass) return notice(t('line.timeOver', { name: event.name }));
    await attempt(event, async () => {
      const place = await insist(pathOf(event));
      notice(t(place.epoch === before.epoch ? 'line.away' : 'line.lost', { name: event.name }));
      take(event, place);
    });
  }
}
