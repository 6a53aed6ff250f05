// Flushes: a flush is over when all that was handed over before it has an outcome, also what had to wait outside of the
// core. So messages are counted by epochs, and each flush begins another one.

import type { Engine } from './engine.js';

interface Waiter {
  epoch: number;
  /** The core's, once everything of the epoch is the core's. */
  ticket: number | undefined;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Flushes {
  epoch = 0;
  /** Messages by epoch that are not the core's. */
  readonly #outside = new Map<number, number>();
  #waiters: Waiter[] = [];

  taken(count: number): void {
    this.#outside.set(this.epoch, (this.#outside.get(this.epoch) ?? 0) + count);
  }

  passed(epoch: number, count: number): void {
    const left = (this.#outside.get(epoch) ?? 0) - count;
    if (left === 0) this.#outside.delete(epoch);
    else this.#outside.set(epoch, left);
  }

  begin(): Promise<void> {
    const epoch = this.epoch++;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ epoch, ticket: undefined, resolve, reject });
    });
  }

  /** Gives tickets to those whose messages are all in the core. Is there a new one? */
  ask(engine: Engine): boolean {
    const oldest = Math.min(...this.#outside.keys());
    let asked = false;
    for (const waiter of this.#waiters) {
      if (waiter.ticket !== undefined || waiter.epoch >= oldest) continue;
      waiter.ticket = engine.flush();
      asked = true;
    }
    return asked;
  }

  /** Resolves what is done, when all reports have been told. */
  check(engine: Engine): void {
    const isOver = ({ ticket }: Waiter): boolean => ticket !== undefined && engine.isFlushed(ticket);
    const over = this.#waiters.filter(isOver);
    if (over.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !over.includes(waiter));
    for (const { resolve } of over) resolve();
  }

  get isWaiting(): boolean {
    return this.#waiters.length > 0;
  }

  /** Nothing waits any more; all outcomes have been told. */
  end(): void {
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }
}
