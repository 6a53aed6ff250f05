// What a program sees of the outbox.

import type { KlammError } from '../errors.js';
import type { Bytes, ProducerOptions, RecordMetadata } from '../types.js';

/** Options of the producer that make no sense here: the outbox waits as long as it takes, and is always idempotent. */
type Fixed = 'acks' | 'enableIdempotence' | 'retries' | 'deliveryTimeoutMs' | 'maxBlockMs' | 'maxQueuedBytes' | 'codecs' | 'stopOnDataLoss';

export interface OutboxOptions<K = Bytes, V = Bytes> extends Omit<ProducerOptions<K, V>, Fixed> {
  /** In a page: which outbox of this origin. All tabs with the same name share it. Default 'klamm'. */
  name?: string;
  /** In Node, Deno and Bun: the directory it lives in, which is made if need be. One process at a time has it. */
  directory?: string;
  /** Bytes of records that may be stored. Default 64 MiB. */
  maxBytes?: number;
  /** What happens then: `reject` new ones with `QUEUE_FULL` (default), or drop the oldest that are not being sent. */
  policy?: 'reject' | 'drop-oldest';
  /** Drop what could not be sent for so long. Default: never. */
  maxAgeMs?: number;
  /**
   * How long brokers remember a producer that sends nothing (`producer.id.expiration.ms`): what is sent again later than
   * that may be stored twice, and is reported so. Default a day.
   */
  brokerMemoryMs?: number;
}

/** What became of messages that were handed over. */
export interface Stored {
  /** They are safe: the numbers under which they are stored. */
  numbers: number[];
  /** Where they are in the log. Lasts as long as it takes; after a reload only the events tell. */
  delivered: Promise<RecordMetadata[]>;
}

/** One record, by its number in the store. */
export interface Delivered extends RecordMetadata {
  number: number;
}

export interface OutboxEvents {
  /** By one record each, in the tab that sends, and in the one that stored it. Again, perhaps, after a crash. */
  delivered: Delivered;
  /** Delivered, and perhaps once more before: brokers had forgotten what they knew. */
  possiblyDuplicated: Delivered;
  /** Removed, for no broker will ever take it. */
  failed: { number: number; topic: string; error: KlammError };
  /** Removed for want of room, or for its age. */
  dropped: { number: number; why: 'bytes' | 'age' };
  /** It will be tried again. */
  delayed: { topic: string; count: number; error: KlammError };
  /** This tab sends for all from now on. */
  leading: undefined;
  /** The store, or the sender, has failed. What is stored stays there. */
  error: KlammError;
  connected: { broker: string };
  disconnected: { broker: string; error: Error | undefined };
  throttled: { broker: string; ms: number };
}

export type AnyOutboxOptions = OutboxOptions<any, any>;
