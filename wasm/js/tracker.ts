// Whose records lie in which batch: what a report of the core is about.

import type { Call } from './call.js';

/** Records of one call that follow each other in a batch. */
interface Run {
  call: Call;
  /** The first one's place in its call. */
  first: number;
  /** The first one's place in the batch. */
  at: number;
  count: number;
}

interface Batch {
  /** Records without an outcome. */
  runs: Run[];
}

/** By the batch's slot, which is not used again before all of its records are reported. */
export class Tracker {
  readonly #batches: (Batch | undefined)[] = [];

  /** The next `count` records of a batch are the call's, from its message `first` on. */
  add(slot: number, at: number, call: Call, first: number, count: number): void {
    const batch = (this.#batches[slot] ??= { runs: [] });
    const last = batch.runs[batch.runs.length - 1];
    if (last !== undefined && last.call === call && (call.isOne || last.first + last.count === first)) {
      last.count += count;
    } else {
      batch.runs.push({ call, first, at, count });
    }
  }

  /** Records `first` and on of a batch have an outcome: `tell` is called for each run of them. */
  settle(slot: number, first: number, records: number, tell: (call: Call, message: number, count: number, offset: number) => void): void {
    const batch = this.#batches[slot];
    if (batch === undefined) return;
    const end = first + records;
    const left: Run[] = [];
    for (const run of batch.runs) {
      const from = Math.max(run.at, first);
      const to = Math.min(run.at + run.count, end);
      if (from >= to) {
        left.push(run);
        continue;
      }
      tell(run.call, run.first + from - run.at, to - from, from - first);
      // The report of a part of a batch may begin or end within a run.
      const [before, after] = [from - run.at, run.at + run.count - to];
      if (before > 0) left.push({ ...run, count: before });
      if (after > 0) left.push({ ...run, first: run.first + run.count - after, at: to, count: after });
    }
    batch.runs = left;
  }

  /** Everything that has none gets its outcome. */
  settleAll(tell: (call: Call, message: number, count: number) => void): void {
    for (const batch of this.#batches.splice(0)) {
      for (const { call, first, count } of batch?.runs ?? []) tell(call, first, count);
    }
  }
}
