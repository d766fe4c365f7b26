// Builds elements from text, never from markup: nothing that a server or a user says can become a tag.

export const find = id => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'onclick') made.addEventListener('click', value);
    else if (typeof value === 'boolean') made.toggleAttribute(name, value);
    else if (value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

const won = new Intl.NumberFormat('en-KR', { style: 'currency', currency: 'KRW' });
export const money = amount => won.format(amount);

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const time = text => clock.format(new Date(text));

export function notice(text, good = false) {
  const line = find('notice');
  line.textContent = text;
  line.className = good ? 'good' : 'bad';
}

/** Keeps the focus where it was when a list is made anew. */
export function fill(list, items, empty) {
  const focused = list.contains(document.activeElement) ? document.activeElement.id : '';
  list.replaceChildren(...(items.length ? items : [element('li', { class: 'empty' }, empty)]));
  if (focused) find(focused)?.focus();
}
