// The module with names: where its areas are, and what its words say. `src/engine.rs` and `src/output.rs` write them.

import { setupError } from './options.js';
import type { CompiledModule } from './types.js';

/** What a module exports: handles and numbers, which `wasm-bindgen` made of `src/engine.rs`. */
export interface Exports {
  memory: { readonly buffer: ArrayBuffer };
  setup_new(bytes: number): number;
  setup_area(setup: number): number;
  engine_start(setup: number, now: number): number;
  engine_call(engine: number, what: number, a: number, b: number, now: number): number;
}

/** Numbers of `Engine::call`. */
export const enum Call {
  Input,
  InputBytes,
  Receive,
  ReceiveBytes,
  Transmit,
  Output,
  Topic,
  Partitions,
  TopicError,
  Leader,
  Append,
  Flush,
  IsFlushed,
  Purge,
  FreeBytes,
  Stats,
  Connected,
  Disconnected,
  SetBusy,
  Received,
  SetClock,
  Turn,
  Compressed,
  /** And on: of the outbox. */
  Snapshot,
  SnapshotAt,
  Numbered,
  Release,
  Holds,
}

/** Milliseconds between two looks at the time of day. */
const CLOCK = 1_000;

/** Reports' outcomes. */
export const DELIVERED = 0;
/** Words of a report behind its kind. */
const REPORT_WORDS = 13;

export interface Report {
  batch: number;
  first: number;
  records: number;
  topic: number;
  partition: number;
  outcome: number;
  /** Where it was delivered: how often it was sent again. */
  reason: number;
  code: number;
  offset: bigint | undefined;
  timestamp: number | undefined;
  /** What was not delivered, as `returned.ts` reads it. */
  returned: Uint8Array | undefined;
}

/** What a turn asks for. */
export interface Actions {
  connect(connection: number, host: string, port: number): void;
  close(connection: number): void;
  transmit(connection: number, bytes: Uint8Array): void;
  report(report: Report): void;
  compress(job: number, bytes: Uint8Array): void;
}

