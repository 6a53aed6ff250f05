// Which record of the store lies where in the core.

import type { Call } from '../call.js';
import type { Topic } from '../topic.js';

/** A record on its way. */
export interface Entry {
  number: number;
  topic: Topic;
  bytes: number;
  /** Milliseconds since 1970: the record's own. */
  timestamp: number;
  /** Of the batch that it is in, see `HeldBatch`; 0 before a snapshot has it. */
  since: number;
}

/** Records of one topic that were handed over together. */
export class Handed implements Call {
  readonly isOne = false;
  readonly epoch = 0;

  constructor(
    readonly topic: Topic,
    readonly entries: readonly Entry[],
  ) {}

  /** The intake's other user has calls that want to know. */
  delivered(): void {}
  failed(): void {}
}

/** By the batch's slot, which is not used again before all of its records are reported. */
export class Places {
  readonly #slots: Entry[][] = [];

  /** As the intake calls it. */
  add(slot: number, at: number, call: Call, first: number, count: number): void {
    if (at === 0) this.#slots[slot] = [];
    for (let n = 0; n < count; n++) this.put(slot, at + n, (call as Handed).entries[first + n]!);
  }

  put(slot: number, at: number, entry: Entry): void {
    (this.#slots[slot] ??= [])[at] = entry;
  }

  get(slot: number, first: number, records: number): Entry[] {
    return this.#slots[slot]!.slice(first, first + records);
  }
}
