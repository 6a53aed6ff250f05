// Sends what is in a store: exactly once, also over crashes, while brokers remember the producer.
//
// The store has the records and a state: the core's snapshot (producer id, epochs, sequences, batches that have
// sequences), and which records are in it. Both change in one transaction. A record is
//
// (a) stored, and not the core's: the next sender finds no batch that has it, and hands it to its core;
// (b) in a batch without a sequence, of which no snapshot knows: the same;
// (c) in a batch with a sequence, and the snapshot that says so is not safe: the core holds the batch (`hold_stamped`),
//     so no broker has seen it: the same;
// (d) in a safe snapshot, so perhaps sent: the next sender's core sends that batch again, under the same identity, by
//     which brokers know it. The record is not handed over a second time, for the state says that it is in there;
// (e) acknowledged, and its removal is not safe: as (d), and the broker answers with where it is already;
// (f) as (d) or (e), and the broker has forgotten the producer: the record is sent again all the same, and reported as
//     possibly duplicated. Brokers accept any sequence of a producer that they do not know, so only the time tells, for what
//     was sent more than once: see `since` of `HeldBatch`. What a broker's answer leaves unknown is also sent again, as
//     another record, and reported so.
//
// A snapshot is taken only when all reports have been taken: a batch with an outcome is in no snapshot any more, so its
// records must be removed with it (delivered), or be handed over again (not).

import { failure, KlammError } from '../errors.js';
import { DELIVERED, type Report } from '../engine.js';
import { Driver, type DriverEvents } from '../driver.js';
import { hasGzip } from '../gzip.js';
import { Intake } from '../intake.js';
import { pairs } from '../options.js';
import type { Platform } from '../platform.js';
import type { AnyOptions, Headers, Message, RecordMetadata } from '../types.js';
import { BOOTSTRAP } from '../websocket.js';
import { OutboxEngine, type Held } from './core.js';
import { Handed, Places, type Entry } from './places.js';
import { EMPTY, type HeldBatch, type Numbered, type Row, type State, type Store } from './store.js';

/** Bytes of records that are taken out of the store before others of them have an outcome. */
const WINDOW = 1024 * 1024;
/** Of the core, where no option says so: a few times the window. */
const MEMORY = 8 * 1024 * 1024;
/** Records that were delivered are removed so many milliseconds later, with others, where nothing else is to be stored. */
const LATER = 20;
/** Of a bridge, for the last producer ids. */
const TICKETS = 4;
/** CLUSTER_AUTHORIZATION_FAILED: brokers do not want the producer id, or the bridge does not believe that it is ours. */
const NOT_OURS = 31;
/** Milliseconds before what failed is tried again, at first and at most. */
const RETRY = [200, 30_000] as const;
/** What is the record's own fault, and will not be different the next time. */
const FINAL = ['TOO_LARGE', 'INVALID_TOPIC', 'INVALID_MESSAGE', 'NO_SUCH_PARTITION', 'CODEC'];
/** The same, by Kafka: CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, INVALID_TOPIC, RECORD_LIST_TOO_LARGE, INVALID_TIMESTAMP, POLICY_VIOLATION, INVALID_RECORD. */
const FINAL_BROKER = [2, 10, 17, 18, 32, 44, 87];

export interface SenderEvents {
  delivered(number: number, place: RecordMetadata, doubtful: boolean): void;
  failed(number: number, topic: string, error: KlammError): void;
  delayed(topic: string, count: number, error: KlammError): void;
  /** It has stopped: what is stored stays there. */
  broken(error: KlammError): void;
  /** The store failed; it is tried again. */
  troubled(error: unknown): void;
  connected(broker: string): void;
  throttled(broker: string, ms: number): void;
  disconnected(broker: string, error: Error | undefined): void;
}

