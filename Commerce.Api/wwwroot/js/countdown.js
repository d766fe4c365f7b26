// Countdowns by the server's clock.

import { left } from './clock.js';
import { element } from './dom.js';

const remaining = (until, over) => left(until) || over;

export const countdown = (look, until, over) =>
  element('span', { class: look, role: 'timer', 'data-until': until, 'data-over': over }, remaining(until, over));

/** Updates the countdowns. */
export function tick() {
  for (const timer of document.querySelectorAll('[data-until]')) {
    const text = remaining(timer.dataset.until, timer.dataset.over);
    if (timer.textContent !== text) timer.textContent = text;
  }
}
