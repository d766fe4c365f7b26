// A small chart of the last minute, drawn as SVG.

import { element } from '../dom.js';
import { number, t } from '../texts.js';

const namespace = 'http://www.w3.org/2000/svg';
const [width, height, shown] = [240, 48, 60];

function shape(tag, attributes) {
  const made = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A figure with its name, its value and its chart. */
export function chart(id, name) {
  const values = [];
  const under = shape('polygon', { class: 'under' });
  const line = shape('polyline', { class: 'line' });
  const picture = shape('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': name });
  picture.append(under, line);
  const now = element('dd', { id });
  return {
    node: element('div', { class: 'figure' }, element('dt', {}, name), now, element('dd', { class: 'drawn' }, picture)),
    add(value) {
      values.push(value);
      if (values.length > shown) values.shift();
      const most = Math.max(...values);
      const points = values.map((v, i) => `${((shown - values.length + i) / (shown - 1) * width).toFixed(1)},${(height - 2 - v / (most || 1) * (height - 4)).toFixed(1)}`);
      line.setAttribute('points', points.join(' '));
      const from = points[0].split(',')[0];
      under.setAttribute('points', `${from},${height} ${points.join(' ')} ${width},${height}`);
      now.textContent = number(value);
      picture.setAttribute('aria-label', t('live.chart', { name, value: number(value), most: number(most) }));
    },
  };
}

/** A figure without a chart. */
export function figure(id, name) {
  const now = element('dd', { id });
  return { node: element('div', { class: 'figure' }, element('dt', {}, name), now), show(text) { now.textContent = text; } };
}
