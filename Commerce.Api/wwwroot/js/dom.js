// Builds elements from text, never from markup, so that no text of a server or a user becomes a tag.

import { language, locale, t } from './texts.js';

export const find = id => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'onclick') made.onclick = value;
    else if (typeof value === 'boolean') made.toggleAttribute(name, value);
    else if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

/** A button whose accessible name includes its subject. */
export const button = (id, text, about, onclick, look) =>
  element('button', { id, type: 'button', class: look, onclick }, text, element('span', { class: 'unseen' }, ` ${about}`));

/** Shows these elements in a list. Existing elements with an id are kept, so that clicks, focus and the position of a screen reader are not lost. */
export function fill(list, items, empty) {
  const focused = list.contains(document.activeElement) ? document.activeElement : undefined;
  const home = focused?.closest('li[id]');
  arrange(list, items.length || !empty ? items : [element('li', { class: 'empty' }, empty)]);
  if (!focused || focused === document.activeElement) return;
  // The focused element has moved or disappeared, so its item gets the focus.
  const next = focused.isConnected ? focused : home;
  if (next === home) home?.setAttribute('tabindex', '-1');
  next?.focus({ preventScroll: true });
}

function arrange(parent, fresh) {
  const ids = new Set(fresh.map(node => node.id).filter(Boolean));
  for (const child of [...parent.children]) if (child.id && !ids.has(child.id)) child.remove();
  const known = new Map([...parent.children].filter(child => child.id).map(child => [child.id, child]));
  let place = parent.firstChild;
  for (const node of fresh) {
    const same = node.id ? known.get(node.id) : place && !place.id && place.nodeName === node.nodeName ? place : undefined;
    if (same) become(same, node);
    if (same && same === place) place = place.nextSibling;
    else parent.insertBefore(same ?? node, place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function become(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== 'tabindex') old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.onclick = fresh.onclick;
  arrange(old, [...fresh.childNodes]);
}

const won = new Intl.NumberFormat(`${language}-KR`, { style: 'currency', currency: 'KRW' });
export const money = amount => won.format(amount);

const clock = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
export const time = text => clock.format(new Date(text));

const mostNotices = 3;

/** Shows and announces a notice below earlier ones. Notices of success disappear after a while. */
export function notice(text, good = false) {
  const all = find('notices');
  const said = element('p', { class: good ? 'good' : 'bad' }, element('span', {}, text), element('button', {
    type: 'button', class: 'quiet', 'aria-label': t('dismiss'), onclick: () => {
      said.remove();
      find('main').focus({ preventScroll: true });
    },
  }, '×'));
  for (const before of [...all.children]) if (before.firstChild.textContent === text) before.remove();
  all.append(said);
  if (all.children.length > mostNotices) all.firstChild.remove();
  if (good) setTimeout(() => said.remove(), 10_000);
  return said;
}

/** Asks for confirmation before an irreversible action. */
export function confirm(title, text, action) {
  const dialog = find('confirm');
  find('confirm-title').textContent = title;
  find('confirm-text').textContent = text;
  find('confirm-yes').textContent = action;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}
