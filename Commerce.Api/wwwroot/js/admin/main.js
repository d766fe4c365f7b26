// The operator's page, with sign-in and one view at a time.

import { get, signInAs, signOut, user } from '../api.js';
import { tick } from '../countdown.js';
import { element, find, notice } from '../dom.js';
import { goToSignIn, signOutUrl } from '../provider.js';
import { t } from '../texts.js';
import { coupons } from './coupons.js';
import { events } from './events.js';
import { health } from './health.js';
import { report } from './list.js';
import { live } from './live.js';
import { messages } from './messages.js';
import { orders } from './orders.js';
import { products } from './products.js';
import { trail } from './trail.js';

const sections = {
  live: [live, 'live'], events: [events, 'events'], coupons: [coupons, 'admin.coupons'], products: [products, 'admin.products'],
  orders: [orders, 'admin.orders'], messages: [messages, 'admin.messages'], health: [health, 'admin.health'], trail: [trail, 'admin.trail'],
};
const farewell = 'farewell';

let shop;
let left = new AbortController();

/** Shows the view of the address. */
async function go() {
  left.abort();
  left = new AbortController();
  const name = user();
  find('sign-in').hidden = !!name;
  find('signed-in').hidden = !name;
  find('sections').hidden = !name;
  find('user').textContent = name ?? '';
  const main = find('main');
  if (!name) return main.replaceChildren(element('p', { class: 'prompt' }, t('admin.signIn')));
  const [asked, ...rest] = location.hash.slice(1).split('/');
  const section = sections[asked] ? asked : 'live';
  find('sections').replaceChildren(...Object.entries(sections).map(([key, [, text]]) =>
    element('a', { href: `#${key}`, 'aria-current': key === section ? 'page' : undefined }, t(text))));
  find('sections').querySelector('[aria-current]').scrollIntoView({ block: 'nearest', inline: 'nearest' });
  await report(sections[section][0](main, rest, left.signal));
}

async function configure() {
  shop ??= await get('/api/configuration');
  for (const part of [find('name'), find('name-label')]) part.hidden = !shop.signInByName;
  find('name').disabled = !shop.signInByName;
  return shop;
}

async function signIn() {
  const { signIn: provider, signInByName } = await configure();
  if (provider) return goToSignIn(provider);
  if (!signInByName) throw new Error(t('signIn.unavailable'));
  await signInAs(find('name').value.trim(), 'ADMIN');
  find('notices').replaceChildren();
  await go();
  find('main').focus();
}

/** Reloads the page, so that no data of the user stays. */
function leave(address, text) {
  signOut();
  sessionStorage.setItem(farewell, text);
  location.replace(address);
  // The browser does not reload if only the fragment of the address differs.
  if (address.startsWith('/admin')) location.reload();
}

find('sign-in').addEventListener('submit', event => {
  event.preventDefault();
  report(signIn());
});
find('sign-out').addEventListener('click', () => leave(shop?.signIn ? signOutUrl(shop.signIn) : '/admin', t('signedOut')));
addEventListener('expired', () => leave(`/admin${location.hash}`, t('signIn.ended')));
addEventListener('pageshow', event => { if (event.persisted) location.reload(); });
addEventListener('hashchange', async () => {
  await go();
  find('view-title')?.focus();
});

setInterval(tick, 250);
if (sessionStorage.getItem(farewell)) {
  notice(sessionStorage.getItem(farewell));
  sessionStorage.removeItem(farewell);
}
report(configure());
go();
