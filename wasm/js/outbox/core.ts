// The module's calls for the outbox: snapshots, and what is in them. `src/snapshot.rs` answers.

import { Call, Engine } from '../engine.js';
import type { CompiledModule } from '../types.js';

/** Numbers of options that no program sets. */
const HOLD_STAMPED = 30;
const SNAPSHOT_BYTES = 31;

/** A batch that has numbers. */
export interface Held {
  /** Where it is in `Places`. */
  slot: number;
  first: number;
  records: number;
  topic: number;
  partition: number;
}

export class OutboxEngine extends Engine {
  /** One that goes on where the snapshot was taken, if it has any bytes. */
  static async begin(module: CompiledModule, servers: string, clientId: string, pairs: readonly number[], snapshot: Uint8Array): Promise<OutboxEngine> {
    const exports = await Engine.load(module);
    return new OutboxEngine(exports, servers, clientId, [...pairs, HOLD_STAMPED, 1, SNAPSHOT_BYTES, snapshot.length], snapshot);
  }

  /** Does anything wait for a snapshot to be safe? */
  get holds(): boolean {
    return this.call(Call.Holds) !== 0;
  }

  /** A copy of the core's snapshot. */
  snapshot(): Uint8Array {
    const length = this.call(Call.Snapshot);
    // It may have grown.
    if (this.bytes.length === 0) this.look();
    const at = this.call(Call.SnapshotAt);
    return this.bytes.slice(at, at + length);
  }

  /** What is in a snapshot taken now, in the order of each partition. */
  numbered(): Held[] {
    const batches: Held[] = [];
    for (;;) {
      this.call(Call.Numbered, batches.length);
      const { words, output } = this;
      const count = words[output]!;
      if (count === 0) return batches;
      for (let n = 0, at = output + 4; n < count; n++, at += 6) {
        batches.push({ slot: words[at]!, first: words[at + 1]!, records: words[at + 2]!, topic: words[at + 3]!, partition: words[at + 4]! });
      }
    }
  }

  /** The last snapshot is safe: what it holds may be sent. */
  release(): void {
    this.call(Call.Release);
  }
}
