// SASL before the core sees a connection: its first request goes out when the broker has accepted the credentials.

import { brokerError, KlammError } from './errors.js';
import type { Dial, Link, LinkEvents } from './link.js';
import { scram } from './scram.js';
import type { Address, SaslOptions } from './types.js';

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
/** No answer to either is larger. */
const ANSWER_BYTES = 64 * 1024;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** Says the next thing to the broker, and gets its answer. */
export type Exchange = (bytes: Uint8Array) => Promise<Uint8Array>;

/** Connections that authenticate. `isSecret`: nobody listens on them. */
export function authenticated(dial: Dial, sasl: SaslOptions, clientId: string, isSecret: boolean): Dial {
  const { mechanism } = sasl;
  if (!['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'].includes(mechanism)) {
    throw new KlammError('UNSUPPORTED', `sasl: mechanism ${String(mechanism)}; there are plain, scram-sha-256, scram-sha-512 and oauthbearer`);
  }
  if (!mechanism.startsWith('scram') && !isSecret && sasl.dangerouslyAllowPlaintext !== true) {
    throw new KlammError('CONFIG', `sasl: ${mechanism} shows the password to everybody on the way: set tls, or dangerouslyAllowPlaintext: true`);
  }
  return (address, events) => {
    const handshake = new Handshake(address, sasl, clientId, events);
    handshake.link = dial(address, handshake);
    return handshake.link;
  };
}

/** Stands between the link and its owner until the broker is content. */
class Handshake implements LinkEvents {
  link!: Link;
  #isDone = false;
  #correlation = 0;
  #received: Uint8Array = new Uint8Array(0);
  #answer: ((frame: Uint8Array) => void) | undefined;

  constructor(
    readonly address: Address,
    readonly sasl: SaslOptions,
    readonly clientId: string,
    readonly events: LinkEvents,
  ) {}

  open(): void {
    this.#authenticate().then(
      () => {
        this.#isDone = true;
        this.events.open();
      },
      (error: unknown) => {
        if (this.#isDone) return;
        this.#isDone = true;
        this.link.close();
        this.events.lost(error);
      },
    );
  }

  data(bytes: Uint8Array): void {
    if (this.#isDone) return this.events.data(bytes);
    const all = new Uint8Array(this.#received.length + bytes.length);
    all.set(this.#received);
    all.set(bytes, this.#received.length);
    this.#received = all;
    if (all.length < 4) return;
    const size = new DataView(all.buffer).getInt32(0);
    if (size < 4 || size > ANSWER_BYTES) return this.#broken(`a frame of ${size} bytes`);
    if (all.length < 4 + size) return;
    this.#received = all.slice(4 + size);
    this.#answer?.(all.subarray(4, 4 + size));
  }

  drain(): void {
    if (this.#isDone) this.events.drain();
  }

  lost(error?: unknown): void {
    if (this.#isDone) return this.events.lost(error);
    this.#isDone = true;
    this.events.lost(error ?? new KlammError('SASL', `${this.#broker}: closed during authentication`));
  }

  get #broker(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  #broken(what: string): void {
    this.#isDone = true;
    this.link.close();
    this.events.lost(new KlammError('PROTOCOL', `${this.#broker}: ${what}`));
  }

  async #authenticate(): Promise<void> {
    const { sasl } = this;
    const mechanism = sasl.mechanism.toUpperCase();
    const offered = await this.#ask(SASL_HANDSHAKE, 1, text(mechanism));
    const code = offered.getInt16(4);
    if (code !== 0) throw new KlammError('SASL', `${this.#broker}: ${mechanism} refused: ${brokerError(code)}`, { brokerCode: code });
    const exchange: Exchange = (bytes) => this.#exchange(bytes);
    switch (sasl.mechanism) {
      case 'plain':
        await exchange(utf8.encode(`\0${sasl.username}\0${sasl.password}`));
        return;
      case 'oauthbearer': {
        const { value } = await sasl.oauthBearerProvider();
        const refusal = await exchange(utf8.encode(`n,,\x01auth=Bearer ${value}\x01\x01`));
        if (refusal.length === 0) return;
        // RFC 7628: why it is refused has to be acknowledged, before it is refused.
        await exchange(new Uint8Array([1]));
        throw new KlammError('SASL', `${this.#broker}: token refused: ${fromUtf8.decode(refusal)}`);
      }
      default:
        await scram(sasl.mechanism === 'scram-sha-256' ? 'SHA-256' : 'SHA-512', sasl.username, sasl.password, exchange);
    }
  }

  async #exchange(bytes: Uint8Array): Promise<Uint8Array> {
    const length = new Uint8Array(4 + bytes.length);
    new DataView(length.buffer).setInt32(0, bytes.length);
    length.set(bytes, 4);
    // Version 0: a broker that wants credentials anew closes the connection, and the core comes back with them.
    const answer = await this.#ask(SASL_AUTHENTICATE, 0, length);
    const code = answer.getInt16(4);
    const said = Math.max(answer.getInt16(6), 0);
    if (code !== 0) {
      const words = fromUtf8.decode(new Uint8Array(answer.buffer, answer.byteOffset + 8, Math.min(said, 256)));
      throw new KlammError('SASL', `${this.#broker}: ${brokerError(code)} ${JSON.stringify(words)}`, { brokerCode: code });
    }
    const size = Math.max(answer.getInt32(8 + said), 0);
    return new Uint8Array(answer.buffer, answer.byteOffset + 12 + said, size);
  }

  /** A request and its answer, of which the first four bytes are the correlation id. */
  async #ask(api: number, version: number, body: Uint8Array): Promise<DataView> {
    const client = text(this.clientId);
    const frame = new Uint8Array(4 + 8 + client.length + body.length);
    const view = new DataView(frame.buffer);
    const correlation = this.#correlation++;
    view.setInt32(0, frame.length - 4);
    view.setInt16(4, api);
    view.setInt16(6, version);
    view.setInt32(8, correlation);
    frame.set(client, 12);
    frame.set(body, 12 + client.length);
    const answered = new Promise<Uint8Array>((resolve) => (this.#answer = resolve));
    this.link.write(frame);
    const answer = await answered;
    const answerView = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
    if (answerView.getInt32(0) !== correlation) throw new KlammError('PROTOCOL', `${this.#broker}: an answer out of order`);
    return answerView;
  }
}

function text(value: string): Uint8Array {
  const bytes = utf8.encode(value);
  const all = new Uint8Array(2 + bytes.length);
  new DataView(all.buffer).setInt16(0, bytes.length);
  all.set(bytes, 2);
  return all;
}
