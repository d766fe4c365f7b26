// A form in a dialog. It shows the server's errors next to their fields.

import { element, find } from '../dom.js';
import { isServers, number, t } from '../texts.js';
import { report } from './list.js';

const dialog = find('form');

/** The local time of an input. */
const toInput = text => {
  if (!text) return '';
  const time = new Date(text);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
};

const kinds = {
  text: { type: 'text', read: input => input.value.trim() },
  number: { type: 'number', read: input => input.value === '' ? null : input.valueAsNumber },
  time: { type: 'datetime-local', step: 1, read: input => input.value ? new Date(input.value).toISOString() : null },
};

/** Creates a form. Each field has a name, a label, a kind (text, number, time, check or many) and a value. Its other members are attributes of the input. */
function controlOf({ name, label, kind, value, options = [], ...attributes }) {
  const id = `field-${name}`;
  if (kind === 'many') {
    // Chosen before, and not offered.
    const others = (value ?? []).filter(key => !options.some(([offered]) => offered === key));
    const boxes = options.map(([key, text], i) => {
      const box = element('input', { type: 'checkbox', id: `${id}-${i}`, value: key });
      box.checked = value?.includes(key) ?? false;
      return [box, element('div', { class: 'check' }, box, element('label', { for: box.id }, text))];
    });
    return {
      name, label, input: boxes[0]?.[0], read: () => [...boxes.filter(([box]) => box.checked).map(([box]) => Number(box.value)), ...others],
      node: element('fieldset', { class: 'field many', id }, element('legend', {}, label), ...boxes.map(([, row]) => row)),
    };
  }
  if (kind === 'check') {
    const box = element('input', { type: 'checkbox', id });
    box.checked = value;
    return { name, label, input: box, read: () => box.checked, node: element('div', { class: 'field check' }, box, element('label', { for: id }, label)) };
  }
  const { read, ...type } = kinds[kind];
  const input = element('input', { id, ...type, ...attributes, 'aria-describedby': `${id}-wrong` });
  input.value = kind === 'time' ? toInput(value) : value ?? '';
  return {
    name, label, input, read: () => read(input),
    node: element('div', { class: 'field' }, element('label', { for: id }, label), input, element('p', { id: `${id}-wrong`, class: 'wrong' })),
  };
}

function mistakeOf({ label, input, node }) {
  if (node.classList.contains('many') || input.validity.valid) return undefined;
  if (input.validity.valueMissing) return t('wrong.missing', { label });
  return input.validity.rangeUnderflow || input.validity.rangeOverflow ? t('wrong.range', { label, min: number(Number(input.min)), max: number(Number(input.max)) }) : t('wrong.invalid', { label });
}

/** Shows the errors of fields and the other errors. Moves the focus to the first one. */
function tell(controls, wrong, otherwise = '') {
  for (const { name, input, node } of controls) {
    const place = node.querySelector('.wrong');
    if (!place) continue;
    place.textContent = wrong[name] ?? '';
    input.toggleAttribute('aria-invalid', false);
    if (wrong[name]) input.setAttribute('aria-invalid', 'true');
  }
  find('form-wrong').textContent = otherwise;
  controls.find(({ name }) => wrong[name])?.input?.focus();
}

/** Shows why the server refused the values. */
function refuse(controls, error) {
  const named = Object.fromEntries(Object.entries(error.errors ?? {}).map(([name, texts]) => [
    name, t('wrong.refused', { label: controls.find(c => c.name === name)?.label ?? name, reason: isServers ? texts.join(' ') : '' }),
  ]));
  const shown = controls.filter(c => named[c.name] && c.node.querySelector('.wrong'));
  tell(controls, named, shown.length ? '' : error.status === 412 ? t('admin.stale') : Object.values(named)[0] ?? error.message);
}

/**
 * Opens a form. The dialog closes when the work with its values has succeeded. Then the list behind it is read again, also after a refusal: it may have changed
 * meanwhile.
 */
export function ask(title, fields, action, work, reload) {
  const controls = fields.map(controlOf);
  const save = element('button', { id: 'form-save' }, action);
  const form = element('form', { novalidate: true },
    element('h2', { id: 'form-title' }, title),
    element('div', { class: 'fields' }, ...controls.map(c => c.node)),
    element('p', { id: 'form-wrong', class: 'wrong', role: 'alert' }),
    element('div', { class: 'actions' }, element('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, t('back')), save));
  form.addEventListener('submit', async event => {
    event.preventDefault();
    const wrong = Object.fromEntries(controls.map(c => [c.name, mistakeOf(c)]).filter(([, text]) => text));
    tell(controls, wrong);
    if (Object.keys(wrong).length) return;
    save.disabled = true;
    try {
      await work(Object.fromEntries(controls.map(c => [c.name, c.read()])));
      if (form.isConnected) dialog.close();
    } catch (error) {
      // Who has left the form meanwhile is told, too.
      if (form.isConnected && dialog.open) refuse(controls, error);
      else await report(Promise.reject(error));
    } finally {
      save.disabled = false;
    }
    await report(reload());
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  // A dialog keeps the position of its former content.
  dialog.scrollTop = 0;
}
