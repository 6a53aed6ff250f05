// The file that the outbox's store is in: entries, one after the other, each with its length and a checksum. What a
// crash left unfinished at the end was never said to be safe, and is cut off.

import { closeSync, fsyncSync, openSync, readSync, renameSync, writeSync, ftruncateSync, fdatasync, fstatSync, write as writeAsync } from 'node:fs';
import { dirname } from 'node:path';

/** Length and checksum of what follows. */
const HEAD = 8;

/** Reflected 0xedb88320, as in gzip. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb8_8320 : byte >>> 1;
  return byte >>> 0;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** An entry as it is in the file. */
export function framed(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(HEAD + length);
  let at = HEAD;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  view.setUint32(4, crc32(bytes.subarray(HEAD)));
  return bytes;
}

export class Log {
  #file: number;
  /** Where the next entry goes. */
  end = 0;

  /** Opens the file, hands each whole entry to `found`, with its place, and cuts off the rest. */
  constructor(
    readonly path: string,
    found: (entry: Uint8Array, at: number) => void,
  ) {
    this.#file = openSync(path, 'a+');
    const size = fstatSync(this.#file).size;
    const head = new Uint8Array(HEAD);
    const view = new DataView(head.buffer);
    while (size - this.end >= HEAD) {
      this.#readInto(head, this.end);
      const [length, crc] = [view.getUint32(0), view.getUint32(4)];
      if (length === 0 || length > size - this.end - HEAD) break;
      const entry = this.read(this.end + HEAD, length);
      if (crc32(entry) !== crc) break;
      found(entry, this.end + HEAD);
      this.end += HEAD + length;
    }
    if (size > this.end) ftruncateSync(this.#file, this.end);
    fsyncSync(this.#file);
    syncDirectory(path);
  }

  /** `length` bytes of an entry from `at` on. */
  read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#readInto(bytes, at);
    return bytes;
  }

  #readInto(bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(this.#file, bytes, done, bytes.length - done, at + done);
      if (count === 0) throw new Error(`${this.path}: shorter than it was`);
      done += count;
    }
  }

  /** Appends framed entries; resolves when they are on the disk. */
  async append(bytes: Uint8Array): Promise<void> {
    const from = this.end;
    try {
      for (let done = 0; done < bytes.length; ) done += await new Promise<number>((resolve, reject) => writeAsync(this.#file, bytes, done, bytes.length - done, null, (error, count) => (error === null ? resolve(count) : reject(error))));
      await new Promise<void>((resolve, reject) => fdatasync(this.#file, (error) => (error === null ? resolve() : reject(error))));
    } catch (error) {
      // A part of an entry before a whole one would hide that one.
      ftruncateSync(this.#file, from);
      throw error;
    }
    this.end = from + bytes.length;
  }

  /** Writes these entries in place of all others: both or neither is there after a crash. */
  replace(entries: Iterable<Uint8Array>): void {
    const fresh = `${this.path}.new`;
    const file = openSync(fresh, 'w');
    let end = 0;
    try {
      for (const bytes of entries) {
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
        end += bytes.length;
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(fresh, this.path);
    syncDirectory(this.path);
    closeSync(this.#file);
    this.#file = openSync(this.path, 'a+');
    this.end = end;
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** That the file is there, under this name. Not every system lets one say so. */
function syncDirectory(path: string): void {
  try {
    const directory = openSync(dirname(path), 'r');
    fsyncSync(directory);
    closeSync(directory);
  } catch {
    // Windows has no such call, and needs none.
  }
}
