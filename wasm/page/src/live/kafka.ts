// As much of the Kafka protocol as it takes to see batches go by: Produce requests, and the answers to them.

/** A batch in a Produce request. */
export interface Produced {
  partition: number;
  epoch: number;
  sequence: number;
  records: number;
  bytes: number;
}

export interface Answer {
  partition: number;
  code: number;
}

export interface Request {
  api: number;
  version: number;
  correlation: number;
  batches: Produced[];
}

export const PRODUCE = 0;
/** From here on lengths are varints, and there are tags. */
const FLEXIBLE = 9;

/** Puts frames together from bytes that come in any pieces. */
export class Frames {
  #rest = new Uint8Array(0);

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let at = 0;
    while (all.length - at >= 4) {
      const size = new DataView(all.buffer, at).getInt32(0);
      if (all.length - at - 4 < size) break;
      yield all.subarray(at + 4, at + 4 + size);
      at += 4 + size;
    }
    this.#rest = all.slice(at);
  }
}

/** Goes through a frame; what is short of bytes throws a RangeError. */
class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(
    readonly frame: Uint8Array,
    public isFlexible: boolean,
  ) {
    this.#view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  }

  #move(count: number): number {
    this.#at += count;
    return this.#at - count;
  }

  i16 = (): number => this.#view.getInt16(this.#move(2));
  i32 = (): number => this.#view.getInt32(this.#move(4));
  skip = (count: number): number => this.#move(Math.max(count, 0));

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#view.getUint8(this.#move(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  /** Null counts as empty. */
  length(wide: boolean): number {
    const length = this.isFlexible ? this.varint() - 1 : wide ? this.i32() : this.i16();
    return Math.max(length, 0);
  }

  text(): void {
    this.skip(this.length(false));
  }

  tags(): void {
    if (!this.isFlexible) return;
    for (let count = this.varint(); count > 0; count -= 1) {
      this.varint();
      this.skip(this.varint());
    }
  }

  each(act: () => void): void {
    for (let count = this.length(true); count > 0; count -= 1) act();
  }

  /** A record batch. */
  batch(partition: number): Produced {
    const bytes = this.length(true);
    const at = this.skip(bytes);
    const view = this.#view;
    return {
      partition,
      epoch: view.getInt16(at + 51),
      sequence: view.getInt32(at + 53),
      records: view.getInt32(at + 57),
      bytes,
    };
  }
}

/** Reads a request; of others than Produce only its head. */
export function request(frame: Uint8Array): Request {
  const reader = new Reader(frame, false);
  const api = reader.i16();
  const version = reader.i16();
  const result: Request = { api, version, correlation: reader.i32(), batches: [] };
  if (api !== PRODUCE) return result;
  // The client id has its old form in every version.
  reader.text();
  reader.isFlexible = version >= FLEXIBLE;
  reader.tags();
  reader.text();
  reader.skip(2 + 4);
  reader.each(() => {
    reader.text();
    reader.each(() => {
      result.batches.push(reader.batch(reader.i32()));
      reader.tags();
    });
    reader.tags();
  });
  return result;
}

export const correlation = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getInt32(0);

/** Reads the answer to a Produce of this version, from 5 on. */
export function answers(frame: Uint8Array, version: number): Answer[] {
  const reader = new Reader(frame, version >= FLEXIBLE);
  const result: Answer[] = [];
  reader.i32();
  reader.tags();
  reader.each(() => {
    reader.text();
    reader.each(() => {
      result.push({ partition: reader.i32(), code: reader.i16() });
      // Base offset, append time, start of the log.
      reader.skip(24);
      if (version >= 8) {
        reader.each(() => {
          reader.i32();
          reader.text();
          reader.tags();
        });
        reader.text();
      }
      reader.tags();
    });
    reader.tags();
  });
  return result;
}
