// Messages as bytes: those that the module hands back (`src/returned.rs`), and those of another thread (`worker/packet.ts`).

import type { Message } from './types.js';

const HEAD = 28;
const fromUtf8 = new TextDecoder();

/** What lies in these bytes, which stay theirs. */
export function returned(bytes: Uint8Array): Message[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: Message[] = [];
  let at = 0;
  const take = (length: number): Uint8Array => bytes.subarray(at, (at += length));
  while (at < bytes.length) {
    const start = at;
    const word = (n: number): number => view.getUint32(start + 4 * n, true);
    const [flags, keyBytes, valueBytes, count] = [word(0), word(1), word(2), word(5)];
    const partition = view.getInt32(start + 24, true);
    at = start + HEAD + count * 8;
    const key = take(keyBytes);
    const value = take(valueBytes);
    const message: Message = { key: (flags & 1) !== 0 ? key : null, value: (flags & 2) !== 0 ? value : null };
    if (partition >= 0) message.partition = partition;
    if ((flags & 4) !== 0) message.timestamp = Number(view.getBigInt64(start + 12, true));
    if (count > 0) {
      const headers: Record<string, (Uint8Array | null)[]> = {};
      for (let n = 0; n < count; n++) {
        const name = fromUtf8.decode(take(word(7 + 2 * n)));
        const length = view.getInt32(start + HEAD + 8 * n + 4, true);
        (headers[name] ??= []).push(length < 0 ? null : take(length));
      }
      message.headers = headers;
    }
    messages.push(message);
    at = (at + 3) & ~3;
  }
  return messages;
}
