// The figures that matter: what was accepted, what was delivered, and what the logs say of it.

import { grouped, h, setText } from './dom.ts';
import type { Counts } from './model.ts';

interface Figure {
  of: keyof Counts;
  name: string;
  what: string;
}

const FIGURES: Figure[] = [
  { of: 'accepted', name: 'Accepted', what: 'by the producer' },
  { of: 'buffered', name: 'On their way', what: 'no outcome yet' },
  { of: 'delivered', name: 'Delivered', what: 'acknowledged' },
  { of: 'stored', name: 'In the logs', what: 'read back' },
  { of: 'lost', name: 'Lost', what: 'delivered, not stored' },
  { of: 'twice', name: 'Twice', what: 'stored more than once' },
];

export class Counters {
  readonly element = h('dl', { class: 'counters', 'aria-label': 'Records' });
  readonly #values = new Map<keyof Counts, HTMLElement>();
  readonly #rest = h('p', { class: 'rest', 'aria-live': 'polite' });

  constructor() {
    for (const { of, name, what } of FIGURES) {
      const value = h('dd', { class: 'figure', 'data-count': of }, '0');
      this.#values.set(of, value);
      const kind = of === 'lost' || of === 'twice' ? 'counter verdict' : 'counter';
      this.element.append(h('div', { class: kind, 'data-of': of }, h('dt', {}, name), value, h('dd', { class: 'what' }, what)));
    }
  }

  /** A line below the figures for what is not always there. */
  get rest(): HTMLElement {
    return this.#rest;
  }

  draw(counts: Counts): void {
    for (const [of, element] of this.#values) {
      const count = counts[of];
      setText(element, count === null ? '?' : grouped(count));
      if (of === 'lost' || of === 'twice') element.parentElement?.classList.toggle('broken', (count ?? 0) > 0);
      element.classList.toggle('unread', count === null);
    }
    const rest = [];
    if (counts.failed > 0) rest.push(`${grouped(counts.failed)} given up and not stored, which the program was told`);
    if (counts.unknown > 0) rest.push(`${grouped(counts.unknown)} of which nobody can know, which the program was told`);
    setText(this.#rest, rest.join('; '));
  }
}
