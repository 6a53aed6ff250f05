// The store of Node, Deno and Bun: a log of what `add` and `commit` did, and in memory where each record is in it.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { KlammError } from '../errors.js';
import { framed, Log } from './log.js';
import { EMPTY, type Limits, type Numbered, type Row, type State, type Store, type Usage } from './store.js';

/** First bytes of entries. */
const ROW = 1;
const COMMIT = 2;
/** The next number, where the log begins without a record. */
const NEXT = 3;
/** The log is written anew when it is so large, and so many times what is in it. */
const LARGE = 4 * 1024 * 1024;
const TIMES = 3;

interface Place {
  at: number;
  length: number;
  bytes: number;
  storedAt: number;
}

/** What a commit says besides the snapshot's bytes. */
interface Commit {
  remove: number[];
  state: Omit<State, 'snapshot'>;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

export class FileStore implements Store {
  readonly #directory: string;
  #log: Log | undefined;
  /** In the order of their numbers. */
  readonly #places = new Map<number, Place>();
  #state: State | undefined;
  #stateBytes = 0;
  #next = 1;
  #bytes = 0;
  #taken = 0;
  /** Writes, one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Reads what is there. Only while no other process has it. */
  open(): void {
    mkdirSync(this.#directory, { recursive: true });
    this.#log = new Log(join(this.#directory, 'log'), (entry, at) => this.#replay(entry, at));
  }

  /** Before the first of all. */
  protected async ready(): Promise<void> {}

  #replay(entry: Uint8Array, at: number): void {
    switch (entry[0]) {
      case ROW:
        this.#insert(entry, at);
        break;
      case COMMIT:
        this.#apply(...readCommit(entry), entry.length);
        break;
      default:
        this.#next = new DataView(entry.buffer, entry.byteOffset).getFloat64(1);
    }
  }

  #insert(entry: Uint8Array, at: number): void {
    const { number, row } = readRow(entry);
    this.#places.set(number, { at, length: entry.length, bytes: row.bytes, storedAt: row.storedAt });
    this.#bytes += row.bytes;
    this.#next = number + 1;
  }

