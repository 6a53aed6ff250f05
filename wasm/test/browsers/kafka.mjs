// Apache Kafka for these tests: `interop-kafka` of tests/interop.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { read } from '../broker.mjs';
import { Network } from './network.mjs';

const command = process.env.INTEROP_KAFKA;

export class Kafka {
  #child;
  #lines;
  /** A proxy that clients are told of, if there is one; else the second listeners. */
  network;
  proxied;
  /** The ordinary listeners. */
  direct;

  /** One node, behind a network that can be taken away; with further properties of Kafka's. */
  static async start(properties = {}) {
    const network = await Network.start();
    const kafka = await Kafka.nodes(1, properties, network.port);
    kafka.network = network;
    network.to = Number(kafka.proxied.split(':')[1]);
    return kafka;
  }

  /** One or three. The second listeners are advertised under their own ports, unless another one is given. */
  static async nodes(count, properties = {}, port = 0) {
    if (command === undefined) throw new Error('INTEROP_KAFKA is to name a program: cargo xtask test --only browsers sets it');
    const kafka = new Kafka();
    const args = [Array(count).fill(port).join(','), ...Object.entries(properties).map(([name, value]) => `${name}=${value}`)];
    kafka.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    kafka.#lines = createInterface({ input: kafka.#child.stdout })[Symbol.asyncIterator]();
    [kafka.direct, kafka.proxied] = (await kafka.#line()).split(' ');
    return kafka;
  }

  async #line() {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error('interop-kafka has ended');
    return value;
  }

  async #ask(words) {
    this.#child.stdin.write(`${words}\n`);
    return this.#line();
  }

  topic = (name, partitions) => this.#ask(`topic ${name} ${partitions}`);
  user = (name, password) => this.#ask(`user ${name} ${password}`);
  /** The number of the node that leads the partition. */
  leader = (topic, partition) => this.#ask(`leader ${topic} ${partition}`);
  kill = (node = 1) => this.#ask(`kill ${node}`);
  start = (node = 1) => this.#ask(`start ${node}`);
  read = (topic) => read(this.direct, topic);

  /** Keeps the nodes' files where a test has failed. */
  async stop({ hasFailed = false } = {}) {
    if (hasFailed) this.#child.stdin.end();
    else await this.#ask('done');
    this.network?.close();
  }
}
