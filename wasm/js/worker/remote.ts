// A producer in a thread of its own, from where the program is. Messages go over in packets, a few in a turn of the event
// loop, and so do outcomes.

import { Worker } from 'node:worker_threads';

import { closed, KlammError, SendError } from '../errors.js';
import { normalize } from '../options.js';
import { asMessageError, checkPartition, serialized } from '../serialized.js';
import type { AnyOptions, Message, ProducerEvents, ProducerStats, RecordMetadata, SendOptions } from '../types.js';
import { Packet } from './packet.js';
import { ASKED, errorOf, isError, STATS, type Asked, type ErrorWords, type FromWorker, type Places, type Sent, type Start, type ToWorker } from './words.js';

/** A packet goes when it has so many bytes, or when the turn ends. */
const PACKET_BYTES = 256 * 1024;
const MIB = 1024 * 1024;
/** Functions that cannot go to another thread, and are of no use from there. */
const STAY = ['partitioner', 'transport', 'webSocket'] as const;

type Tell = <Name extends keyof ProducerEvents>(name: Name, event: ProducerEvents[Name]) => void;

/** A call whose outcome is not known. */
interface Open {
  topic: string;
  /** Messages that went over. */
  count: number;
  /** What they count for in the bound. */
  bytes: number;
  /** Tells what became of them: where they are, or why not. Nothing for posts, of which the worker tells by events. */
  settle: ((places: Places | undefined, error: ErrorWords | undefined) => void) | undefined;
}

export class Remote {
  readonly #options: AnyOptions;
  readonly #tell: Tell;
  readonly #worker: Worker;
  readonly #counters: Float64Array;
  readonly #functions: Partial<Record<Asked, () => unknown>> = {};
  readonly #packet = new Packet();
  /** Whose messages are in the packet. */
  #calls: Sent[] = [];
  #isScheduled = false;
  readonly #open = new Map<number, Open>();
  /** Other answers that are waited for. */
  readonly #waits = new Map<number, { resolve: () => void; reject: (error: unknown) => void }>();
  readonly #heardOf = new Set<keyof ProducerEvents>();
  #numbers = 0;
  /** Bytes of messages without an outcome. */
  #bytes = 0;
  #isFull = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  /** The thread is gone, on purpose or not. */
  #isOver = false;

