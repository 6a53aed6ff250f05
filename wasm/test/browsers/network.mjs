// A network that can be taken away: a TCP proxy that forwards nothing for a while, and then everything that it kept, as
// retransmission would: also what comes from a client that has long given the connection up.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Milliseconds. */
const SOME_ANSWERS = 300;

export class Network {
  #server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  #pairs = new Set();
  #isThere = true;
  /** The port behind it. */
  to;

  static async start() {
    const network = new Network();
    network.#server.listen(0, '127.0.0.1');
    await once(network.#server, 'listening');
    return network;
  }

  get port() {
    return this.#server.address().port;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  #accept(client) {
    const pair = { client, server: undefined };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      pair.server?.destroy();
    };
    // What breaks on one side is broken on the other.
    client.on('error', end).on('close', end);
    pair.end = end;
    if (this.#isThere) this.#open(pair);
  }

  #open(pair) {
    const { client, end } = pair;
    pair.server = connect(this.to, '127.0.0.1').on('error', end).on('close', end);
    client.pipe(pair.server);
    pair.server.pipe(client);
  }

  async offline(milliseconds) {
    this.#isThere = false;
    for (const { client, server } of this.#pairs) {
      client.unpipe(server).pause();
      server?.unpipe(client).pause();
    }
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    this.#isThere = true;
    for (const pair of this.#pairs) {
      if (pair.server === undefined) {
        this.#open(pair);
      } else {
        pair.client.pipe(pair.server);
        pair.server.pipe(pair.client);
      }
    }
  }

  /** What is answered from now on is lost, on the connections that there are; `deed` is done some answers later, and ends them. */
  async losingAnswers(deed) {
    const losing = [...this.#pairs];
    for (const { client, server } of losing) server?.unpipe(client).resume();
    await new Promise((resolve) => setTimeout(resolve, SOME_ANSWERS));
    await deed();
    for (const { end } of losing) end();
  }

  close() {
    for (const { end } of this.#pairs) end();
    this.#server.close();
  }
}
