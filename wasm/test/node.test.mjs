// The package in Node, against a dev broker.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { KlammError, Producer, SendError } from 'klamm';

import { Broker } from './broker.mjs';

let broker;
before(async () => {
  broker = await Broker.start({ one: 1, six: 6, order: 6, kill: 3, stream: 2, post: 4, full: 1, headers: 1, typed: 3, plain: 1, back: 2 });
});
after(() => broker.stop());

const producer = (options = {}) => new Producer({ brokers: broker.address, ...options });
const texts = (topic) => broker.read(topic).map(({ value }) => value.toString());

describe('send', () => {
  it('gives partition and offset of each message, in order', async () => {
    const p = producer();
    const first = await p.send({ topic: 'one', messages: [{ value: 'a' }, { key: 'k', value: new TextEncoder().encode('b') }] });
    const second = await p.send({ topic: 'one', messages: [{ value: 'c', timestamp: 1_700_000_000_000 }] });
    await p.close();
    assert.deepEqual(first, [
      { topic: 'one', partition: 0, offset: 0n },
      { topic: 'one', partition: 0, offset: 1n },
    ]);
    assert.deepEqual(second, [{ topic: 'one', partition: 0, offset: 2n }]);
    const records = broker.read('one');
    assert.deepEqual(records.map(({ value }) => value.toString()), ['a', 'b', 'c']);
    assert.equal(records[1].key.toString(), 'k');
    assert.equal(records[0].key, null);
    assert.equal(records[2].timestamp, 1_700_000_000_000);
  });

  it('sends null, empty and long values, and headers', async () => {
    const p = producer();
    const long = 'ä€😀'.repeat(50_000);
    await p.send({
      topic: 'headers',
      messages: [
        { key: '', value: null },
        { value: '', headers: { a: 'x', b: ['y', new Uint8Array([122])], none: null } },
        { key: new Uint8Array([0, 255]), value: long },
      ],
    });
    await p.close();
    const [first, second, third] = broker.read('headers');
    assert.equal(first.value, null);
    assert.equal(first.key.length, 0);
    assert.equal(second.value.length, 0);
    assert.equal(second.headers, 'a=x,b=y,b=z,none=NULL');
    assert.deepEqual([...third.key], [0, 255]);
    assert.equal(third.value.toString(), long);
  });

  it('in the module without codecs, wherever its areas lie', async () => {
    for (let maxConnections = 1; maxConnections <= 8; maxConnections++) {
      const p = producer({ codecs: false, maxConnections, clientId: 'k'.repeat(maxConnections) });
      const messages = Array.from({ length: 20 }, (_, n) => ({ key: `${n}`, value: `${maxConnections}.${n}`, headers: { n: `${n}` } }));
      await p.send({ topic: 'plain', messages });
      await p.close();
    }
    const found = texts('plain').map((text) => text.split('.').map(Number));
    const expected = Array.from({ length: 160 }, (_, n) => [1 + Math.floor(n / 20), n % 20]);
    assert.deepEqual(found, expected);
  });

  it('many calls at once: each record once, each call in its order', async () => {
    const p = producer();
    const calls = Array.from({ length: 500 }, (_, call) =>
      p.send({ topic: 'six', messages: Array.from({ length: 20 }, (_, n) => ({ key: `key ${n % 7}`, value: `${call}.${n}` })) }),
    );
    const results = await Promise.all(calls);
    await p.close();
    const byPlace = new Map(broker.read('six').map(({ partition, offset, value }) => [`${partition}/${offset}`, value.toString()]));
    assert.equal(byPlace.size, 10_000);
    results.forEach((places, call) => {
      places.forEach(({ partition, offset }, n) => assert.equal(byPlace.get(`${partition}/${offset}`), `${call}.${n}`));
    });
    assert.equal(p.stats().delivered, 10_000);
    assert.equal(p.stats().buffered, 0);
  });
});

