// The package in browsers, and wherever else there is `fetch`: connections go through a bridge.

import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import type { Bytes, InitOptions, ProducerOptions } from '../types.js';
import { compiled, decode, loader, preload } from './module.js';
import { dial } from './web.js';

/** A bundler that copies no files has the module as text in what it made instead. */
async function plain(): Promise<WebAssembly.Module | BufferSource> {
  try {
    // Bundlers find exactly this form.
    return await compiled(new URL('../klamm.wasm', import.meta.url));
  } catch {
    return decode((await import('../wasm/inline.js')).base64);
  }
}

export const platform: Platform = {
  load: loader(plain, () => new URL('../klamm-codecs.wasm', import.meta.url)),
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
