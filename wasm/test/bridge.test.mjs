// The package through a real bridge: exactly once, over bridges that are killed and tokens that end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Producer } from 'klamm';
import { Kafka } from 'klamm/kafkajs';
import WebSocket from 'ws';

import { Bridge } from './bridge.mjs';
import { Broker } from './broker.mjs';

const wasm = join(import.meta.dirname, '..');
const TOPICS = ['calls', 'large', 'killed', 'renewed', 'deno', 'bun', 'kafkajs', 'node-thread', 'bun-thread'];

let broker;
let bridge;
before(async () => {
  broker = await Broker.start(Object.fromEntries(TOPICS.map((topic) => [topic, 3])));
  bridge = await Bridge.start(broker.address);
});
after(async () => {
  await bridge.kill();
  await broker.stop();
});

/** What all WebSockets of a test sent, in order, one list each. */
function recording() {
  const all = [];
  class Recording extends WebSocket {
    #sent = [];
    constructor(...args) {
      super(...args);
      all.push(this.#sent);
    }
    send(data) {
      this.#sent.push(data);
      super.send(data);
    }
  }
  return [Recording, all];
}

const producer = (options = {}) => new Producer({ bridge: bridge.url, token: bridge.token(TOPICS), webSocket: WebSocket, requestTimeoutMs: 2_000, ...options });

function checkLog(topic, count) {
  const records = broker.read(topic);
  const numbers = records.map(({ value }) => Number(value.toString()));
  assert.deepEqual(numbers.toSorted((a, b) => a - b), Array.from({ length: count }, (_, n) => n));
  const lastOf = new Map();
  for (const { key, value } of records) {
    const number = Number(value.toString());
    assert((lastOf.get(`${key}`) ?? -1) < number, `${number} after ${lastOf.get(`${key}`)}`);
    lastOf.set(`${key}`, number);
  }
}

const numbered = (from, count) => Array.from({ length: count }, (_, n) => ({ key: `${(from + n) % 10}`, value: `${from + n}` }));

describe('through a bridge', { timeout: 600_000 }, () => {
  it('each record once and in order', async () => {
    const p = producer();
    const places = (await Promise.all([0, 1, 2, 3].map((n) => p.send({ topic: 'calls', messages: numbered(n * 500, 500) })))).flat();
    await p.close();
    assert.equal(new Set(places.map(({ partition, offset }) => `${partition}/${offset}`)).size, 2_000);
    checkLog('calls', 2_000);
  });

  it('large requests go in messages of at most 64 KiB', async () => {
    const [webSocket, sent] = recording();
    const p = producer({ webSocket, batchSize: 1_000_000, bufferMemory: 8 << 20 });
    const value = Buffer.alloc(900_000, 'x');
    await p.send({ topic: 'large', messages: [{ value, partition: 0 }, { value, partition: 1 }] });
    await p.close();
    const sizes = sent.flat().filter((data) => typeof data !== 'string').map(({ length }) => length);
    assert.equal(Math.max(...sizes), 65_536);
    const records = broker.read('large');
    assert.equal(records.length, 2);
    assert(records.every((record) => record.value.equals(value)));
  });

  it('a producer id is shown again to a bridge that was killed and does not know it', async () => {
    const [webSocket, sent] = recording();
    const tickets = [];
    const p = producer({ webSocket, ticket: 'kept from before' });
    p.on('ticket', (event) => tickets.push(event));
    const sends = [];
    for (let round = 0; round < 30; round++) {
      if (round === 8 || round === 20) {
        while (p.stats().connects < (round === 8 ? 1 : 2) || p.stats().delivered === 0) await sleep(20);
        // Answers that are on their way are lost with it.
        await bridge.kill();
        await bridge.start();
      }
      sends.push(p.send({ topic: 'killed', messages: numbered(round * 100, 100) }));
      await sleep(20);
    }
    await Promise.all(sends);
    const { connects } = p.stats();
    await p.close();
    assert(connects >= 3);
    checkLog('killed', 3_000);
    assert.equal(tickets.length, 1);
    assert.equal(typeof tickets[0].producerId, 'bigint');
    // All that it has, before anything else.
    assert.equal(sent[0][0], '{"ticket":"kept from before"}');
    const both = ['{"ticket":"kept from before"}', JSON.stringify({ ticket: tickets[0].ticket })];
    assert.deepEqual(sent.at(-1).slice(0, 2), both);
  });

  it('a token that ends is followed by another one', async () => {
    let asked = 0;
    const token = async () => bridge.token(TOPICS, asked++ === 0 ? 2 : 600);
    const p = producer({ token });
    const ends = new Promise((resolve) => {
      p.on('disconnected', ({ error }) => error?.code === 'TOKEN' && resolve(error));
    });
    let count = 0;
    let isOver = false;
    ends.then(() => (isOver = true));
    do {
      await p.send({ topic: 'renewed', messages: numbered(count, 10) });
      count += 10;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } while (!isOver);
    await p.send({ topic: 'renewed', messages: numbered(count, 10) });
    await p.close();
    assert.match((await ends).message, /closed \(4401, .*token/);
    checkLog('renewed', count + 10);
  });

  it('a token for other topics gets nowhere, and says why', async () => {
    const p = producer({ token: bridge.token(['other']) });
    await assert.rejects(p.send({ topic: 'calls', messages: [{ value: 'x' }] }), { code: 'TOPIC', brokerCode: 29 });
    await p.close();
  });

  it('a token that is none is told by an event', async () => {
    const p = producer({ token: 'none' });
    const said = new Promise((resolve) => p.on('disconnected', resolve));
    const sent = assert.rejects(p.send({ topic: 'calls', messages: [{ value: 'x' }] }), { code: 'PURGED', persisted: 'no' });
    assert.equal((await said).error.code, 'TOKEN');
    await p.close({ timeoutMs: 1 });
    await sent;
  });

  it('by the API of KafkaJS', async () => {
    const made = new Kafka({ bridge: bridge.url, token: () => bridge.token(TOPICS), webSocket: WebSocket }).producer();
    await made.connect();
    await made.send({ topic: 'kafkajs', messages: numbered(0, 10) });
    await made.disconnect();
    checkLog('kafkajs', 10);
  });

  // Node 20 and 21 have a WebSocket where they are asked for it.
  for (const [runtime, command, ...args] of [
    ['node', process.execPath, '--experimental-websocket'],
    ['bun', join(wasm, 'node_modules/.bin/bun'), 'run'],
  ]) {
    it(`in a thread of its own, in ${runtime}, over a bridge that is killed`, async () => {
      const token = bridge.token(TOPICS);
      const credentials = runtime === 'node' ? { tokens: ['none', ...Array(20).fill(token)] } : { token };
      const options = { bridge: bridge.url, ...credentials, requestTimeoutMs: 2_000 };
      const child = spawn(command, [...args, 'test/runtimes/threaded.mjs', JSON.stringify(options), `${runtime}-thread`], { cwd: wasm, stdio: ['pipe', 'pipe', 'inherit'] });
      const said = text(child.stdout);
      await once(child.stdout, 'data');
      await bridge.kill();
      await bridge.start();
      child.stdin.write('go on\n');
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      const { codes, ...rest } = JSON.parse((await said).replace('half\n', ''));
      assert.deepEqual(rest, { places: 1_000, tickets: [['string', 'bigint']], delivered: 1_000 });
      assert.deepEqual([codes[0], codes.includes('CONNECTION')], [runtime === 'node' ? 'TOKEN' : 'CONNECTION', true]);
      checkLog(`${runtime}-thread`, 1_000);
    });
  }

  for (const [runtime, ...args] of [['deno', 'run', '--allow-all', '--node-modules-dir=manual'], ['bun', 'run']]) {
    it(`with the WebSocket of ${runtime}`, async () => {
      const child = spawn(join(wasm, 'node_modules/.bin', runtime), [...args, 'test/runtimes/bridged.mjs', bridge.url, bridge.token(TOPICS), runtime], { cwd: wasm, stdio: ['ignore', 'pipe', 'inherit'] });
      const said = text(child.stdout);
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      assert.equal((await said).trim(), '1000');
      checkLog(runtime, 1_000);
    });
  }
});

it('without a WebSocket it says what to do', () => {
  const own = globalThis.WebSocket;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => new Producer({ bridge: 'wss://example.org' }), { code: 'UNSUPPORTED', message: /webSocket/ });
    assert.throws(() => new Producer({ bridge: 'ftp://example.org', webSocket: WebSocket }), { code: 'CONFIG' });
  } finally {
    if (own !== undefined) globalThis.WebSocket = own;
  }
});
