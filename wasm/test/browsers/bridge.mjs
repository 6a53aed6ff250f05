// klamm-bridge, to be killed and started again on its port, and tokens for it.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';

import { freePort } from '../broker.mjs';

const command = process.env.KLAMM_BRIDGE;
const SECRET = 'a secret of at least thirty-two bytes';

export class Bridge {
  #child;
  #options;
  port;

  /** Options by their flags' names. */
  static async start(options) {
    if (command === undefined) throw new Error('KLAMM_BRIDGE is to name a program: cargo xtask test --only browsers sets it');
    const bridge = new Bridge();
    bridge.port = await freePort();
    bridge.#options = { listen: `127.0.0.1:${bridge.port}`, 'log.level': 'error', 'kafka.hosts': '127.0.0.1', ...options };
    await bridge.start();
    return bridge;
  }

  async start() {
    const args = Object.entries(this.#options).flatMap(([name, value]) => [`--${name}`, value]);
    const env = { ...process.env, KLAMM_BRIDGE_AUTH_KEYS: `[{algorithm='HS256', secret='${SECRET}'}]` };
    this.#child = spawn(command, args, { env, stdio: 'inherit' });
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error('the bridge has ended');
      if (await fetch(`http://127.0.0.1:${this.port}/readyz`).then(({ ok }) => ok, () => false)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** With -9. */
  async kill() {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}

/** For a page that writes to these topics. */
export function token(subject, topics) {
  const claims = { sub: subject, aud: 'klamm-bridge', exp: Math.floor(Date.now() / 1_000) + 1_800, topics };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`;
}
