// Connections by node:net and node:tls, which Node, Bun and Deno have.

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { KlammError } from '../errors.js';
import type { Dial, Link, LinkEvents } from '../link.js';
import { authenticated } from '../sasl.js';
import type { Address, AnyOptions, TlsOptions } from '../types.js';
import { overStreams } from '../link.js';
import type { OnTicket } from '../tickets.js';
import { overWebSocket } from '../websocket.js';

export function dial(options: AnyOptions, told: OnTicket): Dial {
  const { bridge, tls = false, sasl, transport } = options;
  if (bridge !== undefined) return overWebSocket(options, told);
  const plain = transport === undefined ? overSockets(tls) : overStreams(transport);
  return sasl === undefined ? plain : authenticated(plain, sasl, options.clientId ?? 'klamm', tls !== false || transport !== undefined);
}

function overSockets(tls: TlsOptions): Dial {
  return (address, events) => new SocketLink(open(address, tls), address, events, tls !== false);
}

function open({ host, port }: Address, tls: TlsOptions): Socket {
  if (tls === false) return connectTcp({ host, port, noDelay: true });
  const options = tls === true ? {} : tls;
  // The name that the broker has to prove is the one that was configured, or that metadata named.
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const socket = connectTls({ host, port, ...servername, ...options });
  socket.setNoDelay(true);
  return socket;
}

class SocketLink implements Link {
  readonly #socket: Socket;
  #isOver = false;

  constructor(socket: Socket, { host, port }: Address, events: LinkEvents, tls: boolean) {
    this.#socket = socket;
    let error: Error | undefined;
    socket.on(tls ? 'secureConnect' : 'connect', () => this.#isOver || events.open());
    socket.on('data', (bytes) => this.#isOver || events.data(bytes));
    socket.on('drain', () => this.#isOver || events.drain());
    socket.on('error', (cause) => {
      error = new KlammError('CONNECTION', `${host}:${port}: ${cause.message}`, { cause });
    });
    socket.on('close', () => {
      if (this.#isOver) return;
      this.#isOver = true;
      events.lost(error);
    });
    // A half-open connection is of no use.
    socket.on('end', () => socket.destroy());
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  end(): void {
    this.#isOver = true;
    this.#socket.end(() => this.#socket.destroy());
  }
}