export class Sender {
  readonly #options: AnyOptions;
  readonly #platform: Platform;
  readonly #store: Store;
  readonly #events: SenderEvents;
  readonly #brokerMemory: number;
  readonly #places = new Places();
  readonly #intake: Intake;
  #engine!: OutboxEngine;
  #driver!: Driver;
  #tickets: string[] = [];
  /** The last number that was taken out of the store. */
  #after = 0;
  /** Numbers that a snapshot has, and `take` will find. */
  readonly #restored = new Set<number>();
  readonly #doubtful = new Set<number>();
  #bytesOut = 0;
  #recordsOut = 0;
  #isLoading = false;
  #hasMore = true;
  /** To be removed: delivered, or failed for good; the latter are told when they are. */
  #done: number[] = [];
  #failures: [Entry, KlammError][] = [];
  #doneSince = 0;
  #laterTimer: ReturnType<typeof setTimeout> | undefined;
  #isSaving = false;
  #isHurried = false;
  /** To be handed over again. */
  readonly #again = new Set<number>();
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retryWait: number = RETRY[0];
  /** Why the producer id is of no use any more. */
  #refused: KlammError | undefined;
  #stopping: Promise<void> | undefined;
  #stopped: (() => void) | undefined;
  #isOver = false;
  #idle: (() => void)[] = [];

