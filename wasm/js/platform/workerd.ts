// The package in Cloudflare's Workers. Connections live in the request that made them: make the producer within the
// handler or in a Durable Object, and close it there.

// @ts-expect-error the runtime's own module
import { connect } from 'cloudflare:sockets';
import codecs from '../klamm-codecs.wasm';
import plain from '../klamm.wasm';

import { KlammError } from '../errors.js';
import { overStreams, type Dial } from '../link.js';
import { Producer as Base } from '../producer.js';
import type { Platform } from '../platform.js';
import { returned } from '../returned.js';
import { authenticated } from '../sasl.js';
import type { Address, Bytes, InitOptions, ProducerOptions, Transport } from '../types.js';
import { overWebSocket } from '../websocket.js';
import { loader, preload } from './module.js';

interface Socket extends Transport {
  opened: Promise<unknown>;
}

type Connect = (address: { hostname: string; port: number }, options: { secureTransport: 'on' | 'off' }) => Socket;

export const platform: Platform = {
  load: loader(
    () => plain,
    () => codecs,
  ),
  // A request may have six, and one is left to the program.
  maxConnections: 5,
  returned,
  dial(options, told): Dial {
    const { bridge, tls = false, sasl, transport } = options;
    if (bridge !== undefined) return overWebSocket(options, told);
    if (typeof tls === 'object') throw new KlammError('UNSUPPORTED', 'tls: Cloudflare takes no options, only true or false');
    const link = overStreams(transport ?? ((address, signal) => open(address, tls, signal)));
    return sasl === undefined ? link : authenticated(link, sasl, options.clientId ?? 'klamm', tls || transport !== undefined);
  },
};

async function open({ host, port }: Address, tls: boolean, signal: AbortSignal): Promise<Transport> {
  const socket = (connect as Connect)({ hostname: host, port }, { secureTransport: tls ? 'on' : 'off' });
  // One that is still being opened counts, too.
  const giveUp = (): void => void (async () => socket.close())().catch(() => {});
  signal.addEventListener('abort', giveUp);
  try {
    await socket.opened;
    return socket;
  } catch (cause) {
    throw new KlammError('CONNECTION', `${host}:${port}: ${String(cause)}`, { cause });
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

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
