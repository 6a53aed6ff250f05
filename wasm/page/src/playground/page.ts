// The playground: the producer, three brokers and the network, all in the page.

import { Charts } from '../charts.ts';
import { Counters } from '../counters.ts';
import { h, isCalm, setText } from '../dom.ts';
import { Lanes, legend } from '../lanes.ts';
import { News } from '../news.ts';
import { Controls } from './controls.ts';
import { type Engine, type Frame, load, type Make, picture } from './engine.ts';
import { Faults } from './faults.ts';

/** A page that was in the background does not catch up. In real milliseconds. */
const LONGEST = 100;
/** Milliseconds of the run from one point of a chart to the next. */
const SAMPLE = 250;
const FIRST_SEED = 42;

export class Playground {
  readonly #controls: Controls;
  readonly #counters = new Counters();
  readonly #lanes = new Lanes((partition) => this.#fault('move', partition));
  readonly #faults = new Faults(
    (name, target) => this.#fault(name, target),
    () => this.#heal(),
  );
  readonly #charts = new Charts();
  readonly #news = new News();
  readonly #said = h('p', { class: 'said', role: 'status', id: 'said' });
  #make: Make | undefined;
  #engine: Engine | undefined;
  #isRunning = false;
  #isOver = false;
  #isShown = false;
  #before = 0;
  /** Milliseconds of the run that are still to be run: less than one. */
  #owed = 0;
  #sampled = 0;
  /** How many answers there were, and how long they took, at the last point of the charts. */
  #answers = { count: 0, sum: 0 };

  constructor(host: HTMLElement) {
    const seed = Number(new URLSearchParams(location.search).get('seed') ?? FIRST_SEED);
    this.#controls = new Controls(
      {
        toggle: () => this.#toggle(),
        step: () => this.#act((engine) => engine.step()),
        restart: (seed) => this.#restart(seed),
        rate: (rate) => this.#act((engine) => engine.setRate(rate)),
        chaos: (on) => this.#act((engine) => engine.setChaos(on)),
        finish: () => this.#act((engine) => engine.finish()),
      },
      Number.isInteger(seed) && seed >= 0 ? seed : FIRST_SEED,
    );
    host.append(
      h('p', { class: 'intro' }, 'The producer, three brokers and the network between them run in this page. Break something, and watch what becomes of the records. A seed is a run: the same seed and the same deeds, the same batches.'),
      this.#controls.element,
      this.#counters.element,
      this.#counters.rest,
      this.#said,
      h('h2', { class: 'hidden' }, 'Partitions'),
      this.#lanes.element,
      legend(),
      h('div', { class: 'columns' }, this.#faults.element, h('div', {}, h('h2', {}, 'What happened'), this.#news.element)),
      h('h2', { class: 'hidden' }, 'Charts'),
      this.#charts.element,
    );
    addEventListener('keydown', (event) => this.#key(event));
    load().then(
      (make) => {
        this.#make = make;
        this.#restart(this.#controls.seed);
        // A reader who wants no movement starts it.
        if (!isCalm() && !new URLSearchParams(location.search).has('paused')) this.#toggle();
      },
      (error: unknown) => this.#say(`The simulator could not be loaded: ${String(error)}`, true),
    );
  }

  show(isShown: boolean): void {
    this.#isShown = isShown;
    if (isShown) this.#charts.restyle();
    this.#schedule();
  }

  restyle(): void {
    this.#charts.restyle();
  }

  #restart(seed: number): void {
    const make = this.#make;
    if (!make) return;
    this.#engine?.free();
    this.#engine = make(seed, this.#controls.idempotent);
    this.#controls.chaos = false;
    this.#engine.setRate(this.#controls.rate);
    this.#isOver = false;
    this.#owed = this.#sampled = 0;
    this.#answers = { count: 0, sum: 0 };
    this.#lanes.clear();
    this.#news.clear();
    this.#charts.clear();
    this.#say('', false);
    this.#draw();
    this.#schedule();
  }

  #toggle(): void {
    if (!this.#engine || this.#isOver) return;
    this.#isRunning = !this.#isRunning;
    this.#before = performance.now();
    this.#draw();
    this.#schedule();
  }

  #heal(): void {
    this.#controls.chaos = false;
    this.#act((engine) => engine.heal());
  }

  #fault(name: string, target: number): void {
    this.#act((engine) => engine.fault(name, target));
  }

  /** Does something to the run; a refusal is said. */
  #act(act: (engine: Engine) => void): void {
    if (!this.#engine || this.#isOver) return;
    try {
      act(this.#engine);
      this.#say('', false);
    } catch (error) {
      this.#say(String(error), false);
    }
    this.#draw();
  }

  #schedule(): void {
    if (this.#isRunning && this.#isShown && !this.#isOver) requestAnimationFrame((at) => this.#tick(at));
  }

  #tick(at: number): void {
    if (!this.#isRunning || !this.#isShown || !this.#engine || this.#isOver) return;
    const passed = Math.min(Math.max(at - this.#before, 0), LONGEST);
    this.#before = at;
    this.#owed += passed * this.#controls.speed;
    const whole = Math.floor(this.#owed);
    this.#owed -= whole;
    if (whole > 0) {
      this.#engine.run(whole);
      this.#draw();
    }
    this.#schedule();
  }

  #draw(): void {
    if (!this.#engine) return;
    const frame = picture(this.#engine);
    this.#isOver = frame.broken !== null || frame.audit !== null;
    if (this.#isOver) this.#isRunning = false;
    this.#controls.draw(frame.now, this.#isRunning, this.#isOver);
    this.#counters.draw(frame.counts);
    this.#lanes.draw(frame.lanes);
    this.#faults.draw(frame);
    this.#news.add(frame.news);
    this.#sample(frame);
    if (frame.broken !== null) this.#say(`A promise was broken: ${frame.broken}`, true);
    else if (frame.audit !== null) this.#say(`Audit passed. ${frame.audit}. Choose a seed to begin again.`, false);
    else if (frame.full) this.#say('Enough records for one run: choose a seed to begin again.', false);
  }

  #sample(frame: Frame): void {
    if (frame.now - this.#sampled < SAMPLE) return;
    this.#sampled = frame.now;
    const { answers: count, answer_time: sum } = frame.gauges;
    const before = this.#answers;
    this.#answers = { count, sum };
    const sealed = frame.lanes.flatMap((lane) => lane.batches).filter((batch) => batch.state !== 'open');
    const fill = sealed.reduce((sum, batch) => sum + batch.fill, 0) / sealed.length;
    this.#charts.add({
      at: frame.now / 1000,
      delivered: frame.counts.delivered,
      latency: count > before.count ? (sum - before.sum) / (count - before.count) : null,
      fill: sealed.length > 0 ? 100 * fill : null,
      inFlight: frame.gauges.in_flight,
    });
  }

  #say(text: string, isBad: boolean): void {
    setText(this.#said, text);
    this.#said.classList.toggle('bad', isBad);
  }

  /** Single letters, where nobody is writing. */
  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement | null;
    if (!this.#isShown || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target?.matches('input, select, textarea')) return;
    if (event.key === 'r') this.#toggle();
    else if (event.key === 's' && !this.#isRunning) this.#act((engine) => engine.step());
    else return;
    event.preventDefault();
  }
}
