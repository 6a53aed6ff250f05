// Live: movements of the pointer, through klamm and the bridge, into Kafka.

import { Charts } from '../charts.ts';
import { Counters } from '../counters.ts';
import { button, h, setText } from '../dom.ts';
import { Lanes, legend } from '../lanes.ts';
import type { Batch, Lane } from '../model.ts';
import { News } from '../news.ts';
import { Bridge } from './bridge.ts';
import { Flights } from './flights.ts';
import { Ledger } from './ledger.ts';
import { curve, hasMotion, motion } from './motion.ts';
import { Pad } from './pad.ts';
import { BATCH_SIZE, produce, type Producer } from './producer.ts';
import { Wire } from './wire.ts';

const TOPIC = 'demo';
/** The bands of the pad. The topic may have more. */
const PARTITIONS = 3;
/** Milliseconds between two looks at the logs, and two points of a chart. */
const READ_EVERY = 400;
const SAMPLE_EVERY = 250;
/** Bytes of a record, about: what an open batch is filled by. */
const RECORD = 90;
const PER_BATCH = Math.floor(BATCH_SIZE / RECORD);

export class Live {
  readonly #ledger = new Ledger(PARTITIONS);
  readonly #bridge = new Bridge(new URL(new URLSearchParams(location.search).get('bridge') ?? '.', document.baseURI), this.#ledger.session);
  readonly #flights = new Flights(BATCH_SIZE);
  readonly #wire: Wire;
  readonly #counters = new Counters();
  readonly #lanes = new Lanes();
  readonly #charts = new Charts();
  readonly #news = new News();
  readonly #pad = new Pad((x, y) => this.#send(x, y), PARTITIONS);
  readonly #link = h('span', { class: 'link', role: 'status' }, 'not connected');
  readonly #note = h('div', { hidden: true });
  readonly #begin = performance.now();
  readonly #kill = button('Kill the broker', () => void this.#power(), { id: 'kill' });
  #producer: Producer | undefined;
  #isShown = false;
  #isPowered = true;
  #canRead = false;
  #saidUnread = false;
  #sampled = 0;
  #stop: (() => void) | undefined;

