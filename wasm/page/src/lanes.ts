// Partitions as lanes: batches go from left to right, from open to sealed to in flight, into the log.

import { button, grouped, h, setText } from './dom.ts';
import type { Batch, Lane, Logged, State } from './model.ts';

/** The parts of a lane, with their share of its width. */
const ZONES = [
  { name: 'Open', share: 0.13 },
  { name: 'Sealed', share: 0.22 },
  { name: 'In flight', share: 0.25 },
  { name: 'Log', share: 0.4 },
] as const;
const GAP = 4;
/** Milliseconds that an acknowledged batch takes to its place in the log, as in the style sheet. */
const FUSE = 320;

const WORDS: Record<State, string> = {
  open: 'open',
  sealed: 'sealed',
  flying: 'in flight',
  again: 'waiting to be sent again',
  failed: 'given up',
};

/** One lane. */
class LaneView {
  readonly element: HTMLElement;
  readonly #where = h('span', { class: 'where' });
  readonly #end = h('span', { class: 'end' });
  readonly #track = h('div', { class: 'track', role: 'img' });
  readonly #chips = new Map<string, HTMLElement>();
  readonly #more = [0, 1, 2].map(() => h('span', { class: 'chip more', 'aria-hidden': true, hidden: true }));
  readonly #tape = new Map<number, HTMLElement>();
  #width = 0;
  #said = 0;

