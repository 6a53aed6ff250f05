// One sender among all who share a store, and how they talk.

import { KlammError } from '../errors.js';
import type { RecordMetadata } from '../types.js';

/** What the tabs of one outbox tell each other. */
export type News =
  /** There are new records. */
  | { kind: 'stored' }
  /** Another tab sends now. */
  | { kind: 'leading' }
  | { kind: 'delivered'; number: number; place: RecordMetadata; doubtful: boolean }
  | { kind: 'failed'; number: number; topic: string; code: string; message: string; persisted: 'no' | 'unknown'; brokerCode: number }
  | { kind: 'dropped'; numbers: number[]; why: 'bytes' | 'age' };

export interface Tabs {
  /** Resolves when this one is the sender: at once, or when the one before is gone. Rejects when there can be no other. */
  lead(): Promise<void>;
  tell(news: News): void;
  /** Gives the place up, and hears nothing more. */
  close(): Promise<void>;
}

/** By Web Locks and a BroadcastChannel, which end with the tab, however that ends. */
export class WebTabs implements Tabs {
  readonly #name: string;
  readonly #channel: BroadcastChannel;
  readonly #abort = new AbortController();
  #release: (() => void) | undefined;

  constructor(name: string, hear: (news: News) => void) {
    if (typeof navigator === 'undefined' || navigator.locks === undefined) throw new KlammError('UNSUPPORTED', 'klamm/outbox: there are no Web Locks here (https: is needed, or localhost)');
    this.#name = `klamm-outbox:${name}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => hear(data as News);
  }

  lead(): Promise<void> {
    return new Promise((resolve, reject) => {
      const held = (): Promise<void> =>
        new Promise((release) => {
          this.#release = release;
          resolve();
        });
      navigator.locks.request(this.#name, { signal: this.#abort.signal }, held).catch(reject);
    });
  }

  tell(news: News): void {
    if (!this.#abort.signal.aborted) this.#channel.postMessage(news);
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#release?.();
    this.#channel.close();
  }
}
