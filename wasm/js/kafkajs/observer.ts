// Requests on their way, for KafkaJS's events: what goes over a connection is read along, frame by frame.

import type { Dial, Link, LinkEvents } from '../link.js';

const PRODUCE = 0;
const NAMES: Record<number, string> = { [PRODUCE]: 'Produce', 3: 'Metadata', 17: 'SaslHandshake', 18: 'ApiVersions', 22: 'InitProducerId', 36: 'SaslAuthenticate' };

export interface Seen {
  apiKey: number;
  apiName: string;
  apiVersion: number;
  broker: string;
  correlationId: number;
  createdAt: number;
  sentAt: number;
  pendingDuration: number;
}

export interface Observer {
  /** A request got its answer of so many bytes. */
  answered(request: Seen, size: number, duration: number): void;
  /** A request's connection ended after so long. */
  lost(request: Seen, after: number): void;
  /** So many requests wait for answers. */
  queue(broker: string, size: number): void;
}

/** Connections that are read along. With acks 0 no Produce request is answered. */
export function observed(dial: Dial, observer: Observer, acks: number): Dial {
  return (address, events) => {
    const watch = new Watch(`${address.host}:${address.port}`, observer, acks);
    const link = dial(address, watch.events(events));
    return watch.link(link);
  };
}

class Watch {
  readonly #pending: Seen[] = [];
  readonly #out = new Frames(12, (head) => this.#sent(head));
  readonly #in = new Frames(4, (head, size) => this.#received(head, size));

  constructor(
    readonly broker: string,
    readonly observer: Observer,
    readonly acks: number,
  ) {}

  link(link: Link): Link {
    return {
      write: (bytes) => {
        this.#out.feed(bytes);
        return link.write(bytes);
      },
      close: () => {
        this.#end();
        link.close();
      },
      end: () => link.end(),
    };
  }

  events(events: LinkEvents): LinkEvents {
    return {
      open: () => events.open(),
      drain: () => events.drain(),
      data: (bytes) => {
        this.#in.feed(bytes);
        events.data(bytes);
      },
      lost: (error) => {
        this.#end();
        events.lost(error);
      },
    };
  }

  #sent(head: DataView): void {
    const apiKey = head.getInt16(4);
    const now = Date.now();
    const request: Seen = {
      apiKey,
      apiName: NAMES[apiKey] ?? `${apiKey}`,
      apiVersion: head.getInt16(6),
      broker: this.broker,
      correlationId: head.getInt32(8),
      createdAt: now,
      sentAt: now,
      pendingDuration: 0,
    };
    // As in KafkaJS it is done when it is sent.
    if (apiKey === PRODUCE && this.acks === 0) return this.observer.answered(request, 0, 0);
    this.#pending.push(request);
    this.observer.queue(this.broker, this.#pending.length);
  }

  #received(head: DataView, size: number): void {
    const at = this.#pending.findIndex(({ correlationId }) => correlationId === head.getInt32(4));
    if (at < 0) return;
    const request = this.#pending[at]!;
    this.#pending.splice(0, at + 1);
    this.observer.answered(request, size, Date.now() - request.sentAt);
    this.observer.queue(this.broker, this.#pending.length);
  }

  #end(): void {
    const now = Date.now();
    for (const request of this.#pending.splice(0)) this.observer.lost(request, now - request.sentAt);
  }
}

/** Finds the heads of frames in a stream: their size, and some bytes behind it. */
class Frames {
  readonly #head: Uint8Array;
  #filled = 0;
  #left = 0;

  constructor(
    bytes: number,
    readonly tell: (head: DataView, size: number) => void,
  ) {
    this.#head = new Uint8Array(Math.max(bytes, 8));
  }

  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const part = bytes.subarray(at, at + this.#head.length - this.#filled);
      this.#head.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#head.length) return;
      this.#filled = 0;
      const view = new DataView(this.#head.buffer);
      const size = view.getInt32(0);
      this.#left = Math.max(size + 4 - this.#head.length, 0);
      this.tell(view, size);
    }
  }
}
