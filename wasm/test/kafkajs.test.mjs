// klamm/kafkajs against a dev broker, and beside npm's kafkajs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';

import kafkajs, { CompressionCodecs, CompressionTypes, Kafka, KafkaJSError, KafkaJSNonRetriableError, KafkaJSNotImplemented, KafkaJSNumberOfRetriesExceeded, logLevel, Partitioners } from 'klamm/kafkajs';

import { Broker } from './broker.mjs';

const require = createRequire(import.meta.url);
const theirs = require('kafkajs');
/** What KafkaJS has for consumers and for administration. */
const OTHERS = /^(Partition)?Assign|^(Acl|Config|ResourcePattern)|^KafkaJS(OffsetOutOfRange|MemberId|Group|Stale|Delete|Create|Alter|Fetcher|Unsupported|InvalidVarInt|InvalidLong)/;

let broker;
before(async () => {
  broker = await Broker.start({ one: 1, six: 6, theirs: 6, acks: 1, codec: 1, batch: 2 });
});
after(() => broker.stop());

const kafka = (options = {}) => new Kafka({ clientId: 'test', brokers: [broker.address], logLevel: logLevel.NOTHING, ...options });

async function connected(config) {
  const producer = kafka().producer(config);
  await producer.connect();
  return producer;
}

describe('names', () => {
  const names = Object.keys(theirs).filter((name) => !OTHERS.test(name));

  for (const [how, ours] of Object.entries({ 'import': kafkajs, 'require': require('klamm/kafkajs'), 'require, default': require('klamm/kafkajs').default })) {
    it(`all that KafkaJS has for producers, by ${how}`, () => {
      assert.deepEqual(names.filter((name) => typeof ours[name] !== typeof theirs[name]), []);
      for (const name of names.filter((name) => name.startsWith('KafkaJS'))) {
        const [mine, its] = [ours, theirs].map((library) => new library[name](new Error('why'), {}));
        assert.deepEqual([mine.name, mine instanceof ours.KafkaJSError, mine.retriable], [its.name, its instanceof theirs.KafkaJSError, its.retriable], name);
      }
    });
  }

  it('codecs that a program brings are not needed', () => {
    CompressionCodecs[CompressionTypes.Snappy] = () => assert.fail('looked at');
    assert.throws(() => CompressionCodecs[CompressionTypes.LZ4](), /by itself/);
    for (const [name, number] of Object.entries(theirs.CompressionTypes)) assert.equal(CompressionTypes[name], number);
  });
});

