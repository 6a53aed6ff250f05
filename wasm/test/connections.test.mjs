// More brokers than connections: Cloudflare gives a request six, and klamm takes five.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { build } from 'esbuild';
import { Producer } from 'klamm';
import { Miniflare } from 'miniflare';

import { Cluster } from './cluster.mjs';
import { CALLS, crowd, EACH } from './runtimes/crowded.mjs';
import { bundled } from './runtimes/workerd.mjs';

const [NODES, PARTITIONS, CONNECTIONS] = [7, 14, 5];

/** What `send` gives in a cluster of its own. */
async function inCrowd(t, send) {
  const cluster = await Cluster.start(NODES, PARTITIONS);
  t.after(() => cluster.stop());
  const { most, places } = await send({ brokers: cluster.bootstrap, topic: cluster.topic });
  assert.equal(places, CALLS * EACH * PARTITIONS);
  const all = Array.from({ length: CALLS * EACH }, (_, n) => `${n}`);
  for (let partition = 0; partition < PARTITIONS; partition++) assert.deepEqual(cluster.log(partition), all, `partition ${partition}`);
  assert(cluster.produced.every((requests) => requests > 0), `${cluster.produced}`);
  return most;
}

async function open({ host, port }, signal) {
  const socket = connect({ host, port, signal });
  await once(socket, 'connect');
  return { ...Duplex.toWeb(socket), close: () => socket.destroy() };
}

const inNode = (options) => ({ brokers, topic }) => crowd(Producer, { brokers, ...options }, open, topic, PARTITIONS);

describe('seven brokers', { timeout: 60_000 }, () => {
  it('over five connections, all of it once and in order', async (t) => {
    assert.equal(await inCrowd(t, inNode({ maxConnections: CONNECTIONS })), CONNECTIONS);
  });

  it('over one', async (t) => {
    assert.equal(await inCrowd(t, inNode({ maxConnections: 1 })), 1);
  });

  it('over as many as there are, where nothing is said', async (t) => {
    assert.equal(await inCrowd(t, inNode({})), NODES);
  });

  it('in a Worker, where five is what klamm takes by itself', async (t) => {
    const miniflare = new Miniflare(await bundled({ entryPoints: [join(import.meta.dirname, 'runtimes/crowd.mjs')] }));
    t.after(() => miniflare.dispose());
    const most = await inCrowd(t, async ({ brokers, topic }) => {
      const url = new URL((await miniflare.ready).href);
      url.search = new URLSearchParams({ brokers, topic, partitions: PARTITIONS });
      const response = await fetch(url);
      const said = await response.text();
      assert(response.ok, said);
      return JSON.parse(said);
    });
    assert.equal(most, CONNECTIONS);
  });
});

/** The package as a Worker has it, over sockets of a test's own. */
async function forWorkers() {
  const modules = {
    name: 'modules of the runtime',
    setup(build) {
      build.onResolve({ filter: /^cloudflare:sockets$/ }, ({ path }) => ({ path, namespace: 'test' }));
      build.onLoad({ filter: /./, namespace: 'test' }, () => ({ contents: 'export const connect = (...given) => globalThis.connectInTest(...given);' }));
      build.onLoad({ filter: /\.wasm$/ }, ({ path }) => ({ contents: `export default new WebAssembly.Module(Buffer.from('${readFileSync(path, 'base64')}', 'base64'));` }));
    },
  };
  const stdin = { contents: "export { Producer } from 'klamm';", resolveDir: import.meta.dirname };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', conditions: ['workerd'], plugins: [modules] });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

describe('a broker in a Worker that never answers', { timeout: 30_000 }, () => {
  it('has one connection at a time, and none in the end', async () => {
    let [now, most, dialled] = [0, 0, 0];
    globalThis.connectInTest = () => {
      dialled++;
      most = Math.max(most, ++now);
      return { opened: new Promise(() => {}), close: async () => now-- };
    };
    const { Producer } = await forWorkers();
    const patience = { socketConnectionSetupTimeoutMs: 20, socketConnectionSetupTimeoutMaxMs: 20, reconnectBackoffMs: 1, reconnectBackoffMaxMs: 1 };
    const producer = new Producer({ brokers: 'nowhere:1', ...patience });
    const sent = assert.rejects(producer.send({ topic: 'never', messages: [{ value: 'x' }] }), { code: 'PURGED', persisted: 'no' });
    while (dialled < 5) await sleep(5);
    assert.equal(most, 1);
    await producer.close({ timeoutMs: 1 });
    await sent;
    assert.equal(now, 0);
  });
});