describe('what fails', () => {
  it('names the message, and the others are delivered', async () => {
    const p = producer();
    const sent = p.send({ topic: 'one', messages: [{ value: 'good' }, { value: 'x'.repeat(2_000_000) }, { value: 'bad', partition: 7 }, {}] });
    await assert.rejects(sent, (error) => {
      assert(error instanceof SendError && error instanceof KlammError);
      assert.equal(error.code, 'TOO_LARGE');
      const [good, ...bad] = error.results;
      assert.equal(good.partition, 0);
      assert.deepEqual(bad.map(({ code, persisted }) => [code, persisted]), [['TOO_LARGE', 'no'], ['NO_SUCH_PARTITION', 'no'], ['INVALID_MESSAGE', 'no']]);
      return true;
    });
    await p.close();
    assert(texts('one').includes('good'));
  });

  it('options that make no sense are the constructor’s to tell', () => {
    for (const [options, word] of [
      [{ lingerMs: -1 }, 'lingerMs'],
      [{ linger: 5 }, 'unknown option linger'],
      [{ acks: 2 }, 'acks'],
      [{ bridge: 'wss://example.org' }, 'either brokers or bridge'],
      [{ brokers: [], batchSize: 1.5 }, 'batchSize'],
      [{ sasl: { mechanism: 'plain', username: 'u', password: 'p' } }, 'dangerouslyAllowPlaintext'],
    ]) {
      assert.throws(() => producer(options), (error) => error.code === 'CONFIG' && error.message.includes(word), word);
    }
  });

  it('what conflicts is told with the first message', async () => {
    const p = producer({ deliveryTimeoutMs: 10 });
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'x' }] }), /deliveryTimeoutMs conflicts with lingerMs/);
    await p.close();
  });

  it('nothing is taken after close', async () => {
    const p = producer();
    await p.close();
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'x' }] }), { code: 'CLOSED' });
    assert.throws(() => p.post('one', { value: 'x' }), { code: 'CLOSED' });
  });

  it('without a broker, closing in time reports everything', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1' });
    const sent = p.send({ topic: 'one', messages: [{ value: 'x' }, { value: 'y' }] });
    const told = assert.rejects(sent, (error) => error.code === 'PURGED' && error.results.every(({ persisted }) => persisted === 'no'));
    await p.close({ timeoutMs: 100 });
    await told;
  });

  it('a topic that never gets metadata is told so in time', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', maxBlockMs: 50 });
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'x' }] }), /no metadata for 50 ms/);
    await p.close();
  });

  it('an aborted call is told at once, and what was not handed over is not sent', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1' });
    const controller = new AbortController();
    const sent = p.send({ topic: 'one', messages: [{ value: 'aborted' }], signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(sent, /enough/);
    await p.close();
    assert.equal(p.stats().accepted, 0);
  });

  it('a listener may abort the call that it hears of', async () => {
    const p = producer();
    const controller = new AbortController();
    let failed = 0;
    p.on('failed', ({ count }) => {
      failed += count;
      controller.abort(new Error('enough'));
    });
    const sent = p.send({ topic: 'one', messages: [{}, { value: 'never' }, { value: 'never' }], signal: controller.signal });
    await assert.rejects(sent, /enough/);
    await p.close();
    const { accepted, queued } = p.stats();
    assert.deepEqual({ failed, accepted, queued }, { failed: 3, accepted: 0, queued: 0 });
  });
});

