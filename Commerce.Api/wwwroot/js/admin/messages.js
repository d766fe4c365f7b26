import { post } from '../api.js';
import { element, time } from '../dom.js';
import { t } from '../texts.js';
import { act, action, list, report, row, title } from './list.js';

export async function messages(root) {
  const letters = list('letter-list', t('messages.noDeadLetters'), l => row(`letter-${l.id}`, `${l.topic} · ${l.reason}`, `${time(l.failedAt)} · ${l.detail}`,
    l.replayedAt ? ['SENT', t('messages.replayedAt', { time: time(l.replayedAt) })] : undefined,
    action(`replay-letter-${l.id}`, t('admin.replay'), t('messages.about', { id: l.id }), () => replay(`/api/admin/dead-letters/${l.id}`, l.topic, readLetters))));
  const outbox = list('outbox-list', t('messages.noOutbox'), m => row(`outbox-${m.id}`, `${m.topic} · ${m.key}`,
    [time(m.createdAt), m.messageId, m.lastError].filter(Boolean).join(' · '), [m.status, t(`outbox.${m.status}`)],
    m.status === 'PENDING' ? null : action(`replay-outbox-${m.id}`, t('admin.replay'), t('messages.about', { id: m.id }), () => replay(`/api/admin/outbox/${m.id}`, m.topic, readOutbox))));
  const status = element('select', { id: 'outbox-status' }, element('option', { value: '' }, t('adminOrders.any')),
    ...['DEAD', 'PENDING', 'SENT'].map(state => element('option', { value: state }, t(`outbox.${state}`))));
  status.addEventListener('change', () => report(readOutbox()));
  const readLetters = () => letters.read('/api/admin/dead-letters');
  const readOutbox = () => outbox.read(`/api/admin/outbox${status.value && `?status=${status.value}`}`);

  root.replaceChildren(
    element('section', { 'aria-labelledby': 'view-title' }, title(t('messages.deadLetters')), letters.node),
    element('section', { 'aria-labelledby': 'outbox-title' },
      element('div', { class: 'title' }, element('h2', { id: 'outbox-title' }, t('messages.outbox')),
        element('div', { class: 'search' }, element('label', { for: status.id }, t('adminOrders.status')), status)),
      outbox.node));
  await Promise.all([readLetters(), readOutbox()]);
}

const replay = (path, name, reload) => act(() => post(`${path}/replay`), t('messages.replayed', { name }), reload);
