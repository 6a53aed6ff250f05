// Connections through a klamm bridge: one WebSocket is one connection to one broker, and its binary frames carry the
// Kafka protocol. Brokers have virtual names there, which end in their node id.

import { KlammError } from './errors.js';
import type { Dial, Link, LinkEvents } from './link.js';
import type { Address } from './types.js';

/** The name of the first broker, whichever that is. */
export const BOOTSTRAP = 'bootstrap';
/** A WebSocket has no back-pressure but a count of bytes that it keeps. */
const HIGH_WATER = 256 * 1024;
const LOW_WATER = 64 * 1024;
/** Milliseconds between two looks at that count. */
const LOOK = 5;

type Token = string | (() => string | Promise<string>) | undefined;

export function overWebSocket(bridge: string | URL, token: Token): Dial {
  if (typeof WebSocket !== 'function') throw new KlammError('UNSUPPORTED', 'bridge: there is no WebSocket here (Node has one from version 22 on); use brokers');
  const base = new URL(bridge);
  if (base.protocol === 'http:' || base.protocol === 'https:') base.protocol = base.protocol.replace('http', 'ws');
  if (base.protocol !== 'ws:' && base.protocol !== 'wss:') {
    throw new KlammError('CONFIG', `bridge: ${String(bridge)} is no ws: or wss: URL`);
  }
  return (address, events) => new Socket(urlOf(base, address), token, events);
}

function urlOf(base: URL, { host }: Address): URL {
  const url = new URL(base);
  const node = host === BOOTSTRAP ? host : /\d+$/.exec(host)?.[0];
  if (node === undefined) throw new KlammError('PROTOCOL', `the bridge named a broker ${host}, without a number`);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/kafka/${node}`;
  return url;
}

class Socket implements Link {
  readonly #events: LinkEvents;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(url: URL, token: Token, events: LinkEvents) {
    this.#events = events;
    Promise.resolve(typeof token === 'function' ? token() : token)
      .then((bearer) => this.#open(url, bearer))
      .catch((error: unknown) => this.#lost(error));
  }

  #open(url: URL, bearer: string | undefined): void {
    if (this.#isClosed) return;
    const socket = new WebSocket(url, bearer === undefined ? ['klamm.v1'] : ['klamm.v1', `bearer.${bearer}`]);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#events.open();
    socket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) this.#events.data(new Uint8Array(data));
      else this.#lost(new KlammError('PROTOCOL', `${url.host}: a frame of text`));
    };
    // Browsers say nothing about why, for that would tell pages about the network.
    socket.onclose = ({ code, reason }) => {
      this.#lost(new KlammError('CONNECTION', `${url.host}${url.pathname}: closed (${code}${reason === '' ? '' : `, ${reason}`})`));
    };
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket!;
    socket.send(bytes as Uint8Array<ArrayBuffer>);
    if (socket.bufferedAmount <= HIGH_WATER) return true;
    const look = (): void => {
      if (this.#isClosed) return;
      if (socket.bufferedAmount <= LOW_WATER) this.#events.drain();
      else this.#timer = setTimeout(look, LOOK);
    };
    this.#timer = setTimeout(look, LOOK);
    return false;
  }

  #lost(error: unknown): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.lost(error);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // Before it is open there is nothing to say goodbye to; browsers note that as an error all the same.
    socket.close();
  }

  end(): void {
    this.close();
  }
}