describe('producer', () => {
  it('sends, and says where', async () => {
    const producer = await connected();
    const first = await producer.send({ topic: 'one', messages: [{ key: 'k', value: 'a', headers: { h: 'x' } }, { value: Buffer.from('b') }] });
    const second = await producer.send({ topic: 'one', messages: [{ value: null, timestamp: '1700000000000' }] });
    await producer.disconnect();
    assert.deepEqual(first, [{ topicName: 'one', partition: 0, errorCode: 0, baseOffset: '0', logAppendTime: '-1' }]);
    assert.equal(second[0].baseOffset, '2');
    const records = broker.read('one');
    assert.deepEqual(records.map(({ value }) => value?.toString() ?? null), ['a', 'b', null]);
    assert.equal(records[0].headers, 'h=x');
    assert.equal(records[2].timestamp, 1_700_000_000_000);
  });

  it('sendBatch: several topics', async () => {
    const producer = await connected();
    const places = await producer.sendBatch({ topicMessages: [{ topic: 'batch', messages: [{ value: '1', partition: 1 }] }, { topic: 'acks', messages: [{ value: '2' }] }] });
    await producer.disconnect();
    assert.deepEqual(places.map(({ topicName, partition }) => `${topicName}/${partition}`).sort(), ['acks/0', 'batch/1']);
  });

  it('keys go where KafkaJS sends them', async () => {
    const keys = Array.from({ length: 200 }, (_, n) => `${'kä'.repeat(n % 9)}${n}`);
    const messages = keys.map((key) => ({ key, value: key }));
    const mine = await connected();
    await mine.send({ topic: 'six', messages });
    await mine.disconnect();
    const other = new theirs.Kafka({ brokers: [broker.address], logLevel: theirs.logLevel.NOTHING }).producer({ createPartitioner: theirs.Partitioners.DefaultPartitioner });
    await other.connect();
    await other.send({ topic: 'theirs', messages });
    await other.disconnect();
    const places = (topic) => broker.read(topic).map(({ partition, value }) => `${partition} ${value}`).sort();
    assert.deepEqual(places('six'), places('theirs'));
  });

  it('acks and codecs of a call', async () => {
    const producer = await connected();
    assert.deepEqual(await producer.send({ topic: 'acks', messages: [{ value: 'zero' }], acks: 0 }), []);
    const [one] = await producer.send({ topic: 'acks', messages: [{ value: 'one' }], acks: 1 });
    assert.equal(one.errorCode, 0);
    for (const compression of [CompressionTypes.GZIP, CompressionTypes.Snappy, CompressionTypes.LZ4, CompressionTypes.None]) {
      await producer.send({ topic: 'codec', messages: [{ value: `${compression} ${'x'.repeat(500)}` }], compression });
    }
    // Brought or not, it is refused with what to do, as KafkaJS does without it; and nothing of the call is sent.
    const { [CompressionTypes.ZSTD]: without } = CompressionCodecs;
    for (const codec of [without, () => ({ compress: async () => Buffer.alloc(1), decompress: async () => Buffer.alloc(1) })]) {
      CompressionCodecs[CompressionTypes.ZSTD] = codec;
      await assert.rejects(producer.send({ topic: 'codec', messages: [{ value: 'x' }], compression: CompressionTypes.ZSTD }), (error) => {
        assert(error instanceof KafkaJSNotImplemented && error instanceof KafkaJSNonRetriableError);
        assert.match(error.message, /^ZSTD compression not implemented by klamm: take LZ4/);
        return true;
      });
    }
    CompressionCodecs[CompressionTypes.ZSTD] = without;
    await producer.disconnect();
    assert.deepEqual(broker.read('codec').map(({ value }) => value.toString()[0]), ['1', '2', '3', '0']);
    assert(broker.read('acks').some(({ value }) => value.toString() === 'zero'));
  });

  it('a partitioner of one’s own', async () => {
    const seen = [];
    const producer = await connected({
      createPartitioner: () => ({ topic, partitionMetadata, message }) => {
        seen.push([topic, partitionMetadata.length, message.value.toString()]);
        return partitionMetadata.at(-1).partitionId;
      },
    });
    const [place] = await producer.send({ topic: 'six', messages: [{ value: 'mine' }] });
    await producer.disconnect();
    assert.equal(place.partition, 5);
    assert.deepEqual(seen, [['six', 6, 'mine']]);
  });

  it('events', async () => {
    const producer = kafka().producer();
    const seen = [];
    const requests = [];
    producer.on(producer.events.CONNECT, ({ type }) => seen.push(type));
    producer.on('producer.disconnect', ({ type }) => seen.push(type));
    producer.on(producer.events.REQUEST, ({ payload }) => requests.push(payload));
    await producer.connect();
    await producer.send({ topic: 'one', messages: [{ value: 'x' }] });
    await producer.disconnect();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, ['producer.connect', 'producer.disconnect']);
    const produce = requests.find(({ apiName }) => apiName === 'Produce');
    assert.equal(produce.broker, broker.address);
    assert.equal(produce.clientId, 'test');
    assert(produce.size > 0 && produce.duration >= 0);
    assert.throws(() => producer.on('nonsense', () => {}), /Event name should be one of producer.events.CONNECT/);
  });

  it('events of what is not answered, and need not be', async () => {
    const producer = kafka({ requestTimeout: 300 }).producer();
    const sizes = [];
    const timeouts = [];
    const ofProduce = (list, name) => ({ payload }) => payload.apiName === 'Produce' && list.push(payload[name]);
    producer.on(producer.events.REQUEST, ofProduce(sizes, 'size'));
    producer.on(producer.events.REQUEST_TIMEOUT, ofProduce(timeouts, 'correlationId'));
    await producer.connect();
    await producer.send({ topic: 'acks', messages: [{ value: 'zero' }], acks: 0 });
    await new Promise((resolve) => setTimeout(resolve, 350));
    await producer.disconnect();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual({ sizes, timeouts }, { sizes: [0], timeouts: [] });
  });

  it('events of a broker that says nothing', async () => {
    const silent = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = `127.0.0.1:${silent.address().port}`;
    const producer = kafka({ brokers: [address], requestTimeout: 200, connectionTimeout: 300, retry: { retries: 0 } }).producer();
    const queue = [];
    producer.on(producer.events.REQUEST_QUEUE_SIZE, ({ payload }) => queue.push(payload));
    const timedOut = new Promise((resolve) => producer.on(producer.events.REQUEST_TIMEOUT, ({ payload }) => resolve(payload)));
    await producer.connect();
    const sent = assert.rejects(producer.send({ topic: 'one', messages: [{ value: 'x' }] }), KafkaJSNumberOfRetriesExceeded);
    const { apiName, broker: asked, clientId, sentAt } = await timedOut;
    assert.deepEqual({ apiName, asked, clientId }, { apiName: 'ApiVersions', asked: address, clientId: 'test' });
    assert(sentAt <= Date.now());
    assert.deepEqual(queue[0], { broker: address, clientId: 'test', queueSize: 1 });
    await sent;
    await producer.disconnect();
    silent.close();
  });
});

