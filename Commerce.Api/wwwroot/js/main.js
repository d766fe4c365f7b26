import { get, remember, signInAs, signOut, user } from './api.js';
import { askForSignIn, finishPayment } from './actions.js';
import { tick } from './countdown.js';
import { find, notice } from './dom.js';
import { finishSignIn, goToSignIn, isBack, signOutUrl } from './provider.js';
import { onChange, readAll, readCoupons, readEvents } from './shop.js';
import { listen } from './stream.js';
import { t } from './texts.js';
import { show } from './view.js';
import { resume } from './waiting.js';

const every = 5000;
const farewell = 'farewell';

let trouble;
let shop;

/** Reports once that the shop is unreachable, and once that it is back. */
async function report(reading) {
  try {
    await reading;
    if (!trouble) return;
    trouble.remove();
    trouble = undefined;
    notice(t('connection.back'), true);
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
  if (name) listen(hear, state).catch(error => notice(error.message));
}

function state(state) {
  find('stream').dataset.state = state;
  find('stream').textContent = t(`stream.${state}`);
  // Reload the changes that happened while the stream was down.
  if (state === 'live') hear('READY');
}

/** Reloads the state, because a late message may be outdated. */
function hear(type) {
  report(type === 'READY' ? Promise.all([readEvents(), readCoupons()]) : readEvents());
}

/** Reloads the page, so that nothing of the user stays: no content, no form input, no running request. */
function leave(address, text) {
  signOut();
  sessionStorage.setItem(farewell, text);
  location.replace(address);
}

/** Returns the configuration of the shop. It is loaded once, and again on demand if there was no response. */
async function configure() {
  shop ??= await get('/api/configuration');
  find('sandbox').hidden = !shop.sandbox;
  // With a provider there is no form.
  for (const part of [find('name'), find('name-label')]) part.hidden = !shop.signInByName;
  find('name').disabled = !shop.signInByName;
  return shop;
}

async function signIn() {
  const { signIn: provider, signInByName } = await configure();
  if (provider) return goToSignIn(provider);
  if (!signInByName) throw new Error(t('signIn.unavailable'));
  await signInAs(find('name').value.trim());
  await arrive();
}

/** Starts the page for a user who has just signed in. */
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
find('sign-out').addEventListener('click', () => leave(signOutUrl(shop?.signIn), t('signedOut')));
// A running payment stays in the address and continues after the next sign-in.
addEventListener('expired', () => leave(`/${location.search}`, t('signIn.ended')));
// A page from the back-forward cache may belong to a user who has signed out.
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden) report(readAll()); });

onChange(() => {
  show();
  resume();
});
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
  known.then(({ signIn: provider }) => finishSignIn(provider)).then(({ name, token, address }) => {
    remember(name, token);
    // A sign-in that began on another page, such as the operator's, ends there.
    return new URL(address, location.origin).pathname === '/' ? arrive() : location.replace(address);
  }).catch(error => notice(error.message));
} else {
  known.catch(error => notice(error.message));
  if (user()) finishPayment();
}
