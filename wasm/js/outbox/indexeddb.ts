// The store of a web page: two object stores, `records` by number and `state` by name. Several tabs add; one of them,
// who called `load` last, takes and commits.

import { KlammError } from '../errors.js';
import type { Limits, Numbered, Row, State, Store, Usage } from './store.js';

const RECORDS = 'records';
const STATE = 'state';

/** Names in `STATE`. */
const USAGE = 'usage';
const SENDER = 'sender';
/** Records that are read at a time. */
const CHUNK = 64;
/** Who may commit: a tab that lost its place without knowing must not. */
const LEADER = 'leader';
/** The last number that `take` handed out. */
const TAKEN = 'taken';

export class IndexedDbStore implements Store {
  readonly #name: string;
  readonly #me = crypto.randomUUID();
  #opening: Promise<IDBDatabase> | undefined;
  #isClosed = false;

  constructor(name: string) {
    if (typeof indexedDB === 'undefined') throw new KlammError('UNSUPPORTED', 'klamm/outbox: there is no IndexedDB here');
    this.#name = `klamm-outbox:${name}`;
  }

  #open(): Promise<IDBDatabase> {
    if (this.#isClosed) return Promise.reject(new KlammError('CLOSED', 'the outbox is closed'));
    return (this.#opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore(RECORDS, { autoIncrement: true });
        request.result.createObjectStore(STATE);
      };
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const database = request.result;
        // Another version, or a user who clears the page's data: opened again when it is needed.
        const forget = (): void => {
          this.#opening = undefined;
        };
        database.onversionchange = () => {
          database.close();
          forget();
        };
        database.onclose = forget;
        resolve(database);
      };
    }).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    }));
  }

  /** Runs `work` in one transaction, and resolves with what it returned when that is on the disk. */
  async #transaction<T>(mode: IDBTransactionMode, work: (records: IDBObjectStore, state: IDBObjectStore) => Promise<T>, durability: IDBTransactionDurability = 'strict'): Promise<T> {
    try {
      const database = await this.#open();
      const transaction = database.transaction([RECORDS, STATE], mode, { durability });
      const over = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
      });
      const worked = work(transaction.objectStore(RECORDS), transaction.objectStore(STATE)).catch((error: unknown) => {
        try {
          transaction.abort();
        } catch {
          // It is over already.
        }
        throw error;
      });
      over.catch(() => {});
      const result = await worked;
      await over;
      return result;
    } catch (cause) {
      if (cause instanceof KlammError) throw cause;
      const code = (cause as Error | null)?.name === 'QuotaExceededError' ? 'QUEUE_FULL' : 'STORE';
      throw new KlammError(code, `${this.#name}: ${String(cause)}`, { cause });
    }
  }

  add(rows: readonly Row[], { maxBytes, dropsOldest }: Limits): Promise<{ numbers: number[]; dropped: number[] }> {
    return this.#transaction('readwrite', async (records, state) => {
      const usage = await usageOf(state);
      for (const { bytes } of rows) usage.bytes += bytes;
      usage.records += rows.length;
      let dropped: number[] = [];
      if (usage.bytes > maxBytes && dropsOldest) {
        dropped = await drop(records, state, usage, () => usage.bytes > maxBytes);
      }
      if (usage.bytes > maxBytes) throw new KlammError('QUEUE_FULL', `the outbox has no room: ${usage.bytes} bytes with these (maxBytes = ${maxBytes})`);
      const numbers = await Promise.all(rows.map((row) => done(records.add(row)) as Promise<number>));
      state.put(usage, USAGE);
      return { numbers, dropped };
    });
  }

  load(): Promise<State | undefined> {
    return this.#transaction('readwrite', async (_, state) => {
      state.put(this.#me, LEADER);
      return (await done(state.get(SENDER))) as State | undefined;
    });
  }

  take(after: number, bytes: number): Promise<Numbered[]> {
    return this.#transaction('readwrite', async (records, state) => {
      await this.#checkLeader(state);
      const found: Numbered[] = [];
      for (let isMore = true; isMore && bytes > 0; ) {
        const range = IDBKeyRange.lowerBound(after, true);
        const [keys, rows] = await Promise.all([done(records.getAllKeys(range, CHUNK)), done(records.getAll(range, CHUNK))]);
        isMore = keys.length === CHUNK;
        for (let n = 0; n < keys.length && bytes > 0; n++) {
          after = keys[n] as number;
          const row = rows[n] as Row;
          found.push({ number: after, row });
          bytes -= row.bytes;
        }
      }
      if (found.length > 0) state.put(Math.max(found[found.length - 1]!.number, await takenOf(state)), TAKEN);
      return found;
      // Who takes is gone with the crash that would undo it.
    }, 'relaxed');
  }

  get(numbers: readonly number[]): Promise<Numbered[]> {
    return this.#transaction('readonly', async (records) => {
      const rows = (await Promise.all(numbers.map((number) => done(records.get(number))))) as (Row | undefined)[];
      return rows.flatMap((row, n) => (row === undefined ? [] : [{ number: numbers[n]!, row }]));
    });
  }

  commit(next: State, remove: readonly number[]): Promise<void> {
    return this.#transaction('readwrite', async (records, state) => {
      await this.#checkLeader(state);
      const usage = await usageOf(state);
      const removed = await Promise.all(remove.map((number) => done(records.get(number)) as Promise<Row | undefined>));
      removed.forEach((row, n) => {
        if (row === undefined) return;
        usage.bytes -= row.bytes;
        usage.records--;
        records.delete(remove[n]!);
      });
      state.put(usage, USAGE);
      state.put(next, SENDER);
    });
  }

  async #checkLeader(state: IDBObjectStore): Promise<void> {
    if ((await done(state.get(LEADER))) !== this.#me) throw new KlammError('LOCKED', `${this.#name}: another tab sends now`);
  }

  expire(before: number): Promise<number[]> {
    return this.#transaction('readwrite', async (records, state) => {
      const usage = await usageOf(state);
      const dropped = await drop(records, state, usage, (row) => row.storedAt < before);
      if (dropped.length > 0) state.put(usage, USAGE);
      return dropped;
    });
  }

  usage(): Promise<Usage> {
    return this.#transaction('readonly', (_, state) => usageOf(state));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    (await this.#opening?.catch(() => undefined))?.close();
  }
}

/** Removes the oldest records that were not taken, as long as `isMeant` of the next one. */
async function drop(records: IDBObjectStore, state: IDBObjectStore, usage: Usage, isMeant: (row: Row) => boolean): Promise<number[]> {
  const dropped: number[] = [];
  const cursor = records.openCursor(IDBKeyRange.lowerBound(await takenOf(state), true));
  for (let at = await done(cursor); at !== null; at = await done(cursor)) {
    const row = at.value as Row;
    if (!isMeant(row)) break;
    at.delete();
    usage.bytes -= row.bytes;
    usage.records--;
    dropped.push(at.key as number);
    at.continue();
  }
  return dropped;
}

async function usageOf(state: IDBObjectStore): Promise<Usage> {
  return ((await done(state.get(USAGE))) as Usage | undefined) ?? { records: 0, bytes: 0 };
}

async function takenOf(state: IDBObjectStore): Promise<number> {
  return ((await done(state.get(TAKEN))) as number | undefined) ?? 0;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
