// What the thread with the program and the one with the producer say to each other.

import { KlammError, SendError, type KlammErrorDetails } from '../errors.js';
import type { AnyOptions, Compression, ProducerEvents, ProducerStats, RecordMetadata } from '../types.js';

/** Functions of the program that the producer's thread asks for: they stay where they are. */
export const ASKED = ['brokers', 'token', 'oauthBearerProvider'] as const;
export type Asked = (typeof ASKED)[number];

/** What a worker starts with. */
export interface Start {
  options: AnyOptions;
  asked: Asked[];
  /** Where it writes the counters. */
  stats: SharedArrayBuffer;
}

/** Counters in the order in which they lie there. */
export const STATS: readonly (keyof ProducerStats)[] = ['accepted', 'delivered', 'notPersisted', 'unknown', 'buffered', 'requests', 'batches', 'retries', 'epochBumps', 'dataLosses', 'connects', 'throttledMs', 'queued', 'freeBytes'];

/** Messages of a call; they lie one after the other in the packet's bytes. */
export interface Sent {
  id: number;
  topic: string;
  /** Bytes of the packet. */
  bytes: number;
  compression: Compression | undefined;
  /** Nobody asks where its messages are. */
  isPost: boolean;
  hasSignal: boolean;
}

export type ToWorker =
  | { calls: Sent[]; bytes: Uint8Array }
  | { connect: number }
  | { abort: number }
  | { flush: number }
  | { close: number; timeoutMs: number | undefined }
  | { hear: keyof ProducerEvents }
  | { asked: number; value?: unknown; error?: string };

/** Where the messages of a call are. */
export interface Places {
  partitions: Int32Array;
  /** -1 for none. */
  offsets: BigInt64Array;
  /** -1 for none. */
  timestamps: Float64Array;
}

export type FromWorker =
  | { done: number; places?: Places; error?: ErrorWords }
  | { event: keyof ProducerEvents; value: unknown }
  | { ask: Asked; id: number };

/** An error, for classes do not get over. */
export interface ErrorWords {
  code: KlammError['code'];
  message: string;
  details: KlammErrorDetails;
  /** Of a `SendError`. */
  results?: (RecordMetadata | ErrorWords)[];
}

export function errorWords(error: unknown): ErrorWords {
  if (!(error instanceof KlammError)) return { code: 'INTERNAL', message: String(error), details: {} };
  const { code, message, persisted, brokerCode, topic, partition } = error;
  const details: KlammErrorDetails = { persisted, brokerCode };
  if (topic !== undefined) details.topic = topic;
  if (partition !== undefined) details.partition = partition;
  const words: ErrorWords = { code, message, details };
  // Many messages have the same one.
  const known = new Map<KlammError, ErrorWords>();
  const wordsOf = (one: KlammError): ErrorWords => {
    const found = known.get(one) ?? errorWords(one);
    known.set(one, found);
    return found;
  };
  if (error instanceof SendError) words.results = error.results.map((one) => (one instanceof KlammError ? wordsOf(one) : one));
  return words;
}

export function errorOf({ code, message, details }: ErrorWords): KlammError {
  return new KlammError(code, message, details);
}

export function isError(one: RecordMetadata | ErrorWords): one is ErrorWords {
  return 'message' in one;
}
