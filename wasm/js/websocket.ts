// Connections through a klamm bridge: one WebSocket is one connection to one broker, and its binary messages carry the
// Kafka protocol. Brokers have virtual names there, which end in their node id.

import { KlammError } from './errors.js';
import type { Dial, Link, LinkEvents } from './link.js';
import { Tickets, type OnTicket } from './tickets.js';
import type { Address, AnyOptions } from './types.js';

/** The name of the first broker, whichever that is. */
export const BOOTSTRAP = 'bootstrap';
/** The bridge closes on a message of more bytes. */
const MESSAGE_BYTES = 64 * 1024;
/** A WebSocket has no back-pressure but a count of bytes that it keeps. */
const HIGH_WATER = 256 * 1024;
const LOW_WATER = 64 * 1024;
/** Milliseconds between two looks at that count. */
const LOOK = 5;
/** How the bridge closes on a token that is missing, wrong, at its end, or says too much. */
const TOKEN_CODES = [4401, 4403];

export function overWebSocket(options: AnyOptions, told: OnTicket): Dial {
  const { bridge, webSocket = globalThis.WebSocket } = options;
  if (typeof webSocket !== 'function') throw new KlammError('UNSUPPORTED', 'bridge: there is no WebSocket here (Node has one from version 22 on): set webSocket to the class of npm\'s ws or undici');
  const base = new URL(bridge!);
  if (base.protocol === 'http:' || base.protocol === 'https:') base.protocol = base.protocol.replace('http', 'ws');
  if (base.protocol !== 'ws:' && base.protocol !== 'wss:') {
    throw new KlammError('CONFIG', `bridge: ${String(bridge)} is no ws: or wss: URL`);
  }
  const tickets = new Tickets(options.ticket, told);
  return (address, events) => new Socket(urlOf(base, address), options, tickets, events);
}

function urlOf(base: URL, { host }: Address): URL {
  const url = new URL(base);
  const node = host === BOOTSTRAP ? host : /\d+$/.exec(host)?.[0];
  if (node === undefined) throw new KlammError('PROTOCOL', `the bridge named a broker ${host}, without a number`);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/kafka/${node}`;
  return url;
}

class Socket implements Link {
  readonly #options: AnyOptions;
  readonly #tickets: Tickets;
  readonly #events: LinkEvents;
  readonly #say = (text: string): void => this.#socket!.send(text);
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(url: URL, options: AnyOptions, tickets: Tickets, events: LinkEvents) {
    this.#options = options;
    this.#tickets = tickets;
    this.#events = events;
    const { token } = options;
    // Not this turn: its owner does not have the link yet.
    Promise.resolve()
      .then(() => (typeof token === 'function' ? token() : token))
      .then((bearer) => this.#open(url, bearer))
      .catch((error: unknown) => this.#lost(error));
  }

  #open(url: URL, bearer: string | undefined): void {
    if (this.#isClosed) return;
    const Class = (this.#options.webSocket ?? WebSocket) as typeof WebSocket;
    const protocols = ['klamm.v1', 'tickets'];
    if (bearer !== undefined) protocols.push(`bearer.${bearer}`);
    const socket = new Class(url.href, protocols);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#tickets.join(this.#say);
      this.#events.open();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') this.#events.data(new Uint8Array(data as ArrayBuffer));
      else if (!this.#tickets.take(data)) this.#lost(new KlammError('PROTOCOL', `${url.host}: a text that is no ticket`));
    };
    // Browsers say nothing about why, for that would tell pages about the network; others do.
    let why = '';
    socket.onerror = (event) => {
      why = (event as ErrorEvent).message ?? '';
    };
    socket.onclose = ({ code, reason }) => {
      const said = [code, reason || why].filter(Boolean).join(', ');
      this.#lost(new KlammError(TOKEN_CODES.includes(code) ? 'TOKEN' : 'CONNECTION', `${url.host}${url.pathname}: closed (${said})`));
    };
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket!;
    // It is closing, and says so in a moment; Chromium would note in the console what is sent now.
    if (socket.readyState !== socket.OPEN) return true;
    for (let at = 0; at < bytes.length; at += MESSAGE_BYTES) {
      socket.send(bytes.subarray(at, at + MESSAGE_BYTES) as Uint8Array<ArrayBuffer>);
    }
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
    this.#tickets.leave(this.#say);
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // Before it is open there is nothing to say goodbye to; that is noted as an error all the same, which is nobody's.
    socket.onerror = () => {};
    socket.close();
  }

  end(): void {
    this.close();
  }
}
