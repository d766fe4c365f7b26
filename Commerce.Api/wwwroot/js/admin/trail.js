import { element, time } from '../dom.js';
import { t, textOr } from '../texts.js';
import { list, row, title } from './list.js';

/** The actions of administrators. */
export async function trail(root) {
  const all = list('trail-list', t('trail.none'), a => row(`action-${a.id}`,
    [textOr(`action.${a.action}`, a.action), a.subject.split('/')[1]].filter(Boolean).join(' · '), [time(a.createdAt), a.actor, a.reason].filter(Boolean).join(' · ')));
  root.replaceChildren(element('section', { 'aria-labelledby': 'view-title' }, title(t('admin.trail')), all.node));
  await all.read('/api/admin/actions');
}
