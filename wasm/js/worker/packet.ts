// Messages as bytes that go to another thread at once; `../returned.ts` reads them again.

import { list, most, time, type Plain } from '../staging.js';
import type { Message } from '../types.js';

/** Bytes of a packet that has none yet. */
const FIRST_BYTES = 64 * 1024;
const HEAD = 28;
const utf8 = new TextEncoder();

export class Packet {
  /** Bytes that are used. */
  end = 0;
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);

  /** @throws KlammError of a message that can never be sent; nothing is kept of it. */
  put(message: Message, key: Plain, value: Plain): void {
    const headers = message.headers === undefined ? undefined : list(message.headers);
    const timestamp = message.timestamp === undefined ? undefined : time(message.timestamp);
    this.#grow(HEAD + most(key) + most(value) + (headers?.bound ?? 0) + 3);
    const start = this.end;
    const entries = headers?.entries ?? [];
    let at = start + HEAD + entries.length * 8;
    const put = (content: Plain, lengthAt: number): void => {
      const length = content === null ? -1 : this.#write(content, at);
      this.#view.setInt32(lengthAt, length, true);
      at += Math.max(length, 0);
    };
    put(key ?? '', start + 4);
    put(value ?? '', start + 8);
    entries.forEach(([name, content], n) => {
      put(name, start + HEAD + 8 * n);
      put(content, start + HEAD + 8 * n + 4);
    });
    const flags = (key === null ? 0 : 1) | (value === null ? 0 : 2) | (timestamp === undefined ? 0 : 4);
    this.#view.setUint32(start, flags, true);
    this.#view.setBigInt64(start + 12, timestamp ?? 0n, true);
    this.#view.setUint32(start + 20, entries.length, true);
    this.#view.setInt32(start + 24, message.partition ?? -1, true);
    this.end = (at + 3) & ~3;
  }

  #write(content: string | Uint8Array, at: number): number {
    if (typeof content === 'string') return utf8.encodeInto(content, this.#bytes.subarray(at)).written;
    this.#bytes.set(content, at);
    return content.length;
  }

  #grow(room: number): void {
    if (this.end + room <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.end + room));
    larger.set(this.#bytes.subarray(0, this.end));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** What is in it; it is empty again, in other memory. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.end);
    this.#bytes = new Uint8Array(FIRST_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
    this.end = 0;
    return taken;
  }
}