  constructor(host: HTMLElement) {
    const url = new URL(this.#bridge.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    [url.search, url.hash] = ['', ''];
    this.#wire = new Wire(url, () => this.#bridge.token(), (name) => this.#flights.witness(name));
    host.append(
      h('p', { class: 'intro' }, 'Each movement becomes a record: through klamm in this page, a WebSocket and the bridge into Kafka. A point is orange until the broker has acknowledged it.'),
      this.#note,
      this.#pad.element,
      this.#switches(),
      this.#counters.element,
      this.#counters.rest,
      h('h2', { class: 'hidden' }, 'Partitions'),
      this.#lanes.element,
      legend(),
      this.#charts.element,
      h('h2', {}, 'What happened'),
      this.#news.element,
    );
    this.#start();
  }

  show(isShown: boolean): void {
    this.#isShown = isShown;
    if (!isShown) return;
    this.#charts.restyle();
    requestAnimationFrame(() => this.#draw());
  }

  restyle(): void {
    this.#charts.restyle();
  }

  #start(): void {
    this.#note.hidden = true;
    this.#bridge
      .token()
      .then(() => produce(this.#wire.transport))
      .then(
        (producer) => {
          this.#producer = producer;
          this.#hear(producer);
          void this.#read();
        },
        (error: unknown) => this.#explain(error),
      );
  }

  #explain(error: unknown): void {
    this.#note.replaceChildren(
      h('div', { class: 'note' },
        h('p', {}, 'Live needs the bridge, which starts a broker of its own for this page:'),
        h('p', {}, h('code', {}, 'cargo xtask web && cargo run --release -p klamm-bridge -- --dev')),
        h('p', {}, `Open the address that it prints. (${error instanceof Error ? error.message : String(error)})`),
        button('Try again', () => this.#start()),
      ),
    );
    this.#note.hidden = false;
  }

  #switches(): HTMLElement {
    const cut = button('Cut the network', () => {
      this.#wire.isCut = !this.#wire.isCut;
      this.#say(this.#wire.isCut ? 'the network is cut' : 'the network is mended', 'fault');
      pressed(cut, this.#wire.isCut, 'Mend the network', 'Cut the network');
    }, { id: 'cut' });
    const itself = button('Move by itself', () => this.#source(itself, (move) => Promise.resolve(curve(move))), { id: 'itself' });
    const device = button('Move the device', () => this.#source(device, motion), { id: 'device', hidden: !hasMotion() });
    const reload = button('Reload the page', () => location.reload(), { id: 'reload' });
    return h('div', { class: 'switches', role: 'group', 'aria-label': 'Sources and faults' }, itself, device, cut, this.#kill, reload, this.#link);
  }

  async #power(): Promise<void> {
    try {
      await this.#bridge.power(!this.#isPowered);
      this.#powered(!this.#isPowered);
    } catch (error) {
      this.#say(`the broker's switch: ${String(error)}`, 'warn');
    }
  }

  /** By this page, by another, or by this one before it was reloaded. */
  #powered(on: boolean): void {
    if (on === this.#isPowered) return;
    this.#isPowered = on;
    this.#say(on ? 'the broker starts' : 'the broker is killed', 'fault');
    pressed(this.#kill, !on, 'Start the broker', 'Kill the broker');
  }

  #source(button: HTMLButtonElement, begin: (move: (x: number, y: number) => void) => Promise<() => void>): void {
    const wasOn = button.getAttribute('aria-pressed') === 'true';
    this.#stop?.();
    this.#stop = undefined;
    document.querySelectorAll('#itself, #device').forEach((each) => each.setAttribute('aria-pressed', 'false'));
    if (wasOn) return;
    begin((x, y) => this.#pad.move(x, y)).then(
      (stop) => {
        this.#stop = stop;
        button.setAttribute('aria-pressed', 'true');
      },
      (error: unknown) => this.#say(String(error), 'warn'),
    );
  }

  #hear(producer: Producer): void {
    const known = new Set<string>();
    producer.on('connected', ({ broker }) => {
      known.add(broker);
      setText(this.#link, 'connected');
      this.#say(`connected to ${broker}`, 'plain');
    });
    producer.on('disconnected', ({ broker }) => {
      // One that never was says so at each attempt.
      if (known.delete(broker)) this.#say(`connection to ${broker} gone`, 'warn');
      if (known.size === 0) setText(this.#link, 'not connected');
    });
  }

  #send(x: number, y: number): number | undefined {
    const producer = this.#producer;
    if (!producer) return undefined;
    const partition = Math.min(Math.floor(x * PARTITIONS), PARTITIONS - 1);
    const number = this.#ledger.handOver(partition);
    const value = JSON.stringify({ s: this.#ledger.session, n: number, x: round(x), y: round(y), t: Date.now() });
    producer.send({ topic: TOPIC, messages: [{ partition, value }] }).then(
      () => {
        this.#ledger.settle(number, true);
        this.#pad.stored(number);
      },
      (error: unknown) => {
        this.#ledger.settle(number, false);
        this.#say(`record ${number}: ${error instanceof Error ? error.message : String(error)}`, 'bad');
      },
    );
    return number;
  }

  /** Reads the logs as they grow, from the broker: not what the producer says. */
  async #read(): Promise<void> {
    for (;;) {
      try {
        const before = this.#ledger.delivered();
        let isRead = true;
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          const { end, records, on } = await this.#bridge.log(TOPIC, partition, this.#ledger.log(partition).next);
          this.#powered(on);
          this.#ledger.stored(partition, end, records);
          isRead &&= this.#ledger.log(partition).next >= end;
        }
        if (isRead) this.#ledger.allRead(before);
        this.#canRead = true;
      } catch (error) {
        this.#canRead = false;
        if (!this.#saidUnread) this.#say(`the logs cannot be read back: ${String(error)}`, 'warn');
        this.#saidUnread = true;
      }
      await new Promise((resolve) => setTimeout(resolve, READ_EVERY));
    }
  }

  #draw(): void {
    if (!this.#isShown) return;
    this.#pad.draw();
    this.#counters.draw(this.#ledger.counts(this.#canRead));
    this.#lanes.draw(Array.from({ length: PARTITIONS }, (_, partition) => this.#lane(partition)));
    const at = performance.now() - this.#begin;
    if (at - this.#sampled > SAMPLE_EVERY) {
      this.#sampled = at;
      const { latency, fill } = this.#flights.takeAverages();
      const { delivered } = this.#ledger.counts(false);
      this.#charts.add({ at: at / 1_000, delivered, latency, fill: fill === null ? null : 100 * fill, inFlight: this.#flights.bytesInFlight });
    }
    requestAnimationFrame(() => this.#draw());
  }

  #lane(partition: number): Lane {
    const waiting = this.#ledger.waiting(partition);
    if (waiting === 0) this.#flights.clear(partition);
    const sent = this.#flights.batches(partition);
    const unsent = Math.max(waiting - this.#flights.records(partition), 0);
    const { end, batches } = this.#ledger.log(partition);
    return { partition, leader: this.#isPowered ? 0 : null, in_sync: [], end, batches: [...sent, ...unseen(unsent)], log: batches };
  }

  #say(text: string, tone: 'plain' | 'fault' | 'warn' | 'bad'): void {
    this.#news.add([{ at: performance.now() - this.#begin, tone, text }]);
  }
}

/** Records that were not seen on the wire yet: they fill batches, the last of which is open. */
function unseen(records: number): Batch[] {
  const full = Math.max(Math.ceil(records / PER_BATCH) - 1, 0);
  const batch = (id: string, state: Batch['state'], count: number): Batch => ({
    id,
    state,
    records: count,
    fill: Math.min((count * RECORD) / BATCH_SIZE, 1),
    epoch: null,
    sequence: null,
    tries: 0,
    node: null,
  });
  const batches = Array.from({ length: full }, (_, index) => batch(`sealed.${index}`, 'sealed', PER_BATCH));
  const left = records - full * PER_BATCH;
  return left > 0 ? [...batches, batch('open', 'open', left)] : batches;
}

function pressed(button: HTMLButtonElement, isOn: boolean, on: string, off: string): void {
  button.setAttribute('aria-pressed', String(isOn));
  setText(button, isOn ? on : off);
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000;