  constructor(options: AnyOptions, platform: Platform, store: Store, brokerMemory: number, events: SenderEvents) {
    // The outbox is what waits: nothing below it gives up.
    this.#options = { ...options, bufferMemory: options.bufferMemory ?? MEMORY, deliveryTimeoutMs: Infinity, maxBlockMs: Infinity, enableIdempotence: true };
    // That has been done before they were stored.
    delete this.#options.serializers;
    delete this.#options.keyMaker;
    this.#platform = platform;
    this.#store = store;
    this.#brokerMemory = brokerMemory;
    this.#events = events;
    this.#intake = new Intake(this.#options, this.#places, {
      passed: () => {},
      refused: (call, place, messages, error) => {
        for (const entry of (call as Handed).entries.slice(place, place + messages.length)) this.#failed(entry, error);
      },
    });
  }

  /** Goes on where the last sender ended. */
  async start(): Promise<void> {
    const [module, servers, state = EMPTY] = await Promise.all([this.#platform.load(true), this.#servers(), this.#store.load()]);
    for (const number of state.doubtful) this.#doubtful.add(number);
    this.#tickets = [...state.tickets];
    const options = { maxConnections: this.#platform.maxConnections, ...this.#options };
    // Whatever the options are now, there is room for what is in the snapshot.
    options.bufferMemory = Math.max(options.bufferMemory!, 4 * state.snapshot.length);
    const numbers = pairs(options, hasGzip);
    const begin = (snapshot: Uint8Array) => OutboxEngine.begin(module, servers, this.#options.clientId ?? 'klamm', numbers, snapshot);
    const restored = await begin(state.snapshot).then((engine) => ({ engine, held: held(engine, state.batches) }), (error: unknown) => {
      if (state.snapshot.length === 0) throw error;
      return undefined;
    });
    if (restored?.held === undefined) {
      // Of another version, or with more topics than the options allow now: its records are sent as others are.
      for (const { numbers } of state.batches) for (const number of numbers) this.#doubtful.add(number);
    }
    this.#engine = restored?.held === undefined ? await begin(EMPTY.snapshot) : restored.engine;
    if (this.#isOver || this.#stopping !== undefined) return;
    const dial = this.#platform.dial({ ...this.#options, ticket: [this.#options.ticket ?? [], this.#tickets].flat() }, ({ ticket }) => {
      // It comes before the id that it is for, so it is stored with the first batch that has that id.
      this.#tickets = [...this.#tickets, ticket].slice(-TICKETS);
    });
    this.#driver = new Driver(this.#engine, dial, this.#driverEvents());
    this.#intake.start(this.#engine);
    for (const one of restored?.held ?? []) this.#restore(one);
    this.#driver.schedule();
    this.wake();
  }

  async #servers(): Promise<string> {
    const { brokers, bridge } = this.#options;
    if (bridge !== undefined) return `${BOOTSTRAP}:1`;
    const list = typeof brokers === 'function' ? await brokers() : brokers!;
    return typeof list === 'string' ? list : list.join(',');
  }

  /** Says which records are in a batch that the core has from the snapshot. */
  #restore([{ slot, first, records }, { topic, numbers, since }]: [Held, HeldBatch]): void {
    const { handle } = this.#intake.topic(topic);
    numbers.forEach((number, n) => {
      this.#places.put(slot, first + n, { number, topic: this.#intake.topics[handle]!, bytes: 0, timestamp: Infinity, since });
      this.#restored.add(number);
    });
    this.#recordsOut += records;
  }

  #driverEvents(): DriverEvents {
    return {
      beforeTurn: () => {
        const moved = this.#intake.pump();
        if (!this.#isHurried) return moved;
        // What is the core's by now does not linger.
        this.#isHurried = false;
        this.#engine.flush();
        return true;
      },
      afterTurns: () => {
        this.#save();
        if (this.#hasMore && this.#bytesOut < WINDOW / 2) this.#load().catch((error: unknown) => this.#stumble(error));
        return this.#intake.expire();
      },
      report: (report) => this.#report(report),
      connected: (broker) => this.#events.connected(broker),
      throttled: (broker, ms) => this.#events.throttled(broker, ms),
      disconnected: (broker, error) => this.#events.disconnected(broker, error),
      broken: (error) => {
        this.#isOver = true;
        this.#events.broken(error instanceof KlammError ? error : new KlammError('INTERNAL', String(error), { cause: error }));
        this.#settleIdle();
      },
    };
  }

  /** There is something new in the store. */
  wake(): void {
    this.#hasMore = true;
    this.#load().catch((error: unknown) => this.#stumble(error));
  }

  /** Hands records to the core, in the order of their numbers. */
  async #load(): Promise<void> {
    if (this.#isLoading || this.#isOver || this.#stopping !== undefined || this.#driver === undefined) return;
    this.#isLoading = true;
    try {
      while (this.#hasMore && this.#bytesOut < WINDOW && !this.#isOver) {
        this.#hasMore = false;
        const found = await this.#store.take(this.#after, WINDOW - this.#bytesOut);
        if (found.length === 0) continue;
        this.#hasMore = true;
        this.#after = found[found.length - 1]!.number;
        this.#handOver(found.filter(({ number }) => !this.#restored.delete(number)));
      }
    } finally {
      this.#isLoading = false;
      this.#settleIdle();
    }
  }

  #handOver(found: readonly Numbered[]): void {
    const byTopic = new Map<string, Numbered[]>();
    for (const one of found) {
      const { topic } = one.row;
      const list = byTopic.get(topic);
      if (list === undefined) byTopic.set(topic, [one]);
      else list.push(one);
    }
    for (const [name, list] of byTopic) {
      const topic = this.#intake.topic(name);
      const entries = list.map(({ number, row }): Entry => ({ number, topic, bytes: row.bytes, timestamp: row.timestamp, since: 0 }));
      for (const { bytes } of entries) this.#bytesOut += bytes;
      this.#recordsOut += entries.length;
      this.#intake.take(new Handed(topic, entries), list.map(({ row }) => message(row)), -1);
    }
    this.#driver.schedule();
  }

  #report({ batch, first, records, topic, partition, outcome, reason, code, offset, timestamp }: Report): void {
    const entries = this.#places.get(batch, first, records);
    if (outcome !== DELIVERED) {
      const error = failure(outcome, reason, code, this.#intake.topics[topic]!.name, partition);
      for (const entry of entries) this.#failed(entry, error);
      return;
    }
    this.#retryWait = RETRY[0];
    const now = Date.now();
    entries.forEach((entry, n) => {
      const place: RecordMetadata = { topic: entry.topic.name, partition, offset: offset === undefined ? undefined : offset + BigInt(n) };
      if (timestamp !== undefined) place.timestamp = timestamp;
      // What a sender before this one has left was sent again, too.
      const isForgotten = reason > 0 && now - entry.since > this.#brokerMemory;
      this.#events.delivered(entry.number, place, isForgotten || this.#doubtful.has(entry.number));
      this.#remove(entry);
    });
  }

  #remove(entry: Entry): void {
    this.#leave(entry);
    if (this.#done.length === 0) this.#doneSince = performance.now();
    this.#done.push(entry.number);
    this.#doubtful.delete(entry.number);
  }

  #leave(entry: Entry): void {
    this.#bytesOut -= entry.bytes;
    this.#recordsOut--;
  }

  /** Not delivered: removed if it is the record's fault, else sent again, as another record. */
  #failed(entry: Entry, error: KlammError): void {
    const isFinal = FINAL.includes(error.code) || FINAL_BROKER.includes(error.brokerCode);
    if (isFinal && error.persisted === 'no') {
      this.#remove(entry);
      this.#failures.push([entry, error]);
      return;
    }
    if (error.persisted === 'unknown') this.#doubtful.add(entry.number);
    if (error.brokerCode === NOT_OURS) this.#refused ??= error;
    this.#leave(entry);
    this.#again.add(entry.number);
    this.#events.delayed(entry.topic.name, 1, error);
    this.#retry();
  }

  #retry(): void {
    if (this.#isOver || this.#retryTimer !== undefined || this.#again.size === 0) return;
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      const numbers = [...this.#again].sort((a, b) => a - b);
      this.#store.get(numbers).then(
        (found) => {
          if (this.#isOver) return;
          for (const number of numbers) this.#again.delete(number);
          this.#handOver(found);
        },
        (error: unknown) => this.#stumble(error),
      );
    }, this.#retryWait);
    this.#retryWait = Math.min(this.#retryWait * 2, RETRY[1]);
  }

  /** Stores what has changed since the last time. Only when all reports were taken, see above. */
  #save(): void {
    if (this.#isSaving || this.#isOver) return;
    const isLast = this.#stopping !== undefined || this.#refused !== undefined;
    const holds = !isLast && this.#engine.holds;
    if (!holds && this.#done.length === 0 && this.#refused === undefined) {
      if (isLast) this.#end();
      else this.#settleIdle();
      return;
    }
    const wait = this.#doneSince + LATER - performance.now();
    if (!holds && !isLast && wait > 0 && this.#recordsOut > 0) {
      this.#laterTimer ??= setTimeout(() => {
        this.#laterTimer = undefined;
        this.#driver.schedule();
      }, wait);
      return;
    }
    const [remove, failures, refused] = [this.#done, this.#failures, this.#refused];
    const state = refused === undefined ? this.#state() : this.#renounced();
    [this.#done, this.#failures] = [[], []];
    this.#isSaving = true;
    this.#store.commit(state, remove).then(
      () => {
        this.#isSaving = false;
        for (const [{ number, topic }, error] of failures) this.#events.failed(number, topic.name, error);
        if (this.#isOver) return;
        if (refused !== undefined) {
          this.#end();
          this.#events.broken(refused);
          return;
        }
        if (this.#stopping === undefined) this.#engine.release();
        this.#driver.schedule();
        this.wake();
      },
      (error: unknown) => {
        [this.#done, this.#failures] = [remove.concat(this.#done), failures.concat(this.#failures)];
        if (this.#stopping !== undefined) {
          this.#end();
          return;
        }
        // Nothing that is held leaves before it is stored.
        setTimeout(() => {
          this.#isSaving = false;
          if (!this.#isOver) this.#driver.schedule();
        }, RETRY[0]);
        this.#stumble(error);
      },
    );
  }

  #state(): State {
    return { snapshot: this.#engine.snapshot(), batches: this.#batches(), doubtful: [...this.#doubtful], tickets: this.#tickets };
  }

  /** Another producer id is needed: nobody knows then what was sent under this one. */
  #renounced(): State {
    const numbers = this.#batches().flatMap((batch) => batch.numbers);
    return { ...EMPTY, doubtful: [...new Set([...this.#doubtful, ...numbers])] };
  }

  #batches(): HeldBatch[] {
    const now = Date.now();
    /** By partition, of the batches that follow: with the last one that it has, a broker forgets all. */
    const oldest = new Map<string, number>();
    const batches = this.#engine.numbered().reverse().map(({ slot, first, records, topic, partition }) => {
      const entries = this.#places.get(slot, first, records);
      const place = `${topic}/${partition}`;
      const newest = entries.reduce((latest, { timestamp }) => Math.max(latest, timestamp), 1);
      const since = Math.min(entries[0]!.since || now, newest, oldest.get(place) ?? now);
      oldest.set(place, since);
      for (const entry of entries) entry.since = since;
      return { topic: this.#intake.topics[topic]!.name, partition, numbers: entries.map(({ number }) => number), since };
    });
    return batches.reverse();
  }

  /** The store failed: perhaps it is better later. */
  #stumble(error: unknown): void {
    if (this.#isOver) return;
    if (error instanceof KlammError && error.code === 'LOCKED') {
      this.#end();
      this.#events.broken(error);
      return;
    }
    this.#events.troubled(error);
    setTimeout(() => {
      if (this.#isOver) return;
      this.#retry();
      this.wake();
    }, RETRY[1] / 10);
  }

  /** Sends at once what lingers. */
  hurry(): void {
    this.#isHurried = true;
    this.#doneSince = -Infinity;
    this.#driver?.schedule();
  }

  get isIdle(): boolean {
    return this.#recordsOut === 0 && this.#again.size === 0 && this.#done.length === 0 && !this.#isSaving && !this.#isLoading && !this.#hasMore;
  }

  /** Resolves when nothing is left in the store, or the sender has stopped. */
  idle(): Promise<void> {
    this.hurry();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#settleIdle();
    });
  }

  #settleIdle(): void {
    if (this.#idle.length === 0 || !(this.isIdle || this.#isOver)) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /**
   * Sends nothing more, and resolves when what has an outcome is removed: left for later it would be sent again, when
   * brokers have perhaps forgotten it. What has none is the next sender's.
   */
  stop(): Promise<void> {
    return (this.#stopping ??= new Promise((resolve) => {
      this.#stopped = resolve;
      if (this.#isOver || this.#driver === undefined) this.#end();
      else this.#driver.schedule();
    }));
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#laterTimer);
    this.#driver?.stop(true);
    this.#settleIdle();
    this.#stopped?.();
  }
}

/** Which of the stored batches is which of the core's; none if these are not the snapshot's. */
function held(engine: OutboxEngine, batches: readonly HeldBatch[]): [Held, HeldBatch][] | undefined {
  const byPartition = new Map<string, HeldBatch[]>();
  for (const batch of batches) {
    const place = `${engine.topic(batch.topic)}/${batch.partition}`;
    byPartition.set(place, [...(byPartition.get(place) ?? []), batch]);
  }
  const all: [Held, HeldBatch][] = [];
  for (const one of engine.numbered()) {
    const batch = byPartition.get(`${one.topic}/${one.partition}`)?.shift();
    if (batch?.numbers.length !== one.records) return undefined;
    all.push([one, batch]);
  }
  return all.length === batches.length ? all : undefined;
}

function message({ key, value, headers, partition, timestamp }: Row): Message {
  return { key, value, partition, timestamp, ...(headers.length === 0 ? {} : { headers: grouped(headers) }) };
}

function grouped(headers: readonly [string, Row['key']][]): Headers {
  const named: Record<string, (string | Uint8Array | null)[]> = {};
  for (const [name, content] of headers) (named[name] ??= []).push(content);
  return named;
}
