// A connection as the driver sees it, and one over web streams.

import type { Address, Transport } from './types.js';

/** What a connection tells. Each opens at most once, and is lost at most once. */
export interface LinkEvents {
  open(): void;
  data(bytes: Uint8Array): void;
  /** It takes bytes again after `write` returned false. */
  drain(): void;
  lost(error?: unknown): void;
}

export interface Link {
  /** Takes all of the bytes, which are the link's from now on. False: no more before `drain`. */
  write(bytes: Uint8Array): boolean;
  /** Ends it at once; what was not written is lost. */
  close(): void;
  /** Ends it when everything is written. */
  end(): void;
}

export type Dial = (address: Address, events: LinkEvents) => Link;

/** Connections of a transport that a program brings, or of a runtime with web streams. */
export function overStreams(open: (address: Address, signal: AbortSignal) => Transport | Promise<Transport>): Dial {
  return (address, events) => new StreamLink(open, address, events);
}

class StreamLink implements Link {
  readonly #events: LinkEvents;
  readonly #abort = new AbortController();
  #transport: Transport | undefined;
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #closed = false;

  constructor(open: (address: Address, signal: AbortSignal) => Transport | Promise<Transport>, address: Address, events: LinkEvents) {
    this.#events = events;
    this.#run(open, address).catch((error: unknown) => this.#lost(error));
  }

  async #run(open: (address: Address, signal: AbortSignal) => Transport | Promise<Transport>, address: Address): Promise<void> {
    const transport = await open(address, this.#abort.signal);
    this.#transport = transport;
    if (this.#closed) {
      this.#release();
      return;
    }
    this.#writer = transport.writable.getWriter();
    this.#reader = transport.readable.getReader();
    this.#events.open();
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (this.#closed) return;
      if (done) break;
      this.#events.data(value);
    }
    this.#lost(undefined);
  }

  write(bytes: Uint8Array): boolean {
    this.#writer!.write(bytes).then(
      () => {
        if (!this.#closed) this.#events.drain();
      },
      (error: unknown) => this.#lost(error),
    );
    return false;
  }

  #lost(error: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#events.lost(error);
  }

  close(): void {
    this.#closed = true;
    this.#abort.abort();
    this.#release();
  }

  end(): void {
    // It is not open yet: there is nothing to wait for.
    if (this.#writer === undefined) return this.close();
    this.#closed = true;
    this.#writer.close().catch(() => {}).finally(() => this.#release());
  }

  /** Now, for another one may be opened in this turn, and there may be a limit. What fails here concerns what is gone. */
  #release(): void {
    const ignore = (): void => {};
    this.#reader?.cancel().catch(ignore);
    this.#writer?.abort().catch(ignore);
    (async () => this.#transport?.close())().catch(ignore);
  }
}
