import { signIn, signOut, user } from './api.js';
import { finishPayment } from './actions.js';
import { find, notice } from './dom.js';
import { onChange, readAll, readCoupons, readEvents } from './shop.js';
import { listen } from './stream.js';
import { show, tick } from './view.js';

const every = 5000;
const farewell = 'farewell';
const states = { live: 'Live', connecting: 'Connecting …', lost: 'Connection lost, trying again …', off: 'Sign in to go live' };

let trouble;

/** Says once that the shop cannot be read, and once that it can be again. */
async function report(reading) {
  try {
    await reading;
    if (!trouble) return;
    trouble.remove();
    trouble = undefined;
    notice('The shop answers again.', true);
  } catch (error) {
    if (error.status !== 401) trouble ??= notice(error.message);
  }
}

function welcome() {
  const name = user();
  find('sign-in').hidden = !!name;
  find('signed-in').hidden = !name;
  find('user').textContent = name ?? '';
  state('off');
  if (name) listen(hear, state);
}

function state(state) {
  find('stream').dataset.state = state;
  find('stream').textContent = states[state];
  // What happened while nobody listened is read.
  if (state === 'live') hear('READY');
}

/** What a message says may be over already, when it was missed: so it is read and not believed. */
function hear(type) {
  report(type === 'READY' ? Promise.all([readEvents(), readCoupons()]) : readEvents());
}

/** Begins anew, so that nothing of the user stays: neither what is shown and filled in, nor what is under way. */
function leave(address, text) {
  signOut();
  sessionStorage.setItem(farewell, text);
  location.replace(address);
}

find('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  try {
    await signIn(find('name').value.trim());
  } catch (error) {
    return notice(error.message);
  }
  find('notices').replaceChildren();
  welcome();
  find('main').focus();
  await Promise.all([finishPayment(), report(readAll())]);
});
find('sign-out').addEventListener('click', () => leave('/', 'You are signed out.'));
// A payment on its way stays in the address: it goes on after the next sign-in.
addEventListener('expired', () => leave(`/${location.search}`, 'Your sign-in has ended. Please sign in again.'));
// A page that the browser has kept may be of somebody who has signed out since.
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden) report(readAll()); });

onChange(show);
setInterval(tick, 250);
setInterval(() => { if (!document.hidden) report(readAll()); }, every);
welcome();
if (sessionStorage.getItem(farewell)) {
  notice(sessionStorage.getItem(farewell));
  sessionStorage.removeItem(farewell);
  find('name').focus();
}
report(readAll());
if (user()) finishPayment();
