// The module with names: where its areas are, and what its words say. `src/engine.rs` and `src/output.rs` write them.

import { setupError } from './options.js';

/** What `wasm-bindgen` makes of `src/engine.rs`. */
export interface RawEngine {
  free(): void;
  input(): number;
  input_bytes(): number;
  receive(): number;
  receive_bytes(): number;
  transmit(): number;
  output(): number;
  topic(bytes: number): number;
  partitions(topic: number): number;
  topic_error(topic: number): number;
  leader(topic: number, partition: number): number;
  append(bytes: number, now: number): number;
  flush(now: number): number;
  is_flushed(ticket: number): boolean;
  close(now: number): void;
  purge(now: number): void;
  pause(paused: boolean, now: number): void;
  free_bytes(): number;
  stats(): void;
  connected(connection: number, now: number): void;
  disconnected(connection: number, now: number): void;
  set_busy(connection: number, busy: boolean): void;
  received(connection: number, bytes: number, now: number): number;
  turn(now: number, wall: number): number;
  compressed?(job: number, bytes: number, now: number): void;
}

export interface RawSetup {
  free(): void;
  area(): number;
}

/** The module, initialised. */
export interface EngineModule {
  memory: WebAssembly.Memory;
  Setup: new (bytes: number) => RawSetup;
  Engine: { start(setup: RawSetup, now: number): RawEngine | undefined };
}

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
  reason: number;
  code: number;
  offset: bigint | undefined;
  timestamp: number | undefined;
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
  readonly #raw: RawEngine;
  readonly #memory: WebAssembly.Memory;
  readonly #receiveBytes: number;
  /** Views of the memory, made anew when it grew: a second engine started. */
  bytes!: Uint8Array;
  words!: Int32Array;
  readonly input: number;
  readonly #receive: number;
  readonly #transmit: number;
  readonly #output: number;

  constructor(module: EngineModule, servers: string, clientId: string, pairs: readonly number[]) {
    const texts = [utf8.encode(servers), utf8.encode(clientId)] as const;
    const head = 20 + pairs.length * 4;
    const setup = new module.Setup(head + texts[0].length + texts[1].length);
    try {
      const area = setup.area();
      const view = new DataView(module.memory.buffer, area);
      const seed = crypto.getRandomValues(new Uint32Array(2));
      [pairs.length / 2, texts[0].length, texts[1].length, ...seed, ...pairs].forEach((word, n) => {
        view.setUint32(n * 4, word, true);
      });
      const bytes = new Uint8Array(module.memory.buffer, area);
      bytes.set(texts[0], head);
      bytes.set(texts[1], head + texts[0].length);
      const raw = module.Engine.start(setup, now());
      if (raw === undefined) throw this.#refused(module.memory.buffer, setup.area());
      this.#raw = raw;
    } finally {
      setup.free();
    }
    this.#memory = module.memory;
    this.input = this.#raw.input();
    this.inputBytes = this.#raw.input_bytes();
    this.#receive = this.#raw.receive();
    this.#receiveBytes = this.#raw.receive_bytes();
    this.#transmit = this.#raw.transmit();
    this.#output = this.#raw.output() >> 2;
    this.look();
  }

  /** Views of what is the memory now. */
  look(): void {
    if (this.bytes?.buffer === this.#memory.buffer) return;
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.words = new Int32Array(this.#memory.buffer);
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
    this.look();
    this.bytes.set(bytes, this.#receive);
    return this.#raw.topic(bytes.length);
  }

  partitions(topic: number): number {
    return this.#raw.partitions(topic);
  }

  /** The node id of a partition's leader; -1 if that is not known. */
  leader(topic: number, partition: number): number {
    return this.#raw.leader(topic, partition);
  }

  topicError(topic: number): number {
    return this.#raw.topic_error(topic);
  }

  /** Where `append`'s words begin; they end where it says. */
  append(bytes: number): [at: number, end: number] {
    const end = this.#raw.append(bytes, now());
    this.look();
    return [this.#output, this.#output + end];
  }

  flush(): number {
    return this.#raw.flush(now());
  }

  isFlushed(ticket: number): boolean {
    return this.#raw.is_flushed(ticket);
  }

  close(): void {
    this.#raw.close(now());
  }

  purge(): void {
    this.#raw.purge(now());
  }

  freeBytes(): number {
    return this.#raw.free_bytes();
  }

  /** The counters, in the order of `src/engine.rs`. */
  stats(): number[] {
    this.#raw.stats();
    this.look();
    const at = this.#output + 4;
    return Array.from({ length: 12 }, (_, n) => {
      const [low, high] = [this.words[at + 2 * n]!, this.words[at + 2 * n + 1]!];
      return (low >>> 0) + (high >>> 0) * 2 ** 32;
    });
  }

  connected(connection: number): void {
    this.#raw.connected(connection, now());
  }

  disconnected(connection: number): void {
    this.#raw.disconnected(connection, now());
  }

  setBusy(connection: number, busy: boolean): void {
    this.#raw.set_busy(connection, busy);
  }

  /** Hands in bytes; returns what `Engine::received` of the module says about the worst of them. */
  received(connection: number, bytes: Uint8Array): number {
    let said = 0;
    for (let at = 0; at < bytes.length && (said & 255) === 0; at += this.#receiveBytes) {
      const part = bytes.length > this.#receiveBytes ? bytes.subarray(at, at + this.#receiveBytes) : bytes;
      this.look();
      this.bytes.set(part, this.#receive);
      said |= this.#raw.received(connection, part.length, now());
    }
    return said;
  }

  /** What the platform made of a batch's records; `undefined`: nothing is gained. */
  compressed(job: number, bytes: Uint8Array | undefined): void {
    this.look();
    if (bytes !== undefined) this.bytes.set(bytes, this.#transmit);
    this.#raw.compressed?.(job, bytes?.length ?? 0, now());
  }

  /** Lets time pass, and hands out what is to be done. Is another turn due at once? */
  turn(actions: Actions): boolean {
    const end = this.#output + this.#raw.turn(now(), Date.now());
    this.look();
    const words = this.words;
    const again = words[this.#output] !== 0;
    this.sleep = words[this.#output + 1]! >>> 0;
    let at = this.#output + 4;
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
          actions.report(this.#report(words, at));
          at += REPORT_WORDS;
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

  #report(words: Int32Array, at: number): Report {
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
    };
  }

  free(): void {
    this.#raw.free();
  }
}