  constructor(given: AnyOptions, tell: Tell) {
    this.#options = normalize(given);
    this.#tell = tell;
    for (const name of STAY) {
      if (typeof this.#options[name] !== 'function') continue;
      const instead = name === 'webSocket' ? ': from version 22 on Node has one in every thread' : '';
      throw new KlammError('UNSUPPORTED', `worker: ${name} is a function, which cannot go to another thread${instead}`);
    }
    const stats = new SharedArrayBuffer(STATS.length * 8);
    this.#counters = new Float64Array(stats);
    const options = this.#movable();
    const workerData: Start = { options, asked: ASKED.filter((name) => this.#functions[name] !== undefined), stats };
    try {
      this.#worker = new Worker(new URL('../worker/main.js', import.meta.url), { workerData });
    } catch (cause) {
      throw new KlammError('UNSUPPORTED', `worker: an option cannot go to another thread: ${String(cause)}`, { cause });
    }
    this.#worker.on('message', (news: FromWorker[]) => news.forEach((one) => this.#heard(one)));
    this.#worker.on('error', (cause) => this.#died(cause));
    this.#worker.on('exit', () => this.#died(undefined));
  }

  /** The options that go over. */
  #movable(): AnyOptions {
    const { serializers: _, keyMaker: __, brokers, token, sasl, ...rest } = this.#options;
    const options: AnyOptions = rest;
    if (typeof brokers === 'function') this.#functions.brokers = brokers;
    else if (brokers !== undefined) options.brokers = brokers;
    if (typeof token === 'function') this.#functions.token = token;
    else if (token !== undefined) options.token = token;
    if (options.bridge !== undefined) options.bridge = String(options.bridge);
    if (sasl?.mechanism === 'oauthbearer') {
      const { oauthBearerProvider, ...others } = sasl;
      this.#functions.oauthBearerProvider = oauthBearerProvider;
      options.sasl = others as NonNullable<AnyOptions['sasl']>;
    } else if (sasl !== undefined) {
      options.sasl = sasl;
    }
    return options;
  }

  /** Somebody listens to these events from now on; the other thread tells of them for ever then. */
  hear(name: keyof ProducerEvents): void {
    if (this.#heardOf.has(name)) return;
    this.#heardOf.add(name);
    this.#say({ hear: name });
  }

  connect(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closed());
    return this.#ask((connect) => ({ connect }));
  }

  async send({ topic, messages, compression, signal }: SendOptions): Promise<RecordMetadata[]> {
    signal?.throwIfAborted();
    this.#check(topic, messages.length > 0);
    if (messages.length === 0) return [];
    const id = this.#numbers++;
    const results = new Array<RecordMetadata | KlammError | undefined>(messages.length);
    const sent = new Promise<RecordMetadata[]>((resolve, reject) => {
      const settle = (places?: Places, error?: ErrorWords): void => {
        fill(results, topic, places, error);
        const all = results as (RecordMetadata | KlammError)[];
        const failed = all.filter((one) => one instanceof KlammError);
        if (failed.length === 0) resolve(all as RecordMetadata[]);
        else reject(new SendError(failed[0]!, all, failed.length));
      };
      const call: Sent = { id, topic, bytes: 0, compression, isPost: false, hasSignal: signal !== undefined };
      const open: Open = { topic, count: 0, bytes: 0, settle };
      messages.forEach((message, n) => {
        const error = this.#put(call, open, message);
        if (error !== undefined) results[n] = error;
      });
      if (open.count === 0) settle();
      else this.#add(call, open);
    });
    if (signal === undefined) return sent;
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#flushPacket();
        this.#say({ abort: id });
        reject(signal.reason);
      };
      signal.addEventListener('abort', abort, { once: true });
      sent.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }

  post(topic: string, message: Message): boolean {
    this.#check(topic, true);
    let call = this.#calls[this.#calls.length - 1];
    let open = call === undefined ? undefined : this.#open.get(call.id);
    if (call === undefined || open === undefined || !call.isPost || call.topic !== topic) {
      call = { id: this.#numbers++, topic, bytes: 0, compression: undefined, isPost: true, hasSignal: false };
      open = { topic, count: 0, bytes: 0, settle: undefined };
    }
    const isNew = open.count === 0;
    const error = this.#put(call, open, message);
    if (error === undefined && isNew) this.#add(call, open);
    this.#isFull ||= this.#bytes > this.#limit / 2;
    return !this.#isFull;
  }

  /** Puts a message into the packet, or says why not. */
  #put(call: Sent, open: Open, message: Message): KlammError | undefined {
    const before = this.#packet.end;
    try {
      checkPartition(message.partition, call.topic);
      this.#packet.put(message, ...serialized(message, call.topic, this.#options));
    } catch (thrown) {
      const error = asMessageError(thrown, call.topic);
      this.#tell('failed', { topic: call.topic, partition: -1, count: 1, error, messages: [message] });
      return error;
    }
    const bytes = this.#packet.end - before;
    call.bytes += bytes;
    open.bytes += bytes;
    open.count++;
    this.#bytes += bytes;
    return undefined;
  }

  #add(call: Sent, open: Open): void {
    this.#open.set(call.id, open);
    this.#calls.push(call);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#flushPacket());
  }

  #flushPacket(): void {
    this.#isScheduled = false;
    if (this.#calls.length === 0) return;
    const [calls, bytes] = [this.#calls, this.#packet.take()];
    this.#calls = [];
    this.#say({ calls, bytes }, [bytes.buffer as ArrayBuffer]);
  }

  get #limit(): number {
    const { bufferMemory = 16 * MIB, maxQueuedBytes = 16 * MIB } = this.#options;
    return bufferMemory + maxQueuedBytes;
  }

