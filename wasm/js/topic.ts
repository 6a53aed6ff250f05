// A topic, and what waits for its metadata.

import type { Call } from './call.js';
import type { Message } from './types.js';

/** Messages of one call that have not been staged. */
export interface Waiting {
  call: Call;
  messages: readonly Message[];
  /** The first of them. */
  next: number;
  /** As in Kafka's attributes, or -1. */
  codec: number;
  /** By `performance.now()`. */
  deadline: number;
  /** What they count for in `maxQueuedBytes`. */
  bytes: number;
}

/** In order. An array's own `shift` moves all that is behind, and there may be one call a message. */
export class Queue {
  #items: (Waiting | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get head(): Waiting | undefined {
    return this.#items[this.#first];
  }

  push(waiting: Waiting): void {
    this.#items.push(waiting);
  }

  shift(): Waiting | undefined {
    const { head } = this;
    if (head === undefined) return undefined;
    this.#items[this.#first++] = undefined;
    if (this.#first === this.#items.length) this.#items.length = this.#first = 0;
    return head;
  }

  /** Takes out what is the call's. */
  take(call: Call): Waiting | undefined {
    const at = this.#items.findIndex((one) => one?.call === call);
    return at < 0 ? undefined : this.#items.splice(at, 1)[0];
  }
}

export class Topic {
  /** The core's handle; -1 before there is an engine. */
  handle = -1;
  /** How many partitions it has; 0 while that is not known. */
  partitions = 0;
  readonly waiting = new Queue();

  constructor(readonly name: string) {}
}