  #apply(state: State, remove: readonly number[], length: number): void {
    this.#state = state;
    this.#stateBytes = length;
    for (const number of remove) this.#forget(number);
  }

  #forget(number: number): void {
    this.#bytes -= this.#places.get(number)?.bytes ?? 0;
    this.#places.delete(number);
  }

  /** After what was asked for before. Errors are the caller's. */
  #inOrder<T>(work: (log: Log) => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      await this.ready();
      if (this.#log === undefined || this.#isClosed) throw new KlammError('CLOSED', `${this.#directory}: not open`);
      try {
        return await work(this.#log);
      } catch (cause) {
        throw cause instanceof KlammError ? cause : new KlammError('STORE', `${this.#directory}: ${String(cause)}`, { cause });
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  add(rows: readonly Row[], { maxBytes, dropsOldest }: Limits): Promise<{ numbers: number[]; dropped: number[] }> {
    return this.#inOrder(async (log) => {
      let needed = this.#bytes - maxBytes;
      for (const { bytes } of rows) needed += bytes;
      const dropped = needed > 0 && dropsOldest ? this.#oldest((place) => needed > 0 && ((needed -= place.bytes), true)) : [];
      if (needed > 0) throw new KlammError('QUEUE_FULL', `the outbox has no room: ${needed} bytes too much (maxBytes = ${maxBytes})`);
      const numbers = rows.map((_, n) => this.#next + n);
      const entries = rows.map((row, n) => framed(writeRow(numbers[n]!, row)));
      if (dropped.length > 0) entries.push(framed(writeCommit(this.#state ?? EMPTY, dropped)));
      let at = log.end;
      await log.append(joined(entries));
      rows.forEach((row, n) => {
        const length = entries[n]!.length;
        this.#places.set(numbers[n]!, { at: at + 8, length: length - 8, bytes: row.bytes, storedAt: row.storedAt });
        this.#bytes += row.bytes;
        at += length;
      });
      this.#next += rows.length;
      for (const number of dropped) this.#forget(number);
      return { numbers, dropped };
    });
  }

  load(): Promise<State | undefined> {
    return this.#inOrder(async () => {
      this.#taken = 0;
      return this.#state;
    });
  }

  take(after: number, bytes: number): Promise<Numbered[]> {
    return this.#inOrder(async (log) => {
      const found: Numbered[] = [];
      // Those that were taken before come first in the map, and are few.
      for (const [number, place] of this.#places) {
        if (number <= after) continue;
        if (bytes <= 0) break;
        found.push(readRow(log.read(place.at, place.length)));
        bytes -= place.bytes;
        this.#taken = Math.max(this.#taken, number);
      }
      return found;
    });
  }

  get(numbers: readonly number[]): Promise<Numbered[]> {
    return this.#inOrder(async (log) =>
      numbers.flatMap((number) => {
        const place = this.#places.get(number);
        return place === undefined ? [] : [readRow(log.read(place.at, place.length))];
      }),
    );
  }

  commit(state: State, remove: readonly number[]): Promise<void> {
    return this.#inOrder(async (log) => {
      const entry = framed(writeCommit(state, remove));
      await log.append(entry);
      this.#apply(state, remove, entry.length);
      if (log.end > LARGE && log.end > TIMES * (this.#bytes + this.#stateBytes)) this.#compact(log);
    });
  }

  /** Only what is there now. */
  #compact(log: Log): void {
    const [numbers, at] = [[...this.#places.keys()], [] as number[]];
    let end = 0;
    const next = new Uint8Array(9);
    next[0] = NEXT;
    new DataView(next.buffer).setFloat64(1, this.#next);
    const rows = numbers.map((number) => {
      const { at, length } = this.#places.get(number)!;
      return () => framed([log.read(at, length)]);
    });
    function* entries(state: State): Generator<Uint8Array> {
      for (const make of rows) {
        const entry = make();
        at.push(end + 8);
        end += entry.length;
        yield entry;
      }
      yield framed([next]);
      yield framed(writeCommit(state, []));
    }
    log.replace(entries(this.#state ?? EMPTY));
    numbers.forEach((number, n) => {
      this.#places.get(number)!.at = at[n]!;
    });
  }

  expire(before: number): Promise<number[]> {
    return this.#inOrder(async (log) => {
      const dropped = this.#oldest(({ storedAt }) => storedAt < before);
      if (dropped.length > 0) {
        await log.append(framed(writeCommit(this.#state ?? EMPTY, dropped)));
        for (const number of dropped) this.#forget(number);
      }
      return dropped;
    });
  }

  /** The oldest that were not taken, as long as `isMeant` of the next one. */
  #oldest(isMeant: (place: Place) => boolean): number[] {
    const found: number[] = [];
    for (const [number, place] of this.#places) {
      if (number <= this.#taken) continue;
      if (!isMeant(place)) break;
      found.push(number);
    }
    return found;
  }

  usage(): Promise<Usage> {
    return this.#inOrder(async () => ({ records: this.#places.size, bytes: this.#bytes }));
  }

  async close(): Promise<void> {
    await this.#last;
    this.#isClosed = true;
    this.#log?.close();
    this.#log = undefined;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Kind, the length of some JSON, the JSON, and bytes. */
function entry(kind: number, json: unknown, bytes: readonly Uint8Array[]): Uint8Array[] {
  const text = utf8.encode(JSON.stringify(json));
  const head = new Uint8Array(5);
  head[0] = kind;
  new DataView(head.buffer).setUint32(1, text.length);
  return [head, text, ...bytes];
}

function open(bytes: Uint8Array): [unknown, Uint8Array] {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  return [JSON.parse(fromUtf8.decode(bytes.subarray(5, 5 + length))), bytes.slice(5 + length)];
}

function writeCommit({ snapshot, ...state }: State, remove: readonly number[]): Uint8Array[] {
  return entry(COMMIT, { state, remove } satisfies Commit | { remove: readonly number[] }, [snapshot]);
}

function readCommit(bytes: Uint8Array): [State, number[]] {
  const [json, snapshot] = open(bytes);
  const { state, remove } = json as Commit;
  return [{ ...state, snapshot }, remove];
}

/** Text stays text; bytes are lengths in the JSON, and lie behind it. */
function writeRow(number: number, { key, value, headers, ...rest }: Row): Uint8Array[] {
  const bytes: Uint8Array[] = [];
  const place = (content: Row['key']) => {
    if (content === null || typeof content === 'string') return content;
    bytes.push(content);
    return content.length;
  };
  const json = { ...rest, number, key: place(key), value: place(value), headers: headers.map(([name, content]) => [name, place(content)]) };
  return entry(ROW, json, bytes);
}

function readRow(bytes: Uint8Array): Numbered {
  type Placed = string | number | null;
  const [json, contents] = open(bytes);
  const { number, key, value, headers, ...rest } = json as Omit<Row, 'key' | 'value' | 'headers'> & { number: number; key: Placed; value: Placed; headers: [string, Placed][] };
  let at = 0;
  const content = (placed: Placed) => (typeof placed === 'number' ? contents.slice(at, (at += placed)) : placed);
  return { number, row: { ...rest, key: content(key), value: content(value), headers: headers.map(([name, placed]) => [name, content(placed)]) } };
}
