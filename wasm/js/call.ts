// A call that handed messages over, and what becomes of them.

import { KlammError, SendError } from './errors.js';
import type { Topic } from './topic.js';
import type { Message, RecordMetadata } from './types.js';

/** Messages of one topic: each gets exactly one outcome. */
export interface Call {
  readonly topic: Topic;
  /** Are its messages as good as one, for nobody asks which is which? */
  readonly isOne: boolean;
  /** Which flush counts it, see `flush.ts`. */
  readonly epoch: number;
  delivered(message: number, count: number, partition: number, base: bigint | undefined, timestamp: number | undefined): void;
  failed(message: number, count: number, error: KlammError): void;
}

/** Of `post`: outcomes are events alone. */
export class Posted implements Call {
  readonly isOne = true;

  constructor(
    readonly topic: Topic,
    readonly epoch: number,
  ) {}

  delivered(): void {}
  failed(): void {}
}

/** Of `send`: a promise for all of its messages. */
export class Sent implements Call {
  readonly isOne = false;
  readonly promise: Promise<RecordMetadata[]>;
  readonly #results: (RecordMetadata | KlammError)[];
  #left: number;
  #failures = 0;
  #first: KlammError | undefined;
  #resolve!: (results: RecordMetadata[]) => void;
  #reject!: (error: unknown) => void;

  constructor(
    readonly topic: Topic,
    readonly epoch: number,
    messages: readonly Message[],
  ) {
    this.#left = messages.length;
    this.#results = new Array<RecordMetadata | KlammError>(messages.length);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (this.#left === 0) this.#resolve([]);
  }

  delivered(message: number, count: number, partition: number, base: bigint | undefined, timestamp: number | undefined): void {
    const topic = this.topic.name;
    for (let n = 0; n < count; n++) {
      const offset = base === undefined ? undefined : base + BigInt(n);
      this.#results[message + n] = timestamp === undefined ? { topic, partition, offset } : { topic, partition, offset, timestamp };
    }
    this.#done(count);
  }

  failed(message: number, count: number, error: KlammError): void {
    this.#results.fill(error, message, message + count);
    this.#first ??= error;
    this.#failures += count;
    this.#done(count);
  }

  /** The caller wants to hear no more: what was accepted goes on to its outcome all the same. */
  abandon(reason: unknown): void {
    this.#reject(reason);
  }

  #done(count: number): void {
    this.#left -= count;
    if (this.#left > 0) return;
    if (this.#first === undefined) this.#resolve(this.#results as RecordMetadata[]);
    else this.#reject(new SendError(this.#first, this.#results, this.#failures));
  }
}
