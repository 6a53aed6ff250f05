// The producer.

import { Posted, Sent } from './call.js';
import { closed, failure, KlammError } from './errors.js';
import { DELIVERED, Engine, type Report } from './engine.js';
import { Driver, type DriverEvents } from './driver.js';
import { Emitter } from './emitter.js';
import { Flushes } from './flush.js';
import { hasGzip } from './gzip.js';
import { Intake } from './intake.js';
import { CODECS, isBeyondPlain, normalize, pairs } from './options.js';
import type { Platform } from './platform.js';
import type { OnTicket } from './tickets.js';
import type { Topic } from './topic.js';
import { Tracker } from './tracker.js';
import { BOOTSTRAP } from './websocket.js';
import { writable, type WritableOptions } from './writable.js';
import type { AnyOptions, Bytes, Compression, Message, ProducerEvents, ProducerOptions, ProducerStats, RecordMetadata, SendOptions } from './types.js';

const STATS = ['accepted', 'delivered', 'notPersisted', 'unknown', 'buffered', 'requests', 'batches', 'retries', 'epochBumps', 'dataLosses', 'connects', 'throttledMs'] as const;
/** Bytes of messages that may wait, unless an option says so. */
const QUEUED_BYTES = 16 * 1024 * 1024;

/** `Symbol.asyncDispose`, or what stands for it where there is none yet. */
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as never);

/** A Kafka producer: exactly once and in order per partition, in bounded memory. */
export class Producer<K = Bytes, V = Bytes> extends Emitter<ProducerEvents> {
  readonly #options: AnyOptions;
  readonly #platform: Platform;
  readonly #tracker = new Tracker();
  readonly #flushes = new Flushes();
  readonly #intake: Intake;
  readonly #told: OnTicket = (event) => this.emit('ticket', event);
  #engine: Engine | undefined;
  #driver: Driver | undefined;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #isFull = false;
  #posted = new Map<string, Posted>();
  #lastStats: ProducerStats | undefined;

