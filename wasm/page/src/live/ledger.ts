// The page's own books: which records it handed over, what became of them, and what the logs say. They outlive a
// reload, so that what was under way then is not forgotten.

import type { Counts, Logged } from '../model.ts';
import type { Stored } from './bridge.ts';

const KEY = 'klamm-live';

interface Kept {
  session: string;
  next: number;
  /** Numbers handed over, of which no outcome was heard. */
  unheard: number[];
  delivered: number;
  failed: number;
}

interface Log {
  next: number;
  end: number;
  batches: Logged[];
}

const SHOWN = 12;

export class Ledger {
  readonly session: string;
  #next: number;
  /** Records under way, and their partitions. */
  readonly #waiting = new Map<number, number>();
  readonly #before: Set<number>;
  readonly #delivered = new Set<number>();
  #deliveredBefore: number;
  #failed: number;
  readonly #copies = new Map<number, number>();
  readonly #logs: Log[];
  #twice = 0;
  #missing = 0;

  constructor(readonly partitions: number) {
    const kept = load();
    this.session = kept.session;
    this.#next = kept.next;
    this.#before = new Set(kept.unheard);
    this.#deliveredBefore = kept.delivered;
    this.#failed = kept.failed;
    this.#logs = Array.from({ length: partitions }, () => ({ next: 0, end: 0, batches: [] }));
    addEventListener('pagehide', () => this.#save());
  }

  /** A record is handed over; it gets this number. */
  handOver(partition: number): number {
    const number = this.#next;
    this.#waiting.set(number, partition);
    this.#next += 1;
    return number;
  }

  /** A record has its outcome. */
  settle(number: number, isDelivered: boolean): void {
    this.#waiting.delete(number);
    if (isDelivered) this.#delivered.add(number);
    else this.#failed += 1;
  }

  /** Records of a partition without an outcome. */
  waiting(partition: number): number {
    let count = 0;
    for (const other of this.#waiting.values()) if (other === partition) count += 1;
    return count;
  }

  log(partition: number): Log {
    return this.#logs[partition] ?? { next: 0, end: 0, batches: [] };
  }

  /** Read back from a log. Records of others stand there, too. */
  stored(partition: number, end: number, records: readonly Stored[]): void {
    const log = this.log(partition);
    log.end = end;
    for (const record of records) {
      log.next = record.offset + 1;
      const number = this.#numberOf(record.value);
      if (number !== undefined) {
        const copies = (this.#copies.get(number) ?? 0) + 1;
        this.#copies.set(number, copies);
        if (copies > 1) this.#twice += 1;
      }
      this.#show(log, record);
    }
  }

  /** Records that are delivered by now. */
  delivered(): number[] {
    return [...this.#delivered];
  }

  /** The logs were read to their ends after these had been delivered: what of them is not there is lost. */
  allRead(before: readonly number[]): void {
    this.#missing = before.filter((number) => !this.#copies.has(number)).length;
  }

  /** `canRead`: can the logs be read? */
  counts(canRead: boolean): Counts {
    const isMissing = (number: number) => !this.#copies.has(number);
    return {
      accepted: this.#next,
      delivered: this.#delivered.size + this.#deliveredBefore,
      failed: this.#failed,
      unknown: [...this.#before].filter(isMissing).length,
      buffered: this.#waiting.size,
      stored: canRead ? this.#copies.size : null,
      lost: canRead ? this.#missing : null,
      twice: canRead ? this.#twice : null,
    };
  }

  #show(log: Log, record: Stored): void {
    const last = log.batches.at(-1);
    const id = `${record.batch}`;
    if (last?.id === id) {
      last.records += 1;
      return;
    }
    const { offset, epoch, sequence } = record;
    // Of others' batches nobody says whether they know.
    log.batches.push({ id, offset, records: 1, epoch, sequence, acknowledged: true });
    if (log.batches.length > SHOWN) log.batches.shift();
  }

  #numberOf(value: string): number | undefined {
    if (!value.includes(this.session)) return undefined;
    try {
      const { s, n } = JSON.parse(value) as { s?: unknown; n?: unknown };
      return s === this.session && typeof n === 'number' ? n : undefined;
    } catch {
      return undefined;
    }
  }

  #save(): void {
    const kept: Kept = {
      session: this.session,
      next: this.#next,
      unheard: [...this.#before, ...this.#waiting.keys()],
      delivered: this.#deliveredBefore + this.#delivered.size,
      failed: this.#failed,
    };
    try {
      sessionStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // Without storage the books begin anew.
    }
  }
}

function load(): Kept {
  try {
    const text = sessionStorage.getItem(KEY);
    if (text !== null) return JSON.parse(text) as Kept;
  } catch {
    // As if there were none.
  }
  const session = crypto.getRandomValues(new Uint32Array(2)).join('-');
  return { session, next: 0, unheard: [], delivered: 0, failed: 0 };
}