/** Microseconds of a monotonic clock. */
export function now(): number {
  return performance.now() * 1000;
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

export class Engine {
  /** Milliseconds until the next turn is due. */
  sleep = 0;
  readonly inputBytes: number;
  protected readonly exports: Exports;
  readonly #engine: number;
  readonly #receiveBytes: number;
  bytes!: Uint8Array;
  words!: Int32Array;
  readonly input: number;
  readonly #receive: number;
  readonly #transmit: number;
  protected readonly output: number;
  #clockSet = -Infinity;

  /** An engine of the compiled module, with a memory of its own. */
  static async start(module: CompiledModule, servers: string, clientId: string, pairs: readonly number[]): Promise<Engine> {
    return new Engine(await Engine.load(module), servers, clientId, pairs);
  }

  protected static async load(module: CompiledModule): Promise<Exports> {
    // What the glue of wasm-bindgen is for (text, objects, exceptions) never crosses the boundary.
    const imports: WebAssembly.Imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      (imports[from] ??= {})[name] = () => {
        throw new Error(`klamm: ${name}`);
      };
    }
    const { exports } = await WebAssembly.instantiate(module, imports);
    return exports as unknown as Exports;
  }

  protected constructor(exports: Exports, servers: string, clientId: string, pairs: readonly number[], snapshot: Uint8Array = new Uint8Array()) {
    this.exports = exports;
    const texts = [utf8.encode(servers), utf8.encode(clientId), snapshot] as const;
    const head = 20 + pairs.length * 4;
    const setup = exports.setup_new(head + texts[0].length + texts[1].length + snapshot.length);
    const area = exports.setup_area(setup);
    const view = new DataView(exports.memory.buffer, area);
    const seed = crypto.getRandomValues(new Uint32Array(2));
    [pairs.length / 2, texts[0].length, texts[1].length, ...seed, ...pairs].forEach((word, n) => {
      view.setUint32(n * 4, word, true);
    });
    const bytes = new Uint8Array(exports.memory.buffer, area);
    let at = head;
    for (const text of texts) {
      bytes.set(text, at);
      at += text.length;
    }
    this.#engine = exports.engine_start(setup, now());
    if (this.#engine === 0) throw this.#refused(exports.memory.buffer, area);
    // Nothing is allocated from here on but for snapshots, so the memory stays where it is.
    this.look();
    this.input = this.call(Call.Input);
    this.inputBytes = this.call(Call.InputBytes);
    this.#receive = this.call(Call.Receive);
    this.#receiveBytes = this.call(Call.ReceiveBytes);
    this.#transmit = this.call(Call.Transmit);
    this.output = this.call(Call.Output) >>> 2;
    this.#setClock();
  }

  protected call(what: Call, a = 0, b = 0, at = 0): number {
    return this.exports.engine_call(this.#engine, what, a, b, at);
  }

  /** Where the memory is. */
  protected look(): void {
    this.bytes = new Uint8Array(this.exports.memory.buffer);
    this.words = new Int32Array(this.exports.memory.buffer);
  }

  /** Says what time of day it was at the last turn. */
  #setClock(): void {
    const wall = Date.now();
    if (Math.abs(wall - this.#clockSet) < CLOCK) return;
    this.#clockSet = wall;
    this.call(Call.SetClock, 0, 0, wall);
  }

  #refused(buffer: ArrayBuffer, area: number): Error {
    const view = new DataView(buffer, area);
    const word = (n: number): number => view.getUint32(n * 4, true);
    const text = (at: number, length: number): string => fromUtf8.decode(new Uint8Array(buffer, area + at, length));
    return setupError(word(0), word(1), word(2), text(20, word(3)), text(20 + word(3), word(4)));
  }

  /** The topic's handle; negative for a refusal. */
  topic(name: string): number {
    const bytes = utf8.encode(name);
    if (bytes.length > 249) return -5;
    this.bytes.set(bytes, this.#receive);
    return this.call(Call.Topic, bytes.length) | 0;
  }

  partitions(topic: number): number {
    return this.call(Call.Partitions, topic);
  }

  /** The node id of a partition's leader; -1 if that is not known. */
  leader(topic: number, partition: number): number {
    return this.call(Call.Leader, topic, partition) | 0;
  }

  topicError(topic: number): number {
    return this.call(Call.TopicError, topic) | 0;
  }

  /** Where `append`'s words begin; they end where it says. */
  append(bytes: number): [at: number, end: number] {
    const end = this.call(Call.Append, bytes, 0, now());
    return [this.output, this.output + end];
  }

  flush(): number {
    return this.call(Call.Flush, 0, 0, now());
  }

  isFlushed(ticket: number): boolean {
    return this.call(Call.IsFlushed, 0, ticket) !== 0;
  }

  purge(): void {
    this.call(Call.Purge, 0, 0, now());
  }

  freeBytes(): number {
    return this.call(Call.FreeBytes) >>> 0;
  }

  /** The counters, in the order of `src/engine.rs`. */
  stats(): number[] {
    this.call(Call.Stats);
    const at = this.output + 4;
    return Array.from({ length: 12 }, (_, n) => {
      const [low, high] = [this.words[at + 2 * n]!, this.words[at + 2 * n + 1]!];
      return (low >>> 0) + (high >>> 0) * 2 ** 32;
    });
  }

  connected(connection: number): void {
    this.call(Call.Connected, connection, 0, now());
  }

  disconnected(connection: number): void {
    this.call(Call.Disconnected, connection, 0, now());
  }

  setBusy(connection: number, busy: boolean): void {
    this.call(Call.SetBusy, connection, Number(busy));
  }

  /** Hands in bytes; returns what `Engine::received` of the module says about the worst of them. */
  received(connection: number, bytes: Uint8Array): number {
    let said = 0;
    for (let at = 0; at < bytes.length && (said & 255) === 0; at += this.#receiveBytes) {
      const part = bytes.length > this.#receiveBytes ? bytes.subarray(at, at + this.#receiveBytes) : bytes;
        this.bytes.set(part, this.#receive);
      said |= this.call(Call.Received, connection, part.length, now());
    }
    return said;
  }

  /** What the platform made of a batch's records; `undefined`: nothing is gained. */
  compressed(job: number, bytes: Uint8Array | undefined): void {
    if (bytes !== undefined) this.bytes.set(bytes, this.#transmit);
    this.call(Call.Compressed, job, bytes?.length ?? 0, now());
  }

  /** Lets time pass, and hands out what is to be done. Is another turn due at once? */
  turn(actions: Actions): boolean {
    const end = this.output + this.call(Call.Turn, 0, 0, now());
    this.#setClock();
    const words = this.words;
    const again = words[this.output] !== 0;
    this.sleep = words[this.output + 1]! >>> 0;
    let at = this.output + 4;
    let returned: Uint8Array | undefined;
    while (at < end) {
      const connection = words[at + 1]!;
      switch (words[at]) {
        case 1: {
          const length = words[at + 3]!;
          const host = fromUtf8.decode(this.bytes.slice((at + 4) << 2, ((at + 4) << 2) + length));
          actions.connect(connection, host, words[at + 2]!);
          at += 4 + ((length + 3) >> 2);
          break;
        }
        case 2:
          actions.close(connection);
          at += 2;
          break;
        case 3: {
          const from = this.#transmit + words[at + 2]!;
          actions.transmit(connection, this.bytes.slice(from, from + words[at + 3]!));
          at += 4;
          break;
        }
        case 4:
          actions.report(this.#report(words, at, returned));
          returned = undefined;
          at += REPORT_WORDS;
          break;
        case 6:
          returned = this.bytes.slice(this.#transmit + connection, this.#transmit + connection + words[at + 2]!);
          at += 3;
          break;
        default: {
          const from = this.#transmit + words[at + 2]!;
          actions.compress(connection, this.bytes.slice(from, from + words[at + 3]!));
          at += 4;
        }
      }
    }
    return again;
  }

  #report(words: Int32Array, at: number, returned: Uint8Array | undefined): Report {
    const long = (n: number): bigint => (BigInt(words[at + n + 1]!) << 32n) | BigInt(words[at + n]! >>> 0);
    // A negative high half is -1: none.
    return {
      batch: words[at + 1]!,
      first: words[at + 2]!,
      records: words[at + 3]!,
      topic: words[at + 4]!,
      partition: words[at + 5]!,
      outcome: words[at + 6]!,
      reason: words[at + 7]!,
      code: words[at + 8]!,
      offset: words[at + 10]! < 0 ? undefined : long(9),
      timestamp: words[at + 12]! < 0 ? undefined : Number(long(11)),
      returned,
    };
  }
}
