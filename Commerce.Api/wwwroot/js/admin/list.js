// A view with a list: title, actions, pages.

import { getPage } from '../api.js';
import { button, confirm, element, fill, find, notice } from '../dom.js';
import { t } from '../texts.js';

export const title = (text, ...actions) => element('div', { class: 'title' }, element('h2', { id: 'view-title', tabindex: '-1' }, text), element('div', { class: 'actions' }, ...actions));

/** A list that reads its pages from the server. */
export function list(id, empty, row) {
  const node = element('ul', { id, class: 'rows' });
  const more = element('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => report(read(next, true)) }, t('admin.more'));
  const again = element('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => report(read(first).then(() => find('view-title').focus())) }, t('admin.refresh'));
  let items = [];
  let first;
  let next;
  async function read(path, add = false) {
    if (!add) first = path;
    const page = await getPage(path).catch(error => {
      again.hidden = add;
      throw error;
    });
    items = add ? [...items, ...page.items] : page.items;
    next = page.next;
    fill(node, items.map(row), empty);
    more.hidden = !next;
    again.hidden = true;
  }
  return { node: element('div', { class: 'list' }, node, more, again), read };
}

/** Reports a failure to the operator. */
export async function report(work) {
  try {
    return await work;
  } catch (error) {
    notice(error.status === 412 ? t('admin.stale') : error.message);
    return undefined;
  }
}

export const action = (id, text, about, onclick, look = 'quiet') => button(id, text, about, onclick, look);

/** A row of a list. */
export const row = (id, name, detail, state, ...actions) => element('li', { id },
  element('div', { class: 'what' }, element('strong', {}, name), element('span', { class: 'soft' }, detail)),
  state && element('span', { class: 'pill', 'data-state': state[0] }, state[1]),
  actions.length ? element('span', { class: 'actions' }, ...actions) : null);

/** Runs an action, reports its result and reloads the list, also after a refusal, because the list may have changed. */
export async function act(work, done, reload) {
  await report(work().then(() => notice(done, true)));
  await report(reload());
}

/** Asks for confirmation, and then does the same. */
export async function sure(question, text, yes, work, done, reload) {
  if (await confirm(question, text, yes)) await act(work, done, reload);
}
