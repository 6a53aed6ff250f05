// The outbox: records go into a store first, and from there to Kafka.

import { Sent } from '../call.js';
import { Emitter } from '../emitter.js';
import { closed, KlammError, type ErrorCode } from '../errors.js';
import { normalize, pairs } from '../options.js';
import type { Platform } from '../platform.js';
import { list, plain } from '../staging.js';
import { Topic } from '../topic.js';
import type { AnyOptions, Bytes, Message, RecordMetadata } from '../types.js';
import { Sender } from './sender.js';
import type { Row, Store, Usage } from './store.js';
import type { News, Tabs } from './tabs.js';
import type { AnyOutboxOptions, OutboxEvents, OutboxOptions, Stored } from './types.js';

const DAY = 24 * 60 * 60 * 1000;
/** Bytes that a record counts for besides its contents. */
const OVERHEAD = 64;
/** Milliseconds between two looks for what is too old, at most, and between attempts to start a sender. */
const LOOK = 60_000;
const AGAIN = 1_000;
/** Milliseconds between two looks at what another tab has left. */
const POLL = 50;

/** What a runtime brings. */
export interface OutboxPlatform extends Platform {
  store(options: AnyOutboxOptions): Store;
  tabs(options: AnyOutboxOptions, hear: (news: News) => void): Tabs;
}

/** Messages that were handed over in one call. */
interface Put {
  rows: Row[];
  sent: Sent;
  resolve: (numbers: number[]) => void;
  reject: (error: unknown) => void;
}

/** `Symbol.asyncDispose`, or what stands for it where there is none yet. */
const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as never);

/** Records that survive a reload, a crash and a week offline. */
export class Outbox<K = Bytes, V = Bytes> extends Emitter<OutboxEvents> {
  readonly #options: AnyOutboxOptions;
  readonly #platform: OutboxPlatform;
  readonly #store: Store;
  readonly #tabs: Tabs;
  #puts: Put[] = [];
  #isAdding = false;
  /** Calls of this tab by the numbers of their messages. */
  readonly #waiting = new Map<number, { sent: Sent; place: number }>();
  #sender: Sender | undefined;
  #isLeading = false;
  #again = AGAIN;
  #ageTimer: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;
  readonly #leaving: () => void;

