// The producer in a thread of its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { KlammError, Producer, SendError } from 'klamm';

import { Broker } from './broker.mjs';

/** The thread that was talked to last. */
let lastThread;
const { postMessage } = Worker.prototype;
Worker.prototype.postMessage = function (...args) {
  lastThread = this;
  return postMessage.apply(this, args);
};

let broker;
before(async () => {
  broker = await Broker.start({ one: 1, six: 6, blocked: 3, post: 4, typed: 3, events: 1, dead: 1, bun: 3, bounded: 1, bounded2: 1, turn: 1, acks: 1 });
});
after(() => broker.stop());

const producer = (options = {}) => new Producer({ brokers: broker.address, worker: true, ...options });
const wasm = join(import.meta.dirname, '..');
const inRuntime = ([runtime, ...args], topic) =>
  spawn(join(wasm, 'node_modules/.bin', runtime), [...args, 'test/runtimes/threaded.mjs', JSON.stringify({ brokers: broker.address }), topic], { cwd: wasm, stdio: 'pipe' });
const texts = (topic) => broker.read(topic).map(({ value }) => value.toString());

describe('in a worker', () => {
  it('calls give places, and each record is there once, in the order of its call', async () => {
    const p = producer();
    assert(p instanceof Producer);
    const calls = Array.from({ length: 200 }, (_, call) =>
      p.send({ topic: 'six', messages: Array.from({ length: 20 }, (_, n) => ({ key: `key ${n % 7}`, value: `${call}.${n}` })) }),
    );
    const results = await Promise.all(calls);
    assert.equal(p.stats().delivered, 4_000);
    await p.close();
    const byPlace = new Map(broker.read('six').map(({ partition, offset, value }) => [`${partition}/${offset}`, value.toString()]));
    assert.equal(byPlace.size, 4_000);
    results.forEach((places, call) => {
      places.forEach(({ topic, partition, offset }, n) => {
        assert.equal(topic, 'six');
        assert.equal(byPlace.get(`${partition}/${offset}`), `${call}.${n}`);
      });
    });
  });

  it('goes on while the program’s thread is busy', async () => {
    const p = producer();
    await p.connect();
    for (let n = 0; n < 5_000; n++) p.post('blocked', { value: `${n}` });
    // The packet goes at the end of the turn. From here on nothing but what is synchronous runs in this thread.
    await turn();
    let found = [];
    for (let tries = 0; tries < 200 && found.length < 5_000; tries++) found = texts('blocked');
    assert.equal(new Set(found).size, 5_000);
    assert.equal(found.length, 5_000);
    await p.close();
    assert.equal(p.stats().delivered, 5_000);
  });

  it('has work before the turn ends, where there is much of it', async () => {
    const p = producer();
    await p.connect();
    for (let n = 0; n < 5_000; n++) p.post('turn', { value: `${n} ${'x'.repeat(100)}` });
    // Not even a promise has had its turn.
    let found = [];
    for (let tries = 0; tries < 200 && found.length === 0; tries++) found = texts('turn');
    assert(found.length > 0);
    await p.close();
    assert.equal(new Set(texts('turn')).size, 5_000);
    assert.equal(texts('turn').length, 5_000);
  });

  it('acks 0 has no offsets, and one message may be longer than many packets', async () => {
    const p = producer({ acks: 0, enableIdempotence: false });
    const value = 'long '.repeat(150_000);
    assert.deepEqual(await p.send({ topic: 'acks', messages: [{ value }] }), [{ topic: 'acks', partition: 0, offset: undefined }]);
    await p.close();
    for (let tries = 0; tries < 200 && texts('acks').length === 0; tries++);
    assert.deepEqual(texts('acks'), [value]);
  });

  it('posts wait for room, and are told by events', async () => {
    const p = producer({ bufferMemory: 128 * 1024, maxQueuedBytes: 128 * 1024, batchSize: 4096 });
    let delivered = 0;
    p.on('delivered', ({ count, offset }) => {
      assert.equal(typeof offset, 'bigint');
      delivered += count;
    });
    let waits = 0;
    for (let n = 0; n < 20_000; n++) {
      if (p.post('post', { key: `${n % 100}`, value: `${n}` })) continue;
      waits++;
      await p.ready();
    }
    await p.flush();
    assert.equal(delivered, 20_000);
    await p.close();
    assert(waits > 0);
    const lastOf = new Map();
    const records = broker.read('post');
    assert.equal(records.length, 20_000);
    for (const { key, value } of records) {
      const number = Number(value.toString());
      assert((lastOf.get(`${key}`) ?? -1) < number);
      lastOf.set(`${key}`, number);
    }
  });

  it('what has no room at all is refused', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', worker: true, bufferMemory: 128 * 1024, batchSize: 4096, maxQueuedBytes: 1000 });
    assert.throws(() => {
      for (let n = 0; n < 2_000; n++) p.post('one', { value: 'x'.repeat(100) });
    }, { code: 'QUEUE_FULL' });
    await p.close({ timeoutMs: 10 });
  });

  it('what was taken is bounded once, however little may wait in the other thread', async () => {
    const p = producer({ bufferMemory: 256 * 1024, batchSize: 4096, maxQueuedBytes: 1_000 });
    for (let n = 0; n < 200; n++) p.post(n % 2 === 0 ? 'bounded' : 'bounded2', { value: `${n}` });
    await p.close();
    assert.equal(p.stats().delivered, 200);
    assert.equal(texts('bounded').length + texts('bounded2').length, 200);
  });

  it('everything of a message, serializers and key makers', async () => {
    const p = producer({ serializers: { key: (id) => `${id}`, value: (value) => (value.id === 9 ? null : JSON.stringify(value)) }, keyMaker: ({ value }) => value.id });
    const messages = [
      { value: { id: 5 }, partition: 1, timestamp: new Date(1_700_000_000_000), headers: { a: ['x', null], b: new Uint8Array([122]) } },
      { key: null, value: { id: 9 }, partition: 1 },
    ];
    await p.send({ topic: 'typed', messages });
    await p.close();
    const [first, second] = broker.read('typed');
    assert.deepEqual([first.partition, first.timestamp, first.headers, `${first.key}`, `${first.value}`], [1, 1_700_000_000_000, 'a=x,a=NULL,b=z', '5', '{"id":5}']);
    assert.deepEqual([second.key, second.value], [null, null]);
  });

  it('errors are what they are without one', async () => {
    const p = producer();
    const failed = [];
    p.on('failed', (event) => failed.push(event));
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'good' }, {}, { value: 'x'.repeat(2_000_000) }, { value: 'bad', partition: 7 }] }), (error) => {
      assert(error instanceof SendError && error instanceof KlammError);
      const [good, ...bad] = error.results;
      assert.equal(good.partition, 0);
      assert(bad.every((one) => one instanceof KlammError));
      assert.deepEqual(bad.map(({ code, persisted }) => [code, persisted]), [['INVALID_MESSAGE', 'no'], ['TOO_LARGE', 'no'], ['NO_SUCH_PARTITION', 'no']]);
      return true;
    });
    assert.equal(failed.reduce((sum, { count }) => sum + count, 0), 3);
    assert(failed.every(({ error, messages, count }) => error instanceof KlammError && messages.length === count));
    const impatient = producer({ allowAutoCreateTopics: false, maxBlockMs: 3_000 });
    await assert.rejects(impatient.send({ topic: 'none', messages: [{ value: 'x' }] }), { code: 'TIMED_OUT', brokerCode: 3, topic: 'none', persisted: 'no' });
    await impatient.close();
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'x' }], compression: 'none such' }), { code: 'CODEC' });
    await assert.rejects(p.send({ topic: 7, messages: [{ value: 'x' }] }), { code: 'INVALID_TOPIC' });
    await p.close();
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'x' }] }), { code: 'CLOSED' });
    assert.throws(() => p.post('one', { value: 'x' }), { code: 'CLOSED' });
    await p.flush();
    await p.close();
  });

  it('events are told once, however often somebody listens', async () => {
    const p = producer();
    const told = [];
    for (let n = 0; n < 3; n++) {
      const off = p.on('delivered', (event) => told.push([n, event.count]));
      await p.send({ topic: 'events', messages: [{ value: `${n}` }] });
      await p.flush();
      off();
    }
    await p.close();
    assert.deepEqual(told, [[0, 1], [1, 1], [2, 1]]);
  });

  it('options that make no sense are the constructor’s to tell', () => {
    for (const [options, code] of [[{ linger: 5 }, 'CONFIG'], [{ partitioner: () => 0 }, 'UNSUPPORTED'], [{ transport: () => {} }, 'UNSUPPORTED'], [{ tls: { checkServerIdentity: () => {} } }, 'UNSUPPORTED']]) {
      assert.throws(() => producer(options), { code });
    }
  });

  it('the program’s functions are asked', async () => {
    let asked = 0;
    const p = producer({ brokers: async () => (asked++, [broker.address]) });
    const [place] = await p.send({ topic: 'one', messages: [{ value: 'asked' }] });
    assert.equal(place.partition, 0);
    assert.equal(asked, 1);
    await p.close();
    const lost = new Producer({ brokers: () => Promise.reject(new Error('nobody knows')), worker: true });
    await assert.rejects(lost.send({ topic: 'one', messages: [{ value: 'x' }] }), /nobody knows/);
    await lost.close();
  });

  it('in Bun', async () => {
    const child = inRuntime(['bun', 'run'], 'bun');
    child.stdin.end('go on\n');
    const { places, delivered } = JSON.parse((await text(child.stdout)).replace('half\n', ''));
    assert.deepEqual([places, delivered], [1_000, 1_000]);
    assert.equal(new Set(texts('bun')).size, 1_000);
  });

  it('not in Deno, which is told', async () => {
    const child = inRuntime(['deno', 'run', '--allow-all', '--node-modules-dir=manual'], 'none');
    assert.match(await text(child.stderr), /KlammError: worker: Node and Bun have it/);
  });

  it('a WebSocket class stays where it is', () => {
    assert.throws(() => new Producer({ bridge: 'wss://example.org', worker: true, webSocket: class {} }), { code: 'UNSUPPORTED', message: /webSocket.*22/ });
  });

  it('an aborted call is told at once, and what was not handed over is not sent', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', worker: true });
    const controller = new AbortController();
    const sent = p.send({ topic: 'one', messages: [{ value: 'aborted' }], signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(sent, /enough/);
    await p.close();
    assert.equal(p.stats().accepted, 0);
  });

  it('closing in time reports everything', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', worker: true });
    let failed = 0;
    p.on('failed', ({ count }) => (failed += count));
    const sent = p.send({ topic: 'one', messages: [{ value: 'x' }, { value: 'y' }] });
    const told = assert.rejects(sent, (error) => error.code === 'PURGED' && error.results.every(({ persisted }) => persisted === 'no'));
    p.post('one', { value: 'z' });
    await p.close({ timeoutMs: 100 });
    await told;
    assert.equal(failed, 3);
  });

  it('a thread that dies of an error says which', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', worker: true });
    const sent = p.send({ topic: 'dead', messages: [{ value: 'x' }] });
    const told = assert.rejects(sent, { code: 'INTERNAL', persisted: 'unknown', message: /TypeError/ });
    await turn();
    lastThread.postMessage(null);
    await told;
    await p.close();
  });

  it('a thread that dies loses nothing without a word', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', worker: true });
    const failed = [];
    p.on('failed', (event) => failed.push(event));
    const sent = p.send({ topic: 'dead', messages: [{ value: 'x' }, { value: 'y' }] });
    for (let n = 0; n < 10; n++) p.post('dead', { value: `${n}` });
    const told = assert.rejects(sent, (error) => error.results.length === 2 && error.results.every(({ code, persisted }) => code === 'INTERNAL' && persisted === 'unknown'));
    const flushed = p.flush();
    await lastThread.terminate();
    await told;
    await flushed;
    assert.equal(failed.filter(({ messages }) => messages === undefined).reduce((sum, { count }) => sum + count, 0), 12);
    await assert.rejects(p.send({ topic: 'dead', messages: [{ value: 'x' }] }), { code: 'CLOSED' });
    await p.close();
  });
});
