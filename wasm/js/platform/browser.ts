// The package in browsers, and wherever else there is `fetch`: connections go through a bridge.

import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import type { Bytes, ProducerOptions } from '../types.js';
import { decode, loader } from './module.js';
import { dial } from './web.js';

async function get(url: URL): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: ${response.status} ${response.statusText}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** A bundler that copies no files has the module as text in what it made instead. */
async function plain(): Promise<WebAssembly.Module | BufferSource> {
  try {
    // Bundlers find exactly this form.
    return await get(new URL('../klamm.wasm', import.meta.url));
  } catch {
    return decode((await import('../wasm/inline.js')).base64);
  }
}

export const platform: Platform = {
  load: loader(plain, () => get(new URL('../klamm-codecs.wasm', import.meta.url))),
  dial,
};

export class Producer<K = Bytes, V = Bytes> extends Base<K, V> {
  constructor(options: ProducerOptions<K, V>) {
    super(options, platform);
  }
}

export * from '../api.js';