describe('post', () => {
  it('is told by events, and by flush', async () => {
    const p = producer();
    let delivered = 0;
    p.on('delivered', ({ topic, count, offset }) => {
      assert.equal(topic, 'post');
      assert.equal(typeof offset, 'bigint');
      delivered += count;
    });
    for (let n = 0; n < 50_000; n++) {
      if (!p.post('post', { key: `${n % 100}`, value: `${n}` })) await p.ready();
    }
    await p.flush();
    assert.equal(delivered, 50_000);
    await p.close();
    const lastOf = new Map();
    for (const { key, value } of broker.read('post')) {
      const [before, now] = [lastOf.get(`${key}`) ?? -1, Number(value.toString())];
      assert(now > before, `${now} after ${before}`);
      lastOf.set(`${key}`, now);
    }
    assert.equal(lastOf.size, 100);
    assert.equal(broker.read('post').length, 50_000);
  });

  it('a full memory makes it wait, and the module’s memory does not grow', async () => {
    const p = producer({ bufferMemory: 128 * 1024, batchSize: 4096, maxQueuedBytes: 100_000 });
    await p.connect();
    const memory = process.memoryUsage().arrayBuffers;
    let waits = 0;
    for (let n = 0; n < 20_000; n++) {
      if (p.post('full', { value: `${n}`.padStart(100) })) continue;
      waits++;
      await p.ready();
    }
    await p.close();
    assert(waits > 0);
    assert.deepEqual(texts('full').map(Number), Array.from({ length: 20_000 }, (_, n) => n));
    assert(process.memoryUsage().arrayBuffers - memory < 64 << 20);
  });

  it('says to wait as soon as the core has no room, not when the queue is half full', async () => {
    const p = producer({ bufferMemory: 128 * 1024, batchSize: 4096 });
    await p.send({ topic: 'full', messages: [{ value: 'metadata' }] });
    await broker.kill();
    let posts = 1;
    while (p.post('full', { value: 'x'.repeat(100) }) && posts < 50_000) posts++;
    assert(posts < 10_000, `${posts} posts`);
    await p.close({ timeoutMs: 1 });
    await broker.start();
  });

  it('what has no room at all is refused', async () => {
    const p = new Producer({ brokers: '127.0.0.1:1', maxQueuedBytes: 1000 });
    assert.throws(() => {
      for (let n = 0; n < 100; n++) p.post('one', { value: 'x'.repeat(100) });
    }, { code: 'QUEUE_FULL' });
    let failed = 0;
    p.on('failed', ({ count }) => (failed += count));
    const { queued } = p.stats();
    await p.close({ timeoutMs: 10 });
    assert.equal(failed, queued);
  });
});

describe('messages that failed', () => {
  const text = (bytes) => (bytes === null ? null : Buffer.from(bytes).toString());

  for (const compressionType of ['none', 'gzip', 'lz4']) {
    it(`are handed back by the core, ${compressionType}`, async () => {
      const p = producer({ compressionType, requestTimeoutMs: 2_000 });
      await p.send({ topic: 'back', messages: [{ value: 'there' }] });
      await broker.kill();
      const failed = [];
      p.on('failed', (event) => failed.push(event));
      const posted = [];
      for (let n = 0; n < 2_000; n++) {
        const message = { key: n % 3 === 0 ? null : `key ${n % 10}`, value: n % 7 === 0 ? null : `value ${n}`, timestamp: 1_700_000_000_000 + n };
        if (n % 5 === 0) message.headers = { a: ['x', null], [`name ${n}`]: '' };
        posted.push(message);
        p.post('back', message);
      }
      await p.close({ timeoutMs: 200 });
      await broker.start();
      assert.equal(failed.reduce((sum, { count }) => sum + count, 0), 2_000);
      for (const { topic, partition, count, error, messages } of failed) {
        assert.equal(topic, 'back');
        assert.equal(messages.length, count);
        assert(messages.every((message) => message.partition === partition));
        assert.equal(error.code, 'PURGED');
      }
      const plain = ({ key, value, timestamp, headers = {} }) => [timestamp, text(key), text(value), Object.entries(headers).map(([name, values]) => [name, [values].flat().map(text)])];
      const given = posted.map(({ key, value, timestamp, headers = {} }) => [timestamp, key, value, Object.entries(headers).map(([name, values]) => [name, [values].flat()])]);
      const back = failed.flatMap(({ messages }) => messages).map(plain);
      assert.deepEqual(back.sort(([a], [b]) => a - b), given);
    });
  }

  it('are those that were given, as long as the core has not taken them', async () => {
    const p = producer();
    const failed = [];
    p.on('failed', ({ messages, error }) => failed.push([messages[0], messages.length, error.code]));
    const bad = [[{ key: 'no value' }, 'INVALID_MESSAGE'], [{ value: 'x'.repeat(1_100_000) }, 'TOO_LARGE'], [{ value: 'nowhere', partition: 17 }, 'NO_SUCH_PARTITION']];
    for (const [message] of bad) p.post('one', message);
    await p.flush();
    assert.equal(failed.length, 3);
    bad.forEach(([message, code], n) => {
      assert.equal(failed[n][0], message);
      assert.deepEqual(failed[n].slice(1), [1, code]);
    });
    await p.close();
  });
});

