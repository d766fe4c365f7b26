import { element, find } from '../dom.js';
import { t } from '../texts.js';

const dialog = find('detail');

/** Shows something in a dialog, from its beginning. The focus is on the title, because the button below may be far away. */
export function detail(title, ...content) {
  dialog.replaceChildren(element('div', {}, element('h2', { id: 'detail-title', tabindex: '-1', autofocus: true }, title), ...content,
    element('div', { class: 'actions' }, element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, t('back')))));
  dialog.showModal();
  dialog.scrollTop = 0;
}

/** Creates a list of names and values. Names without a value are omitted. */
export const facts = pairs => element('dl', { class: 'facts' },
  ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== '').flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));
