// Apache Kafka, started and killed by `interop-kafka` of tests/interop, behind a network that can be taken away.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { read } from '../broker.mjs';
import { Network } from './network.mjs';

const command = process.env.INTEROP_KAFKA;

export class Kafka {
  #child;
  #lines;
  /** What clients are told, and the node itself. */
  network;
  direct;

  static async start() {
    if (command === undefined) throw new Error('INTEROP_KAFKA is to name a program: cargo xtask test --only browsers sets it');
    const kafka = new Kafka();
    kafka.network = await Network.start();
    kafka.#child = spawn(command, [`${kafka.network.port}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    kafka.#lines = createInterface({ input: kafka.#child.stdout })[Symbol.asyncIterator]();
    const [direct, proxied] = (await kafka.#line()).split(' ');
    kafka.direct = direct;
    kafka.network.to = Number(proxied.split(':')[1]);
    return kafka;
  }

  async #line() {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error('interop-kafka has ended');
    return value;
  }

  async #ask(words) {
    this.#child.stdin.write(`${words}\n`);
    await this.#line();
  }

  topic = (name, partitions) => this.#ask(`topic ${name} ${partitions}`);
  kill = () => this.#ask('kill');
  start = () => this.#ask('start');
  read = (topic) => read(this.direct, topic);

  /** Keeps the node's files where a test has failed. */
  async stop({ hasFailed }) {
    if (hasFailed) this.#child.stdin.end();
    else await this.#ask('done');
    this.network.close();
  }
}