  constructor(partition: number, actions: Node[]) {
    this.element = h(
      'section',
      { class: 'lane', 'aria-label': `Partition ${partition}` },
      h('h3', {}, `Partition ${partition}`),
      this.#where,
      this.#end,
      h('span', { class: 'lane-actions' }, ...actions),
      this.#track,
    );
    let left = 0;
    for (const [index, zone] of ZONES.entries()) {
      const mark = h('span', { class: 'zone', 'aria-hidden': true }, zone.name);
      mark.style.left = `${left * 100}%`;
      mark.style.width = `${zone.share * 100}%`;
      mark.classList.toggle('zone-log', index === 3);
      this.#track.append(mark);
      left += zone.share;
    }
    this.#track.append(...this.#more);
    new ResizeObserver(() => (this.#width = this.#track.clientWidth)).observe(this.#track);
  }

  draw(lane: Lane, now: number): void {
    const leader = lane.leader === null ? 'nobody leads' : `node ${lane.leader} leads`;
    const others = lane.in_sync.length > 0 ? `, in sync: ${lane.in_sync.join(' ')}` : '';
    setText(this.#where, leader + others);
    this.#where.classList.toggle('alarm', lane.leader === null);
    setText(this.#end, `${grouped(lane.end)} in the log`);
    const zones = [0, 1, 2].map((zone) => lane.batches.filter((batch) => zoneOf(batch) === zone));
    this.#drawLog(lane.log);
    this.#drawChips(zones, lane.log);
    // A summary in words: not at every frame, for whoever has it read aloud.
    if (now - this.#said > 1000 || this.#said === 0) {
      this.#said = now;
      const [open = [], sealed = [], flying = []] = zones;
      const label = `${open.length} open, ${sealed.length} sealed, ${flying.length} in flight, ${lane.end} records in the log`;
      this.#track.setAttribute('aria-label', label);
    }
  }

  #drawChips(zones: Batch[][], log: Logged[]): void {
    const left = new Set(this.#chips.keys());
    for (const [zone, batches] of zones.entries()) {
      const room = this.#room(zone);
      const shown = batches.length > room ? room - 1 : batches.length;
      for (const [index, batch] of batches.entries()) {
        left.delete(batch.id);
        const element = this.#chips.get(batch.id) ?? this.#make(batch.id);
        show(element, batch);
        element.classList.toggle('behind', index >= shown);
        place(element, this.#x(zone, Math.min(index, room - 1)));
      }
      this.#drawMore(zone, batches.length - shown);
    }
    for (const id of left) this.#fuse(id, log);
  }

  /** Acknowledged: it goes to its place in the log, and becomes one with what is there. */
  #fuse(id: string, log: Logged[]): void {
    const chip = this.#chips.get(id);
    if (!chip) return;
    this.#chips.delete(id);
    const index = log.findLastIndex((stored) => stored.id === id);
    if (index >= 0) place(chip, this.#x(3, log.length - 1 - index));
    chip.classList.add('gone');
    setTimeout(() => chip.remove(), FUSE);
  }

  /** How many there are for which there is no room. */
  #drawMore(zone: number, count: number): void {
    const more = this.#more[zone];
    if (!more) return;
    more.hidden = count === 0;
    setText(more, `+${count}`);
    place(more, this.#x(zone, this.#room(zone) - 1));
  }

  #drawLog(log: Logged[]): void {
    const left = new Set(this.#tape.keys());
    for (const [index, stored] of log.toReversed().entries()) {
      const x = this.#x(3, index);
      if (x + this.#chip() > this.#width + 1) continue;
      left.delete(stored.offset);
      let element = this.#tape.get(stored.offset);
      if (!element) {
        element = h('span', { class: 'chip tape' });
        this.#tape.set(stored.offset, element);
        this.#track.append(element);
        place(element, x);
      }
      element.classList.toggle('acknowledged', stored.acknowledged);
      const what = stored.acknowledged ? 'acknowledged' : 'stored; the producer does not know yet';
      fill(element, stored.sequence, stored.records);
      element.title = `offset ${stored.offset}, epoch ${stored.epoch}, sequence ${stored.sequence}: ${stored.records} records, ${what}`;
      place(element, x);
    }
    for (const offset of left) {
      this.#tape.get(offset)?.remove();
      this.#tape.delete(offset);
    }
  }

  #make(id: string): HTMLElement {
    const element = h('span', { class: 'chip', 'data-batch': id });
    this.#track.append(element);
    this.#chips.set(id, element);
    place(element, this.#x(0, 0));
    return element;
  }

  #chip(): number {
    return this.#width < 480 ? 26 : 42;
  }

  /** How many batches a zone can show. */
  #room(zone: number): number {
    const width = (ZONES[zone]?.share ?? 0) * this.#width - GAP;
    return Math.max(Math.floor(width / (this.#chip() + GAP)), 1);
  }

  /** The oldest of a zone is next to the zone that follows; in the log the newest is next to what comes. */
  #x(zone: number, index: number): number {
    const before = ZONES.slice(0, zone).reduce((sum, each) => sum + each.share, 0) * this.#width;
    const step = this.#chip() + GAP;
    if (zone === 3) return before + GAP + index * (step - 2);
    return before + (ZONES[zone]?.share ?? 0) * this.#width - (index + 1) * step;
  }
}

/** All lanes of a mode. */
export class Lanes {
  readonly element = h('div', { class: 'lanes' });
  readonly #views = new Map<number, LaneView>();

  /** `move` makes another broker lead a partition, where that can be asked for. */
  constructor(readonly move?: (partition: number) => void) {}

  clear(): void {
    this.#views.clear();
    this.element.replaceChildren();
  }

  draw(lanes: readonly Lane[]): void {
    const now = performance.now();
    for (const lane of lanes) {
      let view = this.#views.get(lane.partition);
      if (!view) {
        const move = this.move;
        const label = { class: 'small', 'aria-label': `Move the leader of partition ${lane.partition}` };
        const actions = move ? [button('Move leader', () => move(lane.partition), label)] : [];
        view = new LaneView(lane.partition, actions);
        this.#views.set(lane.partition, view);
        this.element.append(view.element);
      }
      view.draw(lane, now);
    }
  }
}

/** What the colours mean. */
export function legend(): HTMLElement {
  const chip = (state: string) => h('span', { class: 'chip', 'data-state': state, 'aria-hidden': true });
  const stored = h('span', { class: 'chip tape', 'aria-hidden': true });
  const known = h('span', { class: 'chip tape acknowledged', 'aria-hidden': true });
  return h(
    'ul',
    { class: 'legend', 'aria-label': 'Colours' },
    h('li', {}, chip('open'), 'open: takes records'),
    h('li', {}, chip('sealed'), 'sealed'),
    h('li', {}, chip('flying'), 'in flight'),
    h('li', {}, chip('again'), 'to be sent again, with the same number'),
    h('li', {}, stored, 'stored, not acknowledged'),
    h('li', {}, known, 'acknowledged'),
  );
}

function zoneOf(batch: Batch): number {
  if (batch.state === 'open') return 0;
  return batch.state === 'flying' ? 2 : 1;
}

function show(element: HTMLElement, batch: Batch): void {
  element.dataset['state'] = batch.state;
  element.dataset['tries'] = batch.tries > 1 ? `\u21bb${batch.tries}` : '';
  element.style.setProperty('--fill', batch.fill.toFixed(2));
  fill(element, batch.sequence, batch.records);
  const stamp = batch.sequence === null ? '' : `, epoch ${batch.epoch}, sequence ${batch.sequence}`;
  element.title = `${batch.records} records, ${WORDS[batch.state]}${stamp}`;
}

/** A batch's first sequence number, and a dot for each record. */
function fill(element: HTMLElement, sequence: number | null, records: number): void {
  const text = sequence === null ? '' : String(sequence);
  if (element.dataset['text'] === `${text} ${records}`) return;
  element.dataset['text'] = `${text} ${records}`;
  element.replaceChildren(
    h('b', {}, text),
    h('i', {}, records > 8 ? `\u00d7${records}` : '\u2022'.repeat(records)),
  );
}

function place(element: HTMLElement, x: number): void {
  const transform = `translateX(${x.toFixed(1)}px)`;
  if (element.style.transform !== transform) element.style.transform = transform;
}