  constructor(options: ProducerOptions<K, V>, platform: Platform) {
    super();
    this.#options = normalize(options);
    this.#platform = platform;
    if ((this.#options.brokers === undefined) === (this.#options.bridge === undefined)) {
      throw new KlammError('CONFIG', 'either brokers or bridge is needed');
    }
    // Mistakes are the constructor's to tell.
    pairs(this.#options, false);
    platform.dial(this.#options, this.#told);
    this.#intake = new Intake(this.#options, this.#tracker, {
      passed: (call, count) => this.#flushes.passed(call.epoch, count),
      refused: (call, place, messages, error) => this.#failed(call.topic, -1, messages.length, error, messages, () => call.failed(place, messages.length, error)),
    });
  }

  /** Loads the module, which the first message would do as well. Connections are made when there is a topic. */
  connect(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    return (this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    }));
  }

  async #start(): Promise<void> {
    const options = this.#options;
    const [module, brokers] = await Promise.all([this.#platform.load(this.#isWhole), this.#servers()]);
    const numbers = pairs({ maxConnections: this.#platform.maxConnections, ...options }, this.#isWhole && hasGzip);
    const engine = await Engine.start(module, brokers, options.clientId ?? 'klamm', numbers);
    this.#engine = engine;
    this.#driver = new Driver(engine, this.#platform.dial(options, this.#told), this.#driverEvents());
    this.#intake.start(engine);
    this.#driver.schedule();
  }

  /** Does it take the module with all of the core? */
  get #isWhole(): boolean {
    const { codecs = this.#platform.hasAll === true } = this.#options;
    return codecs || isBeyondPlain(this.#options);
  }

  async #servers(): Promise<string> {
    const { brokers, bridge } = this.#options;
    if (bridge !== undefined) return `${BOOTSTRAP}:1`;
    const list = typeof brokers === 'function' ? await brokers() : brokers!;
    return typeof list === 'string' ? list : list.join(',');
  }

  #driverEvents(): DriverEvents {
    return {
      beforeTurn: () => {
        const moved = this.#intake.pump();
        return this.#flushes.ask(this.#engine!) || moved;
      },
      afterTurns: () => this.#afterTurns(),
      report: (report) => this.#report(report),
      connected: (broker) => this.emit('connected', { broker }),
      throttled: (broker, ms) => this.emit('throttled', { broker, ms }),
      disconnected: (broker, error) => this.emit('disconnected', { broker, error }),
      broken: (error) => this.#broken(error),
    };
  }

  #afterTurns(): number {
    const due = this.#intake.expire();
    this.#flushes.check(this.#engine!);
    if (this.#isFull && !this.#mustWait()) {
      this.#isFull = false;
      this.emit('drain', undefined);
    }
    return due;
  }

  #report(report: Report): void {
    const { batch, first, records, partition, outcome, offset, timestamp } = report;
    const topic = this.#intake.topics[report.topic]!;
    if (outcome === DELIVERED) {
      this.#tracker.settle(batch, first, records, (call, message, count, at) => {
        call.delivered(message, count, partition, offset === undefined ? undefined : offset + BigInt(at), timestamp);
      });
      if (!this.hears('delivered')) return;
      const event = { topic: topic.name, partition, offset, count: records };
      this.emit('delivered', timestamp === undefined ? event : { ...event, timestamp });
    } else {
      const error = failure(outcome, report.reason, report.code, topic.name, partition);
      const messages = report.returned && this.hears('failed') ? this.#platform.returned?.(report.returned) : undefined;
      this.#failed(topic, partition, records, error, messages, () => {
        this.#tracker.settle(batch, first, records, (call, message, count) => call.failed(message, count, error));
      });
    }
  }

  #failed(topic: Topic, partition: number, count: number, error: KlammError, messages: readonly Message[] | undefined, tell: () => void): void {
    tell();
    this.emit('failed', { topic: topic.name, partition, count, error, messages });
  }

  /**
   * Sends messages of one topic. Resolves with the place of each in the log, in their order, when all are delivered.
   * Messages that wait for metadata or memory are read later: do not change them before.
   *
   * @throws SendError if any was not delivered, with the outcome of each. KlammError `CLOSED`, `QUEUE_FULL`.
   */
  async send(options: SendOptions<K, V>): Promise<RecordMetadata[]> {
    const { topic, messages, compression, signal } = options;
    signal?.throwIfAborted();
    this.#check(topic, messages.length > 0);
    const call = new Sent(this.#intake.topic(topic), this.#flushes.epoch, messages as readonly Message[]);
    this.#take(call, messages as readonly Message[], this.#codec(compression));
    if (signal === undefined) return call.promise;
    const abort = (): void => {
      call.abandon(signal.reason);
      this.#intake.abort(call, new KlammError('ABORTED', `message of topic ${topic}: aborted before it was handed over`, { topic, cause: signal.reason }));
    };
    signal.addEventListener('abort', abort, { once: true });
    return call.promise.finally(() => signal.removeEventListener('abort', abort));
  }

  /**
   * Sends a message without a promise: what becomes of it are the events `delivered` and `failed`. False if it is time
   * to wait for `ready()`, or the event `drain`; the message was taken all the same.
   *
   * @throws KlammError `CLOSED`, `QUEUE_FULL`: it was not taken.
   */
  post(topic: string, message: Message<K, V>): boolean {
    this.#check(topic, true);
    let call = this.#posted.get(topic);
    if (call === undefined || call.epoch !== this.#flushes.epoch) {
      call = new Posted(this.#intake.topic(topic), this.#flushes.epoch);
      if (call.topic.handle >= 0) this.#posted.set(topic, call);
    }
    this.#take(call, [message as Message], -1);
    this.#isFull ||= this.#mustWait();
    return !this.#isFull;
  }

  /** Resolves when there is room for more messages. */
  ready(): Promise<void> {
    if (!this.#isFull) return Promise.resolve();
    return new Promise((resolve) => {
      this.once('drain', resolve);
    });
  }

  #check(topic: unknown, adds: boolean): void {
    if (this.#isClosed) throw closed();
    if (typeof topic !== 'string') throw new KlammError('INVALID_TOPIC', `topic: ${String(topic)} is no text`);
    const limit = this.#options.maxQueuedBytes ?? QUEUED_BYTES;
    if (adds && this.#intake.queuedBytes >= limit) {
      throw new KlammError('QUEUE_FULL', `${this.#intake.queued} messages wait (maxQueuedBytes = ${limit}): await ready() or send()`, { topic });
    }
  }

  #mustWait(): boolean {
    return this.#intake.isBlocked || this.#intake.queuedBytes > (this.#options.maxQueuedBytes ?? QUEUED_BYTES) / 2;
  }

  #codec(compression: Compression | undefined): number {
    if (compression === undefined) return -1;
    const codec = CODECS.indexOf(compression);
    if (codec < 0 || (codec > 0 && !this.#isWhole)) {
      const why = codec < 0 ? `none of ${CODECS.join(', ')}` : 'not loaded; set compressionType, or codecs: true';
      throw new KlammError('CODEC', `compression: ${compression} is ${why}`);
    }
    return codec;
  }

  #take(call: Sent | Posted, messages: readonly Message[], codec: number): void {
    this.#flushes.taken(messages.length);
    this.#intake.take(call, messages, codec);
    if (this.#driver !== undefined) this.#driver.schedule();
    else this.connect().catch((error: unknown) => this.#intake.clear(asKlamm(error)));
  }

  /** Sends what lingers, and resolves when everything that was handed over before has its outcome. */
  flush(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    if (this.#engine === undefined && this.#intake.queued === 0) return Promise.resolve();
    const flushed = this.#flushes.begin();
    this.#driver?.schedule();
    return flushed;
  }

  /**
   * Accepts nothing more, and resolves when everything has its outcome: at the latest after `timeoutMs`, when what is
   * left is given up and reported so.
   */
  close({ timeoutMs }: { timeoutMs?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#close(timeoutMs));
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    const flushed = this.flush();
    this.#isClosed = true;
    try {
      // Messages may have been handed over while the module is loaded.
      await this.#starting;
    } catch {
      this.#flushes.end();
      return;
    }
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => this.#giveUp(), timeoutMs);
    await flushed;
    clearTimeout(timer);
    this.#lastStats = this.stats();
    this.#driver?.stop(true);
    this.#engine = undefined;
  }

  #giveUp(): void {
    this.#intake.clear(new KlammError('PURGED', 'given up when the producer was closed'));
    this.#engine?.purge();
    this.#driver?.schedule();
  }

  /** The module is of no use any more: says so of every message. */
  #broken(error: unknown): void {
    this.#isClosed = true;
    const known = asKlamm(error);
    const unknown = new KlammError('INTERNAL', `${known.message}; the message may be in the log`, { persisted: 'unknown', cause: error });
    this.#lastStats = undefined;
    this.#engine = undefined;
    this.#driver = undefined;
    this.#intake.clear(known);
    this.#tracker.settleAll((call, message, count) => {
      this.#failed(call.topic, -1, count, unknown, undefined, () => call.failed(message, count, unknown));
    });
    this.#flushes.end();
  }

  /** Counters since the start. */
  stats(): ProducerStats {
    const { queued } = this.#intake;
    if (this.#engine === undefined) {
      return this.#lastStats ?? ({ ...Object.fromEntries(STATS.map((name) => [name, 0])), queued, freeBytes: 0 } as unknown as ProducerStats);
    }
    const counters = this.#engine.stats();
    const named = Object.fromEntries(STATS.map((name, n) => [name, counters[n]]));
    return { ...named, queued, freeBytes: this.#engine.freeBytes() } as unknown as ProducerStats;
  }

  /** A stream that sends what is written to it, and takes no more than there is room for. */
  writable(options: WritableOptions): WritableStream<Message<K, V> | readonly Message<K, V>[]> {
    return writable(this, options);
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }
}

function asKlamm(error: unknown): KlammError {
  return error instanceof KlammError ? error : new KlammError('INTERNAL', String(error), { cause: error });
}
