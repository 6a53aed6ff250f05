// A dev broker of one's own, which can be killed and started again on its port, and what kcat reads from it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { freePort } from './ports.mjs';

const command = process.env.KLAMM;
if (command === undefined) throw new Error('KLAMM is to name the klamm command: cargo xtask test --only web sets it');

export class Broker {
  #dir = mkdtempSync(join(tmpdir(), 'klamm-web-'));
  #child;
  #topics;
  port;

  /** Topics with their number of partitions. */
  static async start(topics) {
    const broker = new Broker();
    broker.#topics = topics;
    broker.port = await freePort();
    await broker.start();
    return broker;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  async start() {
    const topics = Object.entries(this.#topics).flatMap(([name, partitions]) => ['--topic', `${name}:${partitions}`]);
    this.#child = spawn(command, ['dev-broker', '--listen', this.address, '--dir', this.#dir, ...topics], { stdio: ['ignore', 'pipe', 'inherit'] });
    await Promise.race([once(this.#child.stdout, 'data'), once(this.#child, 'exit').then(() => Promise.reject(new Error('the dev broker does not start')))]);
  }

  /** With -9: no farewell. */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** What is in the topic, in order of partition and offset. */
  read(topic) {
    return read(this.address, topic);
  }

  async stop() {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** What kcat reads of a topic. */
export function read(address, topic) {
  // Each field is preceded by its length, for values are any bytes.
  const format = '%p %o %T %K %S %h\\n%k\\n%s\\n';
  const args = ['-q', '-b', address, '-t', topic, '-C', '-e', '-o', 'beginning', '-f', format, '-X', 'check.crcs=true'];
  return parse(execFileSync('kcat', args, { maxBuffer: 1 << 30 }));
}

function parse(bytes) {
  const records = [];
  let at = 0;
  const line = () => {
    const end = bytes.indexOf(10, at);
    const text = bytes.toString('utf8', at, end);
    at = end + 1;
    return text;
  };
  const field = (length) => {
    const content = length < 0 ? null : bytes.subarray(at, at + length);
    at += Math.max(length, 0) + 1;
    return content;
  };
  while (at < bytes.length) {
    const [partition, offset, timestamp, key, value, headers] = line().split(' ');
    records.push({
      partition: Number(partition),
      offset: Number(offset),
      timestamp: Number(timestamp),
      headers: headers ?? '',
      key: field(Number(key)),
      value: field(Number(value)),
    });
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