describe('broker killed and started again', () => {
  it('each record is there once, in order', async () => {
    const p = producer({ requestTimeoutMs: 2_000 });
    const sends = [];
    for (let round = 0; round < 40; round++) {
      if (round === 10 || round === 25) await broker.kill();
      if (round === 15 || round === 30) await broker.start();
      const messages = Array.from({ length: 100 }, (_, n) => ({ key: `${n % 10}`, value: `${round * 100 + n}` }));
      sends.push(p.send({ topic: 'kill', messages }));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const places = (await Promise.all(sends)).flat();
    await p.close();
    assert.equal(new Set(places.map(({ partition, offset }) => `${partition}/${offset}`)).size, 4_000);
    const records = broker.read('kill');
    assert.deepEqual(records.map(({ value }) => Number(value.toString())).sort((a, b) => a - b), Array.from({ length: 4_000 }, (_, n) => n));
    const lastOf = new Map();
    for (const { key, value } of records) {
      const number = Number(value.toString());
      assert((lastOf.get(`${key}`) ?? -1) < number);
      lastOf.set(`${key}`, number);
    }
  });
});

describe('around it', () => {
  it('a stream takes no more than there is room for', async () => {
    const p = producer();
    const stream = p.writable({ topic: 'stream', highWaterMark: 100 });
    const writer = stream.getWriter();
    for (let n = 0; n < 1_000; n++) {
      await writer.ready;
      writer.write(n % 2 === 0 ? { value: `${n}` } : [{ value: `${n}` }]);
    }
    await writer.close();
    assert.equal(p.stats().delivered, 1_000);
    await p.close();
    assert.equal(broker.read('stream').length, 1_000);
  });

  it('serializers, key makers and partitioners', async () => {
    const p = producer({
      serializers: { key: (id) => `${id}`, value: (value) => JSON.stringify(value) },
      keyMaker: ({ value }) => value.id,
      partitioner: ({ partitions, message }) => (message.value.id > 1 ? partitions - 1 : undefined),
    });
    const places = await p.send({ topic: 'typed', messages: [{ value: { id: 5 } }, { key: 6, value: { id: 7 } }] });
    await p.close();
    assert.deepEqual(places.map(({ partition }) => partition), [2, 2]);
    assert.deepEqual(broker.read('typed').map(({ key, value }) => `${key} ${value}`), ['5 {"id":5}', '6 {"id":7}']);
  });

  it('connections are told of, and `using` closes', async () => {
    const events = [];
    let disposed;
    {
      const p = producer();
      p.on('connected', (event) => events.push(event));
      await p.send({ topic: 'one', messages: [{ value: 'x' }] });
      disposed = p[Symbol.asyncDispose]();
      await disposed;
      await assert.rejects(p.send({ topic: 'one', messages: [] }), { code: 'CLOSED' });
    }
    assert.deepEqual(events, [{ broker: broker.address }]);
  });

  it('acks 0 has no offsets', async () => {
    const p = producer({ acks: 0 });
    const [place] = await p.send({ topic: 'order', messages: [{ value: 'x' }] });
    assert.equal(place.offset, undefined);
    await p.close();
    // The broker may still be reading.
    while (texts('order').length === 0);
    assert.deepEqual(texts('order'), ['x']);
  });

  it('zstd is refused, with what there is instead', async () => {
    const p = producer();
    const there = /zstd is none of none, gzip, snappy, lz4/;
    await assert.rejects(p.send({ topic: 'one', messages: [{ value: 'x' }], compression: 'zstd' }), { code: 'CODEC', message: there });
    await p.close();
    assert.equal(p.stats().accepted, 0);
    assert.throws(() => producer({ compressionType: 'zstd' }), { code: 'CONFIG', message: there });
    assert.throws(() => producer({ 'compression.type': 'zstd' }), { code: 'CONFIG', message: there });
  });

  it('codecs', async () => {
    for (const compressionType of ['gzip', 'snappy', 'lz4']) {
      const p = producer({ compressionType });
      const messages = Array.from({ length: 1_000 }, (_, n) => ({ value: `${compressionType} ${n} ${'y'.repeat(200)}`, partition: 5 }));
      await p.send({ topic: 'order', messages });
      await p.close();
      const found = texts('order').filter((text) => text.startsWith(compressionType));
      assert.deepEqual(found, messages.map(({ value }) => value));
    }
  });
});