describe('errors', () => {
  it('are KafkaJS’s, with its words', async () => {
    const producer = kafka().producer();
    const fails = (sent, message) => assert.rejects(sent, { name: message === 'The producer is disconnected' ? 'KafkaJSError' : 'KafkaJSNonRetriableError', message });
    await fails(producer.send({ topic: 'one', messages: [{ value: 'x' }] }), 'The producer is disconnected');
    await producer.connect();
    await fails(producer.send({ topic: '', messages: [] }), 'Invalid topic');
    await fails(producer.send({ topic: 'one' }), 'Invalid messages array [undefined] for topic "one"');
    await fails(producer.send({ topic: 'one', messages: [{ key: 'k' }] }), 'Invalid message without value for topic "one": {"key":"k"}');
    await producer.disconnect();
  });

  it('no broker: the retries are used up', async () => {
    const producer = kafka({ brokers: ['127.0.0.1:1'], retry: { initialRetryTime: 10, retries: 2 } }).producer();
    await assert.rejects(producer.connect(), (error) => {
      assert(error instanceof KafkaJSNumberOfRetriesExceeded && error instanceof KafkaJSError);
      assert.equal(error.retryCount, 2);
      assert.equal(error.cause.name, 'KafkaJSConnectionError');
      return true;
    });
  });

  it('klamm only produces', () => {
    for (const what of ['consumer', 'admin']) {
      assert.throws(() => kafka()[what]({}), (error) => error instanceof KafkaJSNonRetriableError && !error.retriable && /klamm only produces/.test(error.message));
    }
  });
});

describe('beside npm’s kafkajs', () => {
  it('partitioners choose alike', () => {
    const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({ partitionId, leader: 0 }));
    for (const name of ['DefaultPartitioner', 'LegacyPartitioner', 'JavaCompatiblePartitioner']) {
      const [mine, other] = [Partitioners[name](), theirs.Partitioners[name]()];
      for (let n = 0; n < 500; n++) {
        const key = Buffer.from(Array.from({ length: n % 23 }, (_, at) => (n * 31 + at * 17) % 256));
        const args = { topic: 't', partitionMetadata, message: { key, value: 'x' } };
        assert.equal(mine(args), other(args), `${name}, ${key.toString('hex')}`);
      }
    }
  });

  it('has its values', () => {
    assert.deepEqual({ ...theirs.CompressionTypes }, Object.fromEntries(Object.entries(CompressionTypes).filter(([name]) => Number.isNaN(Number(name)))));
    assert.deepEqual({ ...theirs.logLevel }, Object.fromEntries(Object.entries(logLevel).filter(([name]) => Number.isNaN(Number(name)))));
    const own = new theirs.Kafka({ brokers: ['x:1'] }).producer({ createPartitioner: theirs.Partitioners.DefaultPartitioner });
    assert.deepEqual(kafka().producer().events, own.events);
  });
});
