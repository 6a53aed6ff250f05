// What happened, as a list that scrolls.

import { h } from './dom.ts';
import type { Line } from './model.ts';

const MOST = 200;

export class News {
  readonly #list = h('ol', { class: 'news', tabindex: 0, role: 'log', 'aria-live': 'off', 'aria-label': 'What happened' });
  readonly element = this.#list;

  clear(): void {
    this.#list.replaceChildren();
  }

  add(lines: readonly Line[]): void {
    if (lines.length === 0) return;
    const items = lines.slice(-MOST).map((line) =>
      h(
        'li',
        { class: line.tone },
        h('time', {}, `${(line.at / 1000).toFixed(3)} s`),
        h('span', {}, line.text),
      ),
    );
    // The newest on top: no scrolling to see it.
    this.#list.prepend(...items.reverse());
    while (this.#list.childElementCount > MOST) this.#list.lastElementChild?.remove();
  }
}
