// The bar above the lanes: time, seed and load.

import { button, h, setText } from '../dom.ts';

export interface Actions {
  toggle(): void;
  step(): void;
  restart(seed: number): void;
  rate(rate: number): void;
  chaos(on: boolean): void;
  finish(): void;
}

/** How much faster than real time. */
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5];

export class Controls {
  readonly element: HTMLElement;
  readonly #run: HTMLButtonElement;
  readonly #step: HTMLButtonElement;
  readonly #finish: HTMLButtonElement;
  readonly #seed: HTMLInputElement;
  readonly #speed: HTMLSelectElement;
  readonly #rate: HTMLInputElement;
  readonly #chaos: HTMLInputElement;
  readonly #idempotent = h('input', { id: 'idempotent', type: 'checkbox', role: 'switch', checked: true });
  readonly #clock = h('output', { class: 'clock', 'aria-label': 'Time of the run' }, '0.0 s');

  constructor(actions: Actions, seed: number) {
    this.#run = button('Run', actions.toggle, { class: 'primary', id: 'run', 'aria-keyshortcuts': 'r' });
    this.#step = button('Step', actions.step, { id: 'step', 'aria-keyshortcuts': 's' });
    this.#seed = h('input', { id: 'seed', type: 'number', min: 0, max: 4294967295, step: 1, value: seed });
    this.#speed = h('select', { id: 'speed' });
    for (const speed of SPEEDS) this.#speed.append(h('option', { value: speed, selected: speed === 1 }, `\u00d7${speed}`));
    this.#rate = h('input', { id: 'rate', type: 'range', min: 0, max: 120, step: 5, value: 40 });
    const rate = h('output', { for: 'rate' }, '40');
    this.#rate.addEventListener('input', () => {
      setText(rate, this.#rate.value);
      actions.rate(this.rate);
    });
    this.#chaos = h('input', { id: 'chaos', type: 'checkbox', role: 'switch' });
    this.#chaos.addEventListener('change', () => actions.chaos(this.#chaos.checked));
    this.#finish = button('Close and audit', actions.finish, { id: 'finish' });
    const restart = () => actions.restart(this.seed);
    this.#seed.addEventListener('change', restart);
    this.#idempotent.addEventListener('change', restart);
    const another = () => {
      this.#seed.value = String(crypto.getRandomValues(new Uint16Array(1))[0]);
      restart();
    };
    this.element = h(
      'div',
      { class: 'controls', role: 'group', 'aria-label': 'Run' },
      h('div', { class: 'group' }, this.#run, this.#step, this.#clock),
      h('div', { class: 'group' }, h('label', { for: 'speed' }, 'Speed'), this.#speed),
      h('div', { class: 'group' }, h('label', { for: 'rate' }, 'Records/s'), this.#rate, rate),
      h('div', { class: 'group' }, h('label', { for: 'seed' }, 'Seed'), this.#seed, button('Another', another)),
      h(
        'div',
        { class: 'group' },
        h('label', { class: 'switch', for: 'idempotent' }, this.#idempotent, 'Idempotent'),
        h('label', { class: 'switch', for: 'chaos' }, this.#chaos, 'Chaos'),
      ),
      h('div', { class: 'group end' }, this.#finish),
    );
  }

  get seed(): number {
    return Math.min(Math.max(Math.trunc(Number(this.#seed.value)) || 0, 0), 4294967295);
  }

  get speed(): number {
    return Number(this.#speed.value);
  }

  get rate(): number {
    return Number(this.#rate.value);
  }

  get idempotent(): boolean {
    return this.#idempotent.checked;
  }

  set chaos(on: boolean) {
    this.#chaos.checked = on;
  }

  draw(now: number, isRunning: boolean, isOver: boolean): void {
    setText(this.#run, isRunning ? 'Pause' : 'Run');
    this.#run.disabled = isOver;
    this.#step.disabled = isOver || isRunning;
    this.#finish.disabled = isOver;
    setText(this.#clock, `${(now / 1000).toFixed(1)} s`);
  }
}
