// Records written one after the other into the module's memory, as `src/input.rs` reads them.

import { KlammError } from './errors.js';
import type { Call } from './call.js';
import type { Engine } from './engine.js';
import type { Bytes, Headers, Message } from './types.js';

const KEY = 1 << 16;
const VALUE = 2 << 16;
const TIMESTAMP = 4 << 16;
const HEADERS = 8 << 16;
/** Bytes that every record has. */
const HEAD = 20;
const HEADERS_MAX = 256;
/** Handed over at the latest when so many bytes are staged. */
const FULL = 192 * 1024;
/** Texts up to this length are written letter by letter, which is quicker than a call. */
const SHORT = 24;

const utf8 = new TextEncoder();

/** A key or a value, ready to be written. */
export type Plain = string | Uint8Array | null;

/** What is staged follows from it. */
export interface Segment {
  call: Call;
  /** The first message's place in its call. */
  first: number;
  count: number;
}

export class Staging {
  /** Bytes staged. */
  end = 0;
  /** Whose records they are, in order. */
  segments: Segment[] = [];
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Is it time to hand over? */
  get isFull(): boolean {
    return this.end >= FULL;
  }

  /**
   * Stages a message. False if there is no room before others are handed over.
   *
   * @throws KlammError of a message that can never be staged.
   */
  put(call: Call, place: number, message: Message, key: Plain, value: Plain, partition: number, codec: number): boolean {
    const engine = this.#engine;
    const start = engine.input + this.end;
    const headers = message.headers === undefined ? undefined : list(message.headers);
    const bound = HEAD + 12 + most(key) + most(value) + (headers?.bound ?? 0) + 3;
    if (this.end + bound > engine.inputBytes) {
      if (this.end > 0) return false;
      const plain = (text: Plain): Plain => (typeof text === 'string' ? utf8.encode(text) : text);
      const exact = [plain(key), plain(value)] as const;
      if (HEAD + 12 + most(exact[0]) + most(exact[1]) + (headers?.bound ?? 0) + 3 > engine.inputBytes) {
        throw new KlammError('TOO_LARGE', `message of topic ${call.topic.name} too large: ${most(exact[0]) + most(exact[1])} bytes of key and value (maxRequestSize)`, { topic: call.topic.name });
      }
      [key, value] = exact;
    }
    const words = engine.words;
    let flags = call.topic.handle | ((codec + 1) << 20);
    let word = (start + HEAD) >> 2;
    if (message.timestamp !== undefined) {
      flags |= TIMESTAMP;
      const millis = time(message.timestamp);
      words[word++] = Number(millis & 0xffff_ffffn) | 0;
      words[word++] = Number(millis >> 32n) | 0;
    }
    let lengths = 0;
    if (headers !== undefined) {
      flags |= HEADERS;
      words[word++] = headers.entries.length;
      lengths = word;
      word += headers.entries.length * 2;
    }
    let at = word << 2;
    let length = 0;
    if (key !== null) {
      flags |= KEY;
      length = this.#write(key, at);
      at += length;
    }
    const head = start >> 2;
    words[head + 3] = length;
    length = 0;
    if (value !== null) {
      flags |= VALUE;
      length = this.#write(value, at);
      at += length;
    }
    words[head + 4] = length;
    if (headers !== undefined) {
      for (const [name, content] of headers.entries) {
        length = this.#write(name, at);
        words[lengths++] = length;
        at += length;
        length = content === null ? -1 : this.#write(content, at);
        words[lengths++] = length;
        at += Math.max(length, 0);
      }
    }
    words[head] = flags;
    words[head + 1] = partition;
    at = (at + 3) & ~3;
    words[head + 2] = at - start;
    this.end = at - engine.input;
    this.#follow(call, place);
    return true;
  }

  #follow(call: Call, place: number): void {
    const last = this.segments[this.segments.length - 1];
    if (last !== undefined && last.call === call && last.first + last.count === place) {
      last.count++;
    } else {
      this.segments.push({ call, first: place, count: 1 });
    }
  }

  /** Returns how many bytes it took. */
  #write(content: string | Uint8Array, at: number): number {
    const bytes = this.#engine.bytes;
    if (typeof content !== 'string') {
      bytes.set(content, at);
      return content.length;
    }
    if (content.length <= SHORT) {
      let n = 0;
      for (; n < content.length; n++) {
        const unit = content.charCodeAt(n);
        if (unit > 127) break;
        bytes[at + n] = unit;
      }
      if (n === content.length) return n;
    }
    return utf8.encodeInto(content, bytes.subarray(at)).written;
  }

  /** So many bytes and records at the beginning are done with. */
  consume(bytes: number, records: number): void {
    const { bytes: memory, input } = this.#engine;
    if (bytes < this.end) memory.copyWithin(input, input + bytes, input + this.end);
    this.end -= bytes;
    let whole = 0;
    for (; whole < this.segments.length; whole++) {
      const segment = this.segments[whole]!;
      if (segment.count > records) {
        segment.first += records;
        segment.count -= records;
        break;
      }
      records -= segment.count;
    }
    this.segments.splice(0, whole);
  }
}

/** At most so many bytes. */
function most(content: Plain): number {
  if (content === null) return 0;
  return typeof content === 'string' ? content.length * 3 : content.length;
}

/** What can be written. */
export function plain(content: Bytes | null | undefined, what: string): Plain {
  if (content === null || content === undefined) return null;
  if (typeof content === 'string' || content instanceof Uint8Array) return content;
  if (content instanceof ArrayBuffer) return new Uint8Array(content);
  if (ArrayBuffer.isView(content)) {
    const view = content as ArrayBufferView;
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }
  throw new KlammError('INVALID_MESSAGE', `${what}: neither text nor bytes nor null, but ${typeof content}`);
}

export function list(headers: Headers): { entries: [string, Plain][]; bound: number } {
  const entries: [string, Plain][] = [];
  for (const [name, content] of Object.entries(headers)) {
    if (content === undefined) continue;
    for (const one of Array.isArray(content) ? (content as (Bytes | null)[]) : [content as Bytes | null]) {
      entries.push([name, plain(one, `header ${name}`)]);
    }
  }
  if (entries.length > HEADERS_MAX) {
    throw new KlammError('INVALID_MESSAGE', `${entries.length} headers: at most ${HEADERS_MAX}`);
  }
  const bound = entries.reduce((sum, [name, content]) => sum + 8 + name.length * 3 + most(content), 4);
  return { entries, bound };
}

function time(given: NonNullable<Message['timestamp']>): bigint {
  try {
    return BigInt(given instanceof Date ? given.getTime() : given);
  } catch {
    throw new KlammError('INVALID_MESSAGE', `timestamp: ${String(given)} is no whole number of milliseconds`);
  }
}
