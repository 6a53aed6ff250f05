// Deno, Bun, workerd and this Node: each record once and in order, while the broker is killed and started again.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

import { Broker } from './broker.mjs';
import { PER_ROUND, ROUNDS } from './runtimes/work.mjs';

const wasm = join(import.meta.dirname, '..');
const main = join(wasm, 'test/runtimes/main.mjs');
const binary = (path) => join(wasm, 'node_modules', path);
const COMMANDS = {
  node: [process.execPath, main],
  deno: [binary('.bin/deno'), 'run', '--allow-all', '--node-modules-dir=manual', main],
  bun: [binary('.bin/bun'), 'run', main],
};

let broker;
before(async () => {
  broker = await Broker.start({ node: 3, deno: 3, bun: 3, workerd: 3 });
});
after(() => broker.stop());

/** The broker goes and comes while `running` runs, which goes on until it has seen that. */
async function disturbed(running) {
  let isOver = false;
  running.finally(() => (isOver = true)).catch(() => {});
  for (;;) {
    await sleep(700);
    if (isOver) break;
    await broker.kill();
    await sleep(300);
    await broker.start();
  }
  return running;
}

function check(topic, { messages, places, stats, reconnects }) {
  assert(messages > ROUNDS * PER_ROUND);
  assert.deepEqual({ places, delivered: stats.delivered }, { places: messages, delivered: messages });
  assert(reconnects >= 2, 'the broker was not killed in the middle');
  const records = broker.read(topic);
  assert.equal(records.length, messages);
  const lastOf = new Map();
  for (const { key, value } of records) {
    const number = Number(value.toString());
    assert((lastOf.get(`${key}`) ?? -2) < number, `${number} after ${lastOf.get(`${key}`)}`);
    lastOf.set(`${key}`, number);
  }
  assert.equal(new Set(records.map(({ value }) => value.toString())).size, messages);
}

describe('exactly once and in order', () => {
  for (const [runtime, [command, ...args]] of Object.entries(COMMANDS)) {
    it(runtime, { timeout: 60_000 }, async () => {
      const child = spawn(command, [...args, broker.address, runtime], { cwd: wasm, stdio: ['ignore', 'pipe', 'inherit'] });
      const said = disturbed(text(child.stdout));
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      check(runtime, JSON.parse(await said));
    });
  }

  it('workerd', { timeout: 60_000 }, async () => {
    const miniflare = new Miniflare(await worker());
    try {
      const { href } = await miniflare.ready;
      const url = new URL(href);
      url.search = new URLSearchParams({ brokers: broker.address, topic: 'workerd' });
      const response = await disturbed(fetch(url));
      const said = await response.text();
      assert.equal(response.status, 200, said);
      check('workerd', JSON.parse(said));
    } finally {
      await miniflare.dispose();
    }
  });
});

/** The worker as wrangler would bundle it. */
async function worker() {
  const modules = [];
  const compiled = {
    name: 'compiled modules',
    setup(build) {
      build.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        const name = path.split('/').at(-1);
        modules.push({ type: 'CompiledWasm', path: name, contents: readFileSync(join(resolveDir, path)) });
        return { path: `./${name}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [join(wasm, 'test/runtimes/worker.mjs')],
    bundle: true,
    write: false,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:sockets'],
    plugins: [compiled],
  });
  return {
    compatibilityDate: '2026-04-01',
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: outputFiles[0].text }, ...modules],
  };
}
