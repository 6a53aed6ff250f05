// A bridge of one's own, which can be killed and started again on its port, and tokens for it.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort } from './ports.mjs';

const program = process.env.KLAMM_BRIDGE;
if (program === undefined) throw new Error('KLAMM_BRIDGE is to name the bridge: cargo xtask test --only web sets it');
const SECRET = 'thirty-two bytes at least, for tests';

export class Bridge {
  #child;
  #options;
  port;

  /** In front of a broker at this address. Further options by their flags' names. */
  static async start(broker, options = {}) {
    const bridge = new Bridge();
    bridge.#options = { 'kafka.bootstrap': broker, 'auth.allow-no-origin': 'true', 'auth.leeway-s': '0', 'log.level': 'error', ...options };
    bridge.port = await freePort();
    await bridge.start();
    return bridge;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async start() {
    const options = { listen: `127.0.0.1:${this.port}`, ...this.#options };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const env = { ...process.env, KLAMM_BRIDGE_AUTH_KEYS: `[{algorithm='HS256', secret='${SECRET}'}]` };
    this.#child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    while (!(await fetch(`${this.url}/healthz`).then(({ ok }) => ok, () => false))) {
      if (this.#child.exitCode !== null) throw new Error('the bridge does not start');
      await sleep(20);
    }
  }

  /** With -9: no farewell. */
  async kill() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** For these topics, and so many seconds. */
  token(topics, seconds = 600) {
    const text = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: 'alice', aud: 'klamm-bridge', exp: Math.floor(Date.now() / 1000) + seconds, topics };
    const signed = `${text({ alg: 'HS256', typ: 'JWT' })}.${text(claims)}`;
    return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
  }
}
