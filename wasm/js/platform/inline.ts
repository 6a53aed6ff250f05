// The package with its module in the text: one file, nothing to fetch. A third larger, and only without codecs.

import { KlammError } from '../errors.js';
import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import type { Bytes, InitOptions, ProducerOptions } from '../types.js';
import { base64 } from '../wasm/inline.js';
import { decode, loader, preload } from './module.js';
import { dial } from './web.js';

export const platform: Platform = {
  load: loader(() => decode(base64), () => {
    throw new KlammError('UNSUPPORTED', 'klamm/inline has no codecs, no acks 0, and only the partitioners java and java_adaptive');
  }),
  dial,
};

export class Producer<K = Bytes, V = Bytes> extends Base<K, V> {
  constructor(options: ProducerOptions<K, V>) {
    super(options, platform);
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
