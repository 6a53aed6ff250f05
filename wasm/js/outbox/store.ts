// What outlives the program: records that wait, and what their sender knows of them.

import type { Plain } from '../staging.js';

/** A record as it is stored: ready to be sent. */
export interface Row {
  topic: string;
  key: Plain;
  value: Plain;
  /** Names and values, in order. */
  headers: [string, Plain][];
  partition: number | undefined;
  /** Milliseconds since 1970: the record's own, and when it was stored. */
  timestamp: number;
  storedAt: number;
  /** What it counts for in `maxBytes`. */
  bytes: number;
}

/** A record with its number: they only grow, and follow the order in which records were stored. */
export interface Numbered {
  number: number;
  row: Row;
}

/** A batch that a snapshot holds: the records in it, in order. */
export interface HeldBatch {
  topic: string;
  partition: number;
  numbers: number[];
  /**
   * Milliseconds since 1970. A broker that has the batch knows it for as long as brokers remember a producer, counted from
   * here: not from before the first snapshot with the batch, for it was not sent until then, and not from after its newest
   * record, for brokers go by the records' own time (Kafka's `ProducerStateManager`).
   */
  since: number;
}

/** What a sender leaves to the next one. */
export interface State {
  /** Of the core; empty before the first one. */
  snapshot: Uint8Array;
  /** What is in it, in the order of each partition. */
  batches: HeldBatch[];
  /** Numbers of records that may be in the log already, under an identity that brokers have forgotten. */
  doubtful: number[];
  /** What a bridge wants to see before it lets anybody use the snapshot's producer id. */
  tickets: string[];
}

export interface Usage {
  records: number;
  bytes: number;
}

/** What the store may hold, and what happens at the limit. */
export interface Limits {
  maxBytes: number;
  dropsOldest: boolean;
}

export interface Store {
  /**
   * Stores records, all or none. Resolves with their numbers when they are safe, and with the numbers of those that
   * were dropped for them: never one that `take` has handed out.
   *
   * @throws KlammError `QUEUE_FULL`
   */
  add(rows: readonly Row[], limits: Limits): Promise<{ numbers: number[]; dropped: number[] }>;
  /** What the last `commit` stored. */
  load(): Promise<State | undefined>;
  /** The oldest records with numbers above `after`: about so many bytes of them, at least one. From now on they are not dropped. */
  take(after: number, bytes: number): Promise<Numbered[]>;
  /** Those of the records that are there. */
  get(numbers: readonly number[]): Promise<Numbered[]>;
  /** Stores the state and removes records, both or neither. Resolves when that is safe. */
  commit(state: State, remove: readonly number[]): Promise<void>;
  /** Drops what was stored before this time and was not handed out by `take`. */
  expire(before: number): Promise<number[]>;
  usage(): Promise<Usage>;
  close(): Promise<void>;
}

export const EMPTY: State = { snapshot: new Uint8Array(), batches: [], doubtful: [], tickets: [] };
