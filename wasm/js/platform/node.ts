// The package in Node.

import { readFile } from 'node:fs/promises';

import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import { returned } from '../returned.js';
import type { Bytes, InitOptions, Message, ProducerEvents, ProducerOptions, ProducerStats, RecordMetadata, SendOptions } from '../types.js';
import { Remote } from '../worker/remote.js';
import { loader, preload } from './module.js';
import { dial } from './sockets.js';

const read = (name: string) => async () => (await readFile(new URL(name, import.meta.url))) as BufferSource;

/** Files of the package are beside its modules. */
export const platform: Platform = {
  load: loader(read('../klamm.wasm'), read('../klamm-codecs.wasm')),
  hasAll: true,
  dial,
  returned,
};

/** Options in Node. */
export interface NodeProducerOptions<K = Bytes, V = Bytes> extends ProducerOptions<K, V> {
  /**
   * Runs the producer in a thread of its own, which goes on while the program's is busy. Serializers and key makers still run
   * in the program's; `partitioner`, `transport` and `webSocket` cannot be functions then. Default false.
   */
  worker?: boolean;
}

export class Producer<K = Bytes, V = Bytes> extends Base<K, V> {
  readonly #remote: Remote | undefined;

  constructor({ worker = false, ...options }: NodeProducerOptions<K, V>) {
    super(options, platform);
    if (worker) this.#remote = new Remote(options, (name, event) => this.emit(name, event));
  }

  override connect(): Promise<void> {
    return this.#remote?.connect() ?? super.connect();
  }

  override send(options: SendOptions<K, V>): Promise<RecordMetadata[]> {
    return this.#remote?.send(options as SendOptions) ?? super.send(options);
  }

  override post(topic: string, message: Message<K, V>): boolean {
    return this.#remote?.post(topic, message as Message) ?? super.post(topic, message);
  }

  override ready(): Promise<void> {
    if (this.#remote === undefined) return super.ready();
    if (!this.#remote.isFull) return Promise.resolve();
    return new Promise((resolve) => this.once('drain', resolve));
  }

  override flush(): Promise<void> {
    return this.#remote?.flush() ?? super.flush();
  }

  override close(options: { timeoutMs?: number } = {}): Promise<void> {
    return this.#remote?.close(options.timeoutMs) ?? super.close(options);
  }

  override stats(): ProducerStats {
    return this.#remote?.stats() ?? super.stats();
  }

  override on<Name extends keyof ProducerEvents>(name: Name, listener: (event: ProducerEvents[Name]) => void): () => void {
    if (!this.hears(name)) this.#remote?.hear(name);
    return super.on(name, listener);
  }
}

/**
 * Loads and compiles the module now, which the first message would do as well: to have it ready, or to say where it is. Once is
 * enough, for all producers; another call does nothing.
 */
export function init(options?: InitOptions): Promise<void> {
  return preload(platform, options);
}

export * from '../api.js';
