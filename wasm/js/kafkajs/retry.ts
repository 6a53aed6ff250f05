// KafkaJS's retries, in terms of klamm's options.

import type { ProducerOptions } from '../types.js';
import type { RetryOptions } from './types.js';

/** KafkaJS's defaults. */
const DEFAULTS = { maxRetryTime: 30_000, initialRetryTime: 300, factor: 0.2, multiplier: 2, retries: 5 };
/** Beyond that the delivery timeout decides. */
const MANY = 1_000;

export type Retries = typeof DEFAULTS;

export function retries(idempotent: boolean, ...given: (RetryOptions | undefined)[]): Retries {
  const all = Object.assign({}, DEFAULTS, ...given) as Retries;
  // An idempotent producer of KafkaJS tries for ever unless it is told otherwise.
  if (idempotent && given.every((one) => one?.retries === undefined)) all.retries = Number.MAX_SAFE_INTEGER;
  return all;
}

/** Milliseconds before try `n` (from 1) is made again; with the randomness that KafkaJS has. */
export function* waits({ maxRetryTime, initialRetryTime, factor, multiplier, retries }: Retries): Generator<number> {
  const jitter = (time: number): number => time * (1 - factor + 2 * factor * Math.random());
  let time = jitter(initialRetryTime);
  for (let n = 0; n < retries; n++) {
    yield Math.min(time, maxRetryTime);
    time = jitter(time * multiplier);
  }
}

/** A message is given up about when KafkaJS would: after its retries, and the answer to the last of them. */
export function options(all: Retries, requestTimeout: number): Partial<ProducerOptions> {
  const { maxRetryTime, initialRetryTime, multiplier, retries } = all;
  let sum = 0;
  for (let n = 0, time = initialRetryTime; n < Math.min(retries, MANY); n++, time *= multiplier) sum += Math.min(time, maxRetryTime);
  const isEndless = retries > MANY;
  return {
    retries: isEndless ? Infinity : retries,
    retryBackoffMs: Math.max(Math.round(initialRetryTime), 1),
    retryBackoffMaxMs: Math.max(Math.round(maxRetryTime), 1),
    deliveryTimeoutMs: isEndless ? Infinity : Math.min(Math.round(sum) + 2 * requestTimeout, 0xffff_fffe),
    maxBlockMs: isEndless ? 2 ** 31 - 1 : Math.max(Math.round(sum), 1_000),
  };
}