  constructor(options: OutboxOptions<K, V>, platform: OutboxPlatform) {
    super();
    const { name, directory, maxBytes, policy, maxAgeMs, brokerMemoryMs, ...rest } = options;
    this.#options = { ...normalize(rest as AnyOptions), name, directory, maxBytes, policy, maxAgeMs, brokerMemoryMs };
    this.#platform = platform;
    if ((options.brokers === undefined) === (options.bridge === undefined)) throw new KlammError('CONFIG', 'either brokers or bridge is needed');
    if (policy !== undefined && policy !== 'reject' && policy !== 'drop-oldest') throw new KlammError('CONFIG', `policy: ${String(policy)} is neither reject nor drop-oldest`);
    // Mistakes are the constructor's to tell.
    pairs(this.#options as AnyOptions, false);
    platform.dial(this.#options as AnyOptions, () => {});
    this.#store = platform.store(this.#options);
    this.#tabs = platform.tabs(this.#options, (news) => this.#hear(news));
    this.#leaving = () => this.#hurry();
    globalThis.addEventListener?.('pagehide', this.#leaving);
    globalThis.document?.addEventListener('visibilitychange', this.#leaving);
    this.#lead();
  }

  /** Does this one send? One at a time does, among all tabs. */
  get isLeading(): boolean {
    return this.#isLeading;
  }

  #lead(): void {
    this.#tabs.lead().then(
      () => {
        if (this.#closing !== undefined) return;
        this.#isLeading = true;
        this.#tabs.tell({ kind: 'leading' });
        this.emit('leading', undefined);
        this.#begin();
      },
      (error: unknown) => {
        if (this.#closing === undefined) this.emit('error', asKlamm(error));
      },
    );
  }

  #begin(): void {
    if (this.#closing !== undefined) return;
    const { brokerMemoryMs = DAY, maxAgeMs, ...options } = this.#options;
    const sender = new Sender(options as AnyOptions, this.#platform, this.#store, brokerMemoryMs, {
      delivered: (number, place, doubtful) => {
        this.#again = AGAIN;
        this.#settle({ kind: 'delivered', number, place, doubtful });
      },
      failed: (number, topic, { code, message, persisted, brokerCode }) => this.#settle({ kind: 'failed', number, topic, code, message, persisted, brokerCode }),
      delayed: (topic, count, error) => this.emit('delayed', { topic, count, error }),
      broken: (error) => this.#restart(error),
      troubled: (error) => this.emit('error', asKlamm(error)),
      connected: (broker) => this.emit('connected', { broker }),
      throttled: (broker, ms) => this.emit('throttled', { broker, ms }),
      disconnected: (broker, error) => this.emit('disconnected', { broker, error }),
    });
    this.#sender = sender;
    this.#expire()
      .then(() => sender.start())
      .catch((error: unknown) => {
        void sender.stop();
        this.#restart(asKlamm(error));
      });
    if (maxAgeMs !== undefined) this.#ageTimer ??= setInterval(() => this.#expire().catch((error: unknown) => this.emit('error', asKlamm(error))), Math.min(maxAgeMs, LOOK));
    // What only grows old keeps no program of Node's alive.
    (this.#ageTimer as { unref?: () => void } | undefined)?.unref?.();
  }

  /** What is stored is there still, for another sender. */
  #restart(error: KlammError): void {
    this.#sender = undefined;
    this.emit('error', error);
    if (error.code === 'LOCKED') {
      // Another tab has the place.
      this.#isLeading = false;
      return;
    }
    setTimeout(() => this.#begin(), this.#again);
    this.#again = Math.min(this.#again * 2, LOOK);
  }

  async #expire(): Promise<void> {
    const { maxAgeMs } = this.#options;
    if (maxAgeMs === undefined) return;
    const numbers = await this.#store.expire(Date.now() - maxAgeMs);
    if (numbers.length > 0) this.#settle({ kind: 'dropped', numbers, why: 'age' });
  }

  /**
   * Stores messages of one topic, all or none. Resolves when they are safe: from then on they are sent, in this order,
   * whatever happens to this page or process.
   *
   * @throws KlammError `CLOSED`, `QUEUE_FULL` (`maxBytes`, or the browser's own limit), `STORE`, `INVALID_MESSAGE`.
   */
  async send({ topic, messages }: { topic: string; messages: readonly Message<K, V>[] }): Promise<Stored> {
    if (this.#closing !== undefined) throw closed();
    if (typeof topic !== 'string') throw new KlammError('INVALID_TOPIC', `topic: ${String(topic)} is no text`);
    const rows = messages.map((message) => this.#row(topic, message as Message));
    const sent = new Sent(new Topic(topic), 0, messages as readonly Message[]);
    // Whoever does not wait for it hears of it by events.
    sent.promise.catch(() => {});
    const numbers = await new Promise<number[]>((resolve, reject) => {
      this.#puts.push({ rows, sent, resolve, reject });
      // Calls of one turn of the event loop share a transaction, and those that come while it runs the next one.
      if (!this.#isAdding) queueMicrotask(() => this.#add(false));
    });
    return { numbers, delivered: sent.promise };
  }

  #row(topic: string, message: Message): Row {
    const { keyMaker, serializers } = this.#options;
    let key: unknown = message.key === undefined ? keyMaker?.(message, topic) : message.key;
    let value: unknown = message.value;
    if (value === undefined) throw new KlammError('INVALID_MESSAGE', `message of topic ${topic} without a value: null is one`, { topic });
    if (key !== null && key !== undefined && serializers?.key !== undefined) key = serializers.key(key, topic);
    if (value !== null && serializers?.value !== undefined) value = serializers.value(value, topic);
    const own = (content: unknown, what: string) => {
      const given = plain(content as Bytes | null, what);
      // A copy: the caller may change its own, or it may be a part of something large.
      return typeof given === 'object' && given !== null ? given.slice() : given;
    };
    const now = Date.now();
    const headers = message.headers === undefined ? [] : list(message.headers).entries.map(([name, content]): Row['headers'][number] => [name, own(content, name)]);
    const row: Row = { topic, key: own(key, 'key'), value: own(value, 'value'), headers, partition: message.partition, timestamp: Number(message.timestamp ?? now), storedAt: now, bytes: 0 };
    if (!Number.isSafeInteger(row.timestamp)) throw new KlammError('INVALID_MESSAGE', `timestamp: ${String(message.timestamp)} is no whole number of milliseconds`);
    row.bytes = OVERHEAD + weight(row.key) + weight(row.value);
    for (const [header, content] of headers) row.bytes += weight(header) + weight(content);
    return row;
  }

  /** Stores what was handed over, in order; at most one transaction at a time, unless there may be no later. */
  async #add(atOnce: boolean): Promise<void> {
    if ((this.#isAdding && !atOnce) || this.#puts.length === 0) return;
    this.#isAdding = true;
    const puts = this.#puts.splice(0);
    await this.#addAll(puts);
    this.#isAdding = false;
    if (this.#puts.length > 0) await this.#add(false);
  }

  async #addAll(puts: readonly Put[]): Promise<void> {
    const { maxBytes = 64 * 1024 * 1024, policy } = this.#options;
    const limits = { maxBytes, dropsOldest: policy === 'drop-oldest' };
    try {
      const { numbers, dropped } = await this.#store.add(puts.flatMap(({ rows }) => rows), limits);
      let at = 0;
      for (const { rows, sent, resolve } of puts) {
        const mine = numbers.slice(at, (at += rows.length));
        mine.forEach((number, place) => this.#waiting.set(number, { sent, place }));
        resolve(mine);
      }
      if (dropped.length > 0) this.#settle({ kind: 'dropped', numbers: dropped, why: 'bytes' });
      this.#sender?.wake();
      this.#tabs.tell({ kind: 'stored' });
    } catch (error) {
      // Together they may be too much: each call for itself then.
      if (puts.length > 1) for (const put of puts) await this.#addAll([put]);
      else puts[0]!.reject(error);
    }
  }

  #hear(news: News): void {
    switch (news.kind) {
      case 'stored':
        this.#sender?.wake();
        break;
      case 'leading':
        this.#missed().catch((error: unknown) => this.emit('error', asKlamm(error)));
        break;
      default:
        this.#apply(news, false);
    }
  }

  /** Here and in the tab that stored it. */
  #settle(news: Exclude<News, { kind: 'stored' | 'leading' }>): void {
    this.#tabs.tell(news);
    this.#apply(news, true);
  }

  #apply(news: Exclude<News, { kind: 'stored' | 'leading' }>, isHere: boolean): void {
    switch (news.kind) {
      case 'delivered': {
        const { number, place, doubtful } = news;
        const waiting = this.#forget(number);
        waiting?.sent.delivered(waiting.place, 1, place.partition, place.offset, place.timestamp);
        if (waiting === undefined && !isHere) return;
        this.emit('delivered', { number, ...place });
        if (doubtful) this.emit('possiblyDuplicated', { number, ...place });
        break;
      }
      case 'failed': {
        const { number, topic, code, message, persisted, brokerCode } = news;
        const error = new KlammError(code as ErrorCode, message, { topic, persisted, brokerCode });
        const waiting = this.#forget(number);
        waiting?.sent.failed(waiting.place, 1, error);
        if (waiting !== undefined || isHere) this.emit('failed', { number, topic, error });
        break;
      }
      default:
        for (const number of news.numbers) {
          const waiting = this.#forget(number);
          waiting?.sent.failed(waiting.place, 1, new KlammError('DROPPED', `record ${number} dropped: ${news.why === 'age' ? 'too old (maxAgeMs)' : 'no room (maxBytes)'}`));
          if (waiting !== undefined || isHere) this.emit('dropped', { number, why: news.why });
        }
    }
  }

  #forget(number: number): { sent: Sent; place: number } | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    return waiting;
  }

  /** The tab that sent is gone: what it removed without a word of it is not there any more. */
  async #missed(): Promise<void> {
    const numbers = [...this.#waiting.keys()];
    const there = new Set((await this.#store.get(numbers)).map(({ number }) => number));
    for (const number of numbers) {
      if (there.has(number)) continue;
      const waiting = this.#forget(number);
      waiting?.sent.failed(waiting.place, 1, new KlammError('INTERNAL', `record ${number} was sent by a tab that is gone, and its outcome with it`, { persisted: 'unknown' }));
    }
  }

  /** The page may be gone in a moment. */
  #hurry(): void {
    void this.#add(true);
    this.#sender?.hurry();
  }

  /** Sends what lingers, and resolves when nothing is left in the store, whichever tab sends, or when this one is closed. */
  async flush(): Promise<void> {
    while (this.#puts.length > 0 || this.#isAdding) await sleep(1);
    // A sender that ends before that leaves the rest to the next one, here or in another tab.
    while (this.#closing === undefined && (await this.#store.usage()).records > 0) await (this.#sender?.idle() ?? sleep(POLL));
  }

  /** What is stored and has no outcome. */
  usage(): Promise<Usage> {
    return this.#store.usage();
  }

  /** Accepts and sends nothing more. What is stored waits for the next one; to send it first, `flush`. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    globalThis.removeEventListener?.('pagehide', this.#leaving);
    globalThis.document?.removeEventListener('visibilitychange', this.#leaving);
    clearInterval(this.#ageTimer);
    while (this.#puts.length > 0 || this.#isAdding) await sleep(1);
    await this.#sender?.stop();
    await this.#store.close();
    await this.#tabs.close();
  }

  [asyncDispose](): Promise<void> {
    return this.close();
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function weight(content: string | Uint8Array | null): number {
  return content?.length ?? 0;
}

function asKlamm(error: unknown): KlammError {
  return error instanceof KlammError ? error : new KlammError('STORE', String(error), { cause: error });
}

export type { RecordMetadata };
