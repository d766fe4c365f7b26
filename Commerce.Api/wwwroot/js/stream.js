// The live stream of events. Uses fetch, because EventSource can neither send a token nor distinguish a refusal from a lost connection.

import { pause, request } from './api.js';

const longest = 30_000;
// The server sends a heartbeat every 15 s.
const silence = 45_000;

/**
 * Calls onMessage with the type and the data of each message, and onState with 'live', 'connecting' or 'lost', as long as the page and the sign-in last and the
 * signal is not aborted. Throws if there is nothing to hear, or not for this user.
 */
export async function listen(onMessage, onState, path = '/api/events/stream', signal = undefined) {
  // The server gives each client a different delay, so that they do not reconnect at once.
  let retry = 2000;
  let last;
  let failures = 0;
  onState('connecting');
  while (!signal?.aborted) {
    let wait;
    const connection = new AbortController();
    const leave = () => connection.abort();
    signal?.addEventListener('abort', leave);
    try {
      const headers = { Accept: 'text/event-stream', ...last && { 'Last-Event-ID': last } };
      const { body } = await request(path, { headers, signal: connection.signal });
      failures = 0;
      onState('live');
      await read(body, connection, line => {
        retry = line.retry ?? retry;
        if (line.data === undefined) return;
        last = line.id ?? last;
        onMessage(line.event, line.data);
      });
    } catch (error) {
      // The page asks the user to sign in.
      if (error.status === 401 || signal?.aborted) return;
      if (error.slug && [400, 403, 404].includes(error.status)) throw error;
      wait = error.retryAfter && error.retryAfter * 1000;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
    if (signal?.aborted) return;
    onState('lost');
    await pause(Math.min(longest, (wait ?? retry) * 2 ** failures++) * (1 + Math.random() / 2));
  }
}

/** Yields messages until the stream ends or is silent for too long. */
async function read(body, connection, onFrame) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let frame = {};
  for (;;) {
    const timer = setTimeout(() => connection.abort(), silence);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const lines = (text + value).split('\n');
    text = lines.pop();
    for (const line of lines) {
      const [, field, content] = line.match(/^(\w+): ?(.*)$/s) ?? [];
      if (field) frame[field] = field === 'retry' ? Number(content) : content;
      if (line !== '') continue;
      onFrame(frame);
      frame = {};
    }
  }
}