  #check(topic: unknown, adds: boolean): void {
    if (this.#isClosed) throw closed();
    if (typeof topic !== 'string') throw new KlammError('INVALID_TOPIC', `topic: ${String(topic)} is no text`);
    // In the middle of a turn, too: another thread has work then.
    if (this.#packet.end >= PACKET_BYTES) this.#flushPacket();
    if (adds && this.#bytes >= this.#limit) {
      throw new KlammError('QUEUE_FULL', `${this.#bytes} bytes of messages wait (bufferMemory + maxQueuedBytes = ${this.#limit}): await ready() or send()`, { topic });
    }
  }

  /** Resolves when there is room for more messages. */
  get isFull(): boolean {
    return this.#isFull;
  }

  flush(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#flushPacket();
    return this.#ask((flush) => ({ flush }));
  }

  close(timeoutMs: number | undefined): Promise<void> {
    return (this.#closing ??= this.#close(timeoutMs));
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    this.#isClosed = true;
    this.#flushPacket();
    await this.#ask((close) => ({ close, timeoutMs }));
    this.#isOver = true;
    await this.#worker.terminate();
  }

  stats(): ProducerStats {
    return Object.fromEntries(STATS.map((name, n) => [name, this.#counters[n]])) as unknown as ProducerStats;
  }

  #say(words: ToWorker, transferred: ArrayBuffer[] = []): void {
    if (!this.#isOver) this.#worker.postMessage(words, transferred);
  }

  #ask(words: (id: number) => ToWorker): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const id = this.#numbers++;
      this.#waits.set(id, { resolve, reject });
      this.#say(words(id));
    });
  }

  #heard(one: FromWorker): void {
    if ('done' in one) this.#done(one.done, one.places, one.error);
    else if ('ask' in one) this.#answer(one.ask, one.id);
    else {
      const { error, ...rest } = one.value as { error?: ErrorWords };
      const event = error === undefined ? rest : { ...rest, error: errorOf(error) };
      this.#tell(one.event, event as never);
    }
  }

  #done(id: number, places: Places | undefined, error: ErrorWords | undefined): void {
    const wait = this.#waits.get(id);
    if (wait !== undefined) {
      this.#waits.delete(id);
      if (error === undefined) wait.resolve();
      else wait.reject(errorOf(error));
      return;
    }
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#bytes -= open.bytes;
    if (open.settle !== undefined) open.settle(places, error);
    // Of these the worker had nothing to tell.
    else if (error !== undefined) this.#lost(open, error);
    if (this.#isFull && this.#bytes <= this.#limit / 4) {
      this.#isFull = false;
      this.#tell('drain', undefined);
    }
  }

  #lost({ topic, count }: Open, error: ErrorWords): void {
    this.#tell('failed', { topic, partition: -1, count, error: errorOf(error), messages: undefined });
  }

  #answer(what: Asked, id: number): void {
    Promise.resolve()
      .then(() => this.#functions[what]!())
      .then(
        (value) => this.#say({ asked: id, value }),
        (error: unknown) => this.#say({ asked: id, error: String(error) }),
      );
  }

  /** The thread ended by itself: nobody knows what became of what it had. */
  #died(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = this.#isClosed = true;
    const why = cause === undefined ? '' : `: ${String(cause)}`;
    const error: ErrorWords = { code: 'INTERNAL', message: `the producer's thread ended${why}; the message may be in the log`, details: { persisted: 'unknown', cause } };
    for (const [id, open] of [...this.#open]) {
      if (open.settle !== undefined) this.#lost(open, error);
      this.#done(id, undefined, error);
    }
    for (const { resolve } of this.#waits.values()) resolve();
    this.#waits.clear();
  }
}

/** Puts outcomes where no message was refused before. */
function fill(results: (RecordMetadata | KlammError | undefined)[], topic: string, places: Places | undefined, error: ErrorWords | undefined): void {
  const made = new Map<ErrorWords, KlammError>();
  const of = (words: ErrorWords): KlammError => {
    const known = made.get(words) ?? errorOf(words);
    made.set(words, known);
    return known;
  };
  let at = 0;
  for (let n = 0; n < results.length; n++) {
    if (results[n] !== undefined) continue;
    if (places !== undefined) results[n] = place(topic, places, at);
    else {
      const one = error?.results?.[at] ?? error!;
      results[n] = isError(one) ? of(one) : one;
    }
    at++;
  }
}

function place(topic: string, { partitions, offsets, timestamps }: Places, at: number): RecordMetadata {
  const offset = offsets[at]! < 0n ? undefined : offsets[at]!;
  const found: RecordMetadata = { topic, partition: partitions[at]!, offset };
  return timestamps[at]! < 0 ? found : { ...found, timestamp: timestamps[at]! };
}
