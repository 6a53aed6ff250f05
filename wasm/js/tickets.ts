// A bridge's tickets: a producer id belongs to whoever shows the ticket that came with it, also to a bridge that was
// started anew, or another one.

import type { ProducerEvents } from './types.js';

/** A bridge looks at no more of them on a connection. */
const TICKETS = 64;

export type OnTicket = (event: ProducerEvents['ticket']) => void;

/** Of all connections of a producer. */
export class Tickets {
  readonly #told: OnTicket;
  /** The last one is the newest. */
  readonly #shown: string[] = [];
  readonly #open = new Set<(text: string) => void>();

  constructor(kept: string | readonly string[] = [], told: OnTicket) {
    this.#told = told;
    for (const ticket of [kept].flat()) this.#keep(ticket);
  }

  /** Takes the bridge's words; false if they are something else. */
  take(words: string): boolean {
    let ticket: unknown;
    let producerId: bigint;
    try {
      const said = JSON.parse(words) as { ticket: unknown; producer_id: string };
      ticket = said.ticket;
      producerId = BigInt(said.producer_id);
    } catch {
      return false;
    }
    if (typeof ticket !== 'string') return false;
    const text = this.#keep(ticket);
    // Connections that are open already may be with another bridge, behind the same address.
    for (const say of this.#open) say(text);
    this.#told({ ticket, producerId });
    return true;
  }

  #keep(ticket: string): string {
    if (this.#shown.length === TICKETS) this.#shown.shift();
    const text = JSON.stringify({ ticket });
    this.#shown.push(text);
    return text;
  }

  /** A connection is open, which comes before anything else is said on it. */
  join(say: (text: string) => void): void {
    this.#shown.forEach(say);
    this.#open.add(say);
  }

  leave(say: (text: string) => void): void {
    this.#open.delete(say);
  }
}
