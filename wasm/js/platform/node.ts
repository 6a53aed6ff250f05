// The package in Node.

import { readFile } from 'node:fs/promises';

import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import type { Bytes, ProducerOptions } from '../types.js';
import { loader } from './module.js';
import { dial } from './sockets.js';

const read = (name: string) => async () => (await readFile(new URL(name, import.meta.url))) as BufferSource;

/** Files of the package are beside its modules. */
export const platform: Platform = {
  load: loader(read('../klamm.wasm'), read('../klamm-codecs.wasm')),
  hasAll: true,
  dial,
};

export class Producer<K = Bytes, V = Bytes> extends Base<K, V> {
  constructor(options: ProducerOptions<K, V>) {
    super(options, platform);
  }
}

export * from '../api.js';
