// The package in Deno.

import { KlammError } from '../errors.js';
import { overStreams, type Dial } from '../link.js';
import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import { returned } from '../returned.js';
import { authenticated } from '../sasl.js';
import type { Address, Bytes, InitOptions, ProducerOptions, TlsOptions, Transport } from '../types.js';
import { overWebSocket } from '../websocket.js';
import { loader, preload } from './module.js';

interface Conn extends Transport {
  setNoDelay(on: boolean): void;
}

declare const Deno: {
  readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  connect(address: { hostname: string; port: number }): Promise<Conn>;
  connectTls(address: { hostname: string; port: number }): Promise<Conn>;
};

const read = (name: string) => () =>
  // From a registry the module has an address that is no file.
  import.meta.url.startsWith('file:')
    ? Deno.readFile(new URL(name, import.meta.url))
    : new URL(name, import.meta.url);

export const platform: Platform = {
  load: loader(read('../klamm.wasm'), read('../klamm-codecs.wasm')),
  hasAll: true,
  returned,
  dial(options, told): Dial {
    const { bridge, tls = false, sasl, transport } = options;
    if (bridge !== undefined) return overWebSocket(options, told);
    const plain = overStreams(transport ?? ((address) => open(address, tls)));
    return sasl === undefined ? plain : authenticated(plain, sasl, options.clientId ?? 'klamm', tls !== false || transport !== undefined);
  },
};

async function open({ host, port }: Address, tls: TlsOptions): Promise<Transport> {
  const address = { hostname: host, port, ...(typeof tls === 'object' ? tls : {}) };
  try {
    const connection = await (tls === false ? Deno.connect(address) : Deno.connectTls(address));
    connection.setNoDelay?.(true);
    return connection;
  } catch (cause) {
    throw new KlammError('CONNECTION', `${host}:${port}: ${String(cause)}`, { cause });
  }
}

export class Producer<K = Bytes, V = Bytes> extends Base<K, V> {
  constructor(options: ProducerOptions<K, V>) {
    if ('worker' in options) throw new KlammError('UNSUPPORTED', 'worker: Node and Bun have it; in Deno, make the producer in a Worker of your own');
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
