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

export class Topic {
  /** The core's handle; -1 before there is an engine. */
  handle = -1;
  /** How many partitions it has; 0 while that is not known. */
  partitions = 0;
  readonly waiting: Waiting[] = [];

  constructor(readonly name: string) {}
}
