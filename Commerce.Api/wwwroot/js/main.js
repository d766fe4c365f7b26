import { signIn, signOut, user } from './api.js';
import { find, notice } from './dom.js';
import { mark, showEvents } from './events.js';
import { finishPayment, showCoupons, showMine, showProducts } from './shop.js';
import { listen } from './stream.js';

const states = { live: 'Live', connecting: 'Connecting …', lost: 'Connection lost, trying again …', off: 'Not connected' };
let hangUp = () => {};

async function showAll() {
  const name = user();
  find('sign-in').hidden = !!name;
  find('signed-in').hidden = !name;
  find('user').textContent = name ?? '';
  const failed = (await Promise.allSettled([showEvents(), showCoupons(), showProducts(), showMine()])).find(r => r.status === 'rejected');
  if (failed?.reason.status === 401) return leave();
  if (failed) notice(failed.reason.message);
}

function connect() {
  hangUp();
  hangUp = listen(onEvent, state => {
    const pill = find('stream');
    pill.dataset.state = state;
    pill.textContent = states[state];
  });
}

function onEvent(type, event) {
  const status = type === 'EVENT_OPEN' ? 'OPEN' : 'CLOSED';
  if (!mark(event.eventId, status)) showEvents(event.eventId).catch(error => notice(error.message));
  if (status === 'OPEN') notice(`${event.name} is open.`, true);
  showCoupons().catch(error => notice(error.message));
}

function leave() {
  signOut();
  hangUp();
  return showAll();
}

find('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  try {
    await signIn(new FormData(event.target).get('user').trim());
    notice('');
    await showAll();
    connect();
  } catch (error) {
    notice(error.message);
  }
});
find('sign-out').addEventListener('click', leave);
// What others buy is seen without a reload; a page in the background does not ask.
setInterval(() => { if (!document.hidden) Promise.allSettled([showCoupons(), showProducts(), showMine()]); }, 5000);

if (user()) {
  connect();
  await finishPayment();
}
await showAll();
