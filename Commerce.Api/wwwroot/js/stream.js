// The live stream of events. EventSource cannot send a token, so each connection begins with a ticket, and reconnecting is done here.

import { post, user } from './api.js';

const longest = 15_000;

/** Calls onEvent for each message, once for each id, and onState with 'live', 'connecting', 'lost' or 'off'. Returns what ends it. */
export function listen(onEvent, onState) {
  let source;
  let timer;
  let attempt = 0;
  let ended = false;
  let last = sessionStorage.getItem('last-event');

  async function connect() {
    if (ended || !user()) return onState('off');
    onState(attempt === 0 ? 'connecting' : 'lost');
    let ticket;
    try {
      ({ ticket } = await post('/api/events/ticket'));
    } catch {
      return again();
    }
    if (ended) return;
    const query = new URLSearchParams({ ticket });
    if (last) query.set('lastEventId', last);
    source = new EventSource(`/api/events/stream?${query}`);
    source.onopen = () => {
      attempt = 0;
      onState('live');
    };
    source.onerror = again;
    for (const name of ['EVENT_OPEN', 'EVENT_CLOSED']) source.addEventListener(name, receive);
  }

  function receive(message) {
    if (message.lastEventId) {
      last = message.lastEventId;
      sessionStorage.setItem('last-event', last);
    }
    onEvent(message.type, JSON.parse(message.data));
  }

  // The ticket was for one connection: the browser's own reconnecting would be refused.
  function again() {
    source?.close();
    if (ended) return;
    onState('lost');
    const wait = Math.min(longest, 500 * 2 ** attempt++);
    timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
  }

  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
    onState('off');
  };
}
