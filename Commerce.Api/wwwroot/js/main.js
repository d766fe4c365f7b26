import { get, remember, signInAs, signOut, user } from './api.js';
import { askForSignIn, finishPayment } from './actions.js';
import { find, notice } from './dom.js';
import { finishSignIn, goToSignIn, isBack, signOutUrl } from './provider.js';
import { onChange, readAll, readCoupons, readEvents } from './shop.js';
import { listen } from './stream.js';
import { show, tick } from './view.js';

const every = 5000;
const farewell = 'farewell';
const states = { live: 'Live', connecting: 'Connecting …', lost: 'Connection lost, trying again …', off: 'Sign in to go live' };

let trouble;
let shop;

/** Says once that the shop cannot be read, and once that it can be again. */
async function report(reading) {
  try {
    await reading;
    if (!trouble) return;
    trouble.remove();
    trouble = undefined;
    notice('The connection is back.', true);
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

/** What this shop is: where one signs in, and whether it is one at all. Asked for once, and again when it is needed and there was no answer. */
async function configure() {
  shop ??= await get('/api/configuration');
  find('sandbox').hidden = !shop.sandbox;
  // With a provider there is nothing to fill in here.
  for (const part of [find('name'), find('name-label')]) part.hidden = !shop.signInByName;
  find('name').disabled = !shop.signInByName;
  return shop;
}

async function signIn() {
  const { signIn: provider, signInByName } = await configure();
  if (provider) return goToSignIn(provider);
  if (!signInByName) throw new Error('Sign-in is not available: the shop has no sign-in provider.');
  await signInAs(find('name').value.trim());
  await arrive();
}

/** Somebody has just signed in. */
async function arrive() {
  find('notices').replaceChildren();
  welcome();
  find('main').focus();
  await Promise.all([finishPayment(), report(readAll())]);
}

find('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  await signIn().catch(error => notice(error.message));
});
find('sign-out').addEventListener('click', () => leave(signOutUrl(shop?.signIn), 'You are signed out.'));
// A payment on its way stays in the address: it goes on after the next sign-in.
addEventListener('expired', () => leave(`/${location.search}`, 'Your sign-in has ended. Please sign in again.'));
// A page that the browser has kept may be of somebody who has signed out since.
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden) report(readAll()); });

onChange(show);
const known = configure();
setInterval(tick, 250);
setInterval(() => { if (!document.hidden) report(readAll()); }, every);
welcome();
if (sessionStorage.getItem(farewell)) {
  notice(sessionStorage.getItem(farewell));
  sessionStorage.removeItem(farewell);
  known.catch(() => {}).then(askForSignIn);
}
report(readAll());
if (isBack()) {
  known.then(({ signIn: provider }) => finishSignIn(provider)).then(({ name, token }) => {
    remember(name, token);
    return arrive();
  }).catch(error => notice(error.message));
} else {
  known.catch(error => notice(error.message));
  if (user()) finishPayment();
}
