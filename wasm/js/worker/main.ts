// The thread with the producer.

import { parentPort, workerData } from 'node:worker_threads';

import { KlammError, SendError } from '../errors.js';
import { platform } from '../platform/node.js';
import { Producer } from '../producer.js';
import { returned } from '../returned.js';
import type { AnyOptions, Message, ProducerEvents, RecordMetadata } from '../types.js';
import { errorWords, STATS, type Asked, type FromWorker, type Places, type Sent, type Start, type ToWorker } from './words.js';

const { options, asked, stats } = workerData as Start;
const port = parentPort!;
const counters = new Float64Array(stats);
const aborts = new Map<number, AbortController>();
const answers = new Map<number, (answer: { value?: unknown; error?: string }) => void>();
let questions = 0;
let news: FromWorker[] = [];

/** News of one turn of the event loop go together. */
function tell(one: FromWorker): void {
  if (news.length === 0) setImmediate(say);
  news.push(one);
}

function say(): void {
  const all = producer.stats();
  STATS.forEach((name, n) => (counters[n] = all[name]));
  port.postMessage(news);
  news = [];
}

/** One of the program's functions. */
const ask = (what: Asked) => (): Promise<never> =>
  new Promise((resolve, reject) => {
    const id = questions++;
    answers.set(id, ({ value, error }) => (error === undefined ? resolve(value as never) : reject(new Error(error))));
    port.postMessage([{ ask: what, id } satisfies FromWorker]);
  });

function complete(given: AnyOptions): AnyOptions {
  // What waits here is bounded where it is handed over.
  const all: AnyOptions = { ...given, maxQueuedBytes: Infinity };
  if (asked.includes('brokers')) all.brokers = ask('brokers');
  if (asked.includes('token')) all.token = ask('token');
  if (asked.includes('oauthBearerProvider')) all.sasl = { ...all.sasl, oauthBearerProvider: ask('oauthBearerProvider') } as NonNullable<AnyOptions['sasl']>;
  return all;
}

const producer = new Producer(complete(options), platform);
producer.on('failed', ({ error, ...rest }) => tell({ event: 'failed', value: { ...rest, error: errorWords(error) } }));

function done(id: number, outcome: Promise<unknown>): void {
  outcome.then(
    () => tell({ done: id }),
    (error: unknown) => tell({ done: id, error: errorWords(error) }),
  );
}

function send({ id, topic, compression, isPost, hasSignal }: Sent, messages: Message[]): void {
  const abort = hasSignal ? new AbortController() : undefined;
  if (abort !== undefined) aborts.set(id, abort);
  const sent = producer.send({ topic, messages, compression, signal: abort?.signal });
  sent.then(
    (places) => tell(isPost ? { done: id } : { done: id, places: packed(places) }),
    // What became of messages that nobody waits for is told by events, where they were taken.
    (error: unknown) => tell(isPost && error instanceof SendError ? { done: id } : { done: id, error: errorWords(error) }),
  );
  if (abort !== undefined) void sent.catch(() => {}).finally(() => aborts.delete(id));
}

function packed(places: readonly RecordMetadata[]): Places {
  return {
    partitions: Int32Array.from(places, ({ partition }) => partition),
    offsets: BigInt64Array.from(places, ({ offset }) => offset ?? -1n),
    timestamps: Float64Array.from(places, ({ timestamp }) => timestamp ?? -1),
  };
}

port.on('message', (said: ToWorker) => {
  if ('calls' in said) {
    let at = 0;
    for (const call of said.calls) {
      send(call, returned(said.bytes.subarray(at, at + call.bytes)));
      at += call.bytes;
    }
  } else if ('connect' in said) {
    done(said.connect, producer.connect());
  } else if ('abort' in said) {
    aborts.get(said.abort)?.abort(new KlammError('ABORTED', 'aborted'));
  } else if ('flush' in said) {
    done(said.flush, producer.flush());
  } else if ('close' in said) {
    done(said.close, producer.close(said.timeoutMs === undefined ? {} : { timeoutMs: said.timeoutMs }));
  } else if ('hear' in said) {
    hear(said.hear);
  } else {
    answers.get(said.asked)?.(said);
    answers.delete(said.asked);
  }
});

function hear(name: keyof ProducerEvents): void {
  // Failures are told in any case, and `drain` is the other thread's own.
  if (name === 'failed' || name === 'drain') return;
  producer.on(name, (value) => {
    const error = (value as { error?: unknown }).error;
    tell({ event: name, value: error === undefined ? value : { ...(value as object), error: errorWords(error) } });
  });
}
