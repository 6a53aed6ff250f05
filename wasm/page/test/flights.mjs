// What the page makes of the bytes that it sees go by: which batches are on their way. Part of `live.test.mjs`.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';

import { build } from 'esbuild';

const BATCH_SIZE = 1_000;
const [NOT_LEADER, DUPLICATE] = [6, 46];

let Flights;
before(async () => {
  const entry = join(import.meta.dirname, '../src/live/flights.ts');
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, write: false, format: 'esm' });
  ({ Flights } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`));
});

const number = (size) => (value) => {
  const bytes = Buffer.alloc(size);
  bytes.writeIntBE(value, 0, size);
  return bytes;
};
const [i16, i32] = [number(2), number(4)];

function varint(value) {
  return value < 0x80 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >>> 7)]);
}

/** Lengths, texts and ends as a version has them. */
function form(version) {
  const isFlexible = version >= 9;
  const length = (count, wide) => (isFlexible ? varint(count + 1) : wide ? i32(count) : i16(count));
  return {
    tags: isFlexible ? varint(0) : Buffer.alloc(0),
    text: (words) => Buffer.concat([length(Buffer.byteLength(words), false), Buffer.from(words)]),
    array: (parts) => Buffer.concat([length(parts.length, true), ...parts]),
    bytes: (bytes) => Buffer.concat([length(bytes.length, true), bytes]),
  };
}

const frame = (...parts) => Buffer.concat([i32(Buffer.concat(parts).length), ...parts]);

function batch({ epoch = 0, sequence = 0, records = 1, bytes = 500 }) {
  const all = Buffer.alloc(bytes);
  all.writeInt16BE(epoch, 51);
  all.writeInt32BE(sequence, 53);
  all.writeInt32BE(records, 57);
  return all;
}

/** A Produce request with batches by their partitions. */
function produce(version, correlation, batches) {
  const { tags, text, array, bytes } = form(version);
  const parts = batches.map(({ partition, ...rest }) => Buffer.concat([i32(partition), bytes(batch(rest)), tags]));
  const none = version >= 9 ? varint(0) : i16(-1);
  return frame(i16(0), i16(version), i32(correlation), i16(5), Buffer.from('klamm'), tags, none, i16(-1), i32(1_000), array([Buffer.concat([text('demo'), array(parts), tags])]), tags);
}

/** Its answer: a code for each partition. */
function answer(version, correlation, codes) {
  const { tags, text, array } = form(version);
  const words = version >= 8 ? Buffer.concat([array([]), version >= 9 ? varint(0) : i16(-1)]) : Buffer.alloc(0);
  const parts = Object.entries(codes).map(([partition, code]) => Buffer.concat([i32(Number(partition)), i16(code), Buffer.alloc(24), words, tags]));
  return frame(i32(correlation), tags, array([Buffer.concat([text('demo'), array(parts), tags])]), i32(0), tags);
}

const seen = (flights, partition) => flights.batches(partition).map(({ state, sequence, tries }) => `${state} ${sequence} ${tries}`);

/** Two batches of a partition, sent one after the other. */
function two() {
  const flights = new Flights(BATCH_SIZE);
  const wire = flights.witness('broker-4');
  wire.sent(produce(12, 1, [{ partition: 1, sequence: 0, records: 10 }]));
  wire.sent(produce(12, 2, [{ partition: 1, sequence: 10, records: 5 }]));
  return { flights, wire };
}

describe('batches on the wire', () => {
  for (const version of [7, 8, 9, 12]) {
    it(`of Produce ${version}, in pieces of any length`, () => {
      for (const size of [1, 3, 64, 10_000]) {
        const flights = new Flights(BATCH_SIZE);
        const wire = flights.witness('broker-4');
        const pieces = (bytes, pass) => {
          for (let at = 0; at < bytes.length; at += size) pass(bytes.subarray(at, at + size));
        };
        const metadata = frame(i16(3), i16(7), i32(6), i16(-1), i32(-1), Buffer.alloc(1));
        const request = produce(version, 7, [{ partition: 0, epoch: 2, sequence: 30, records: 3, bytes: 250 }, { partition: 2, records: 40, bytes: 2_000 }]);
        pieces(Buffer.concat([metadata, request]), (bytes) => wire.sent(bytes));
        assert.deepEqual(flights.batches(0), [{ id: '0.2.30', state: 'flying', records: 3, fill: 0.25, epoch: 2, sequence: 30, tries: 1, node: 4 }]);
        assert.deepEqual([flights.records(0), flights.records(1), flights.records(2)], [3, 0, 40]);
        assert.equal(flights.bytesInFlight, 2_250);
        pieces(Buffer.concat([frame(i32(6), Buffer.alloc(30)), answer(version, 7, { 0: 0, 2: NOT_LEADER })]), (bytes) => wire.received(bytes));
        assert.deepEqual([seen(flights, 0), seen(flights, 2)], [[], ['again 0 1']]);
        assert.equal(flights.bytesInFlight, 0);
        const { latency, fill } = flights.takeAverages();
        assert(latency >= 0 && fill === (0.25 + 1) / 2, `${latency} ${fill}`);
        assert.deepEqual(flights.takeAverages(), { latency: null, fill: null });
      }
    });
  }

  it('one that is sent again is the same batch', () => {
    const { flights, wire } = two();
    wire.received(answer(12, 1, { 1: NOT_LEADER }));
    assert.deepEqual(seen(flights, 1), ['again 0 1', 'flying 10 1']);
    wire.sent(produce(12, 3, [{ partition: 1, sequence: 0, records: 10 }]));
    assert.deepEqual(seen(flights, 1), ['flying 0 2', 'flying 10 1']);
    assert.equal(flights.retries, 1);
    assert.equal(flights.takeAverages().fill, 0.5, 'counted once');
  });

  it('a success settles those before it, and no other', () => {
    const { flights, wire } = two();
    wire.sent(produce(12, 3, [{ partition: 1, sequence: 15 }, { partition: 2, sequence: 0 }]));
    wire.received(Buffer.concat([answer(12, 1, { 1: NOT_LEADER }), answer(12, 2, { 1: 0 })]));
    assert.deepEqual([seen(flights, 1), seen(flights, 2)], [['flying 15 1'], ['flying 0 1']]);
  });

  it('one that the broker had already is delivered', () => {
    const { flights, wire } = two();
    wire.received(answer(12, 1, { 1: DUPLICATE }));
    assert.deepEqual(seen(flights, 1), ['flying 10 1']);
  });

  it('one that the answer leaves out is sent again', () => {
    const { flights, wire } = two();
    wire.received(answer(12, 1, {}));
    assert.deepEqual(seen(flights, 1), ['again 0 1', 'flying 10 1']);
  });

  it('what a lost connection has not answered is sent again', () => {
    const { flights, wire } = two();
    wire.received(answer(12, 1, { 1: 0 }));
    wire.closed();
    assert.deepEqual(seen(flights, 1), ['again 10 1']);
    assert.equal(flights.bytesInFlight, 0);
  });

  it('a new epoch takes the place of the old one, in its partition', () => {
    const { flights, wire } = two();
    wire.sent(produce(12, 3, [{ partition: 2, sequence: 0 }]));
    wire.closed();
    flights.witness('broker-5').sent(produce(12, 1, [{ partition: 1, epoch: 1, sequence: 0, records: 15 }]));
    assert.deepEqual([seen(flights, 1), seen(flights, 2)], [['flying 0 1'], ['again 0 1']]);
    assert.equal(flights.batches(1)[0].node, 5);
    assert.equal(flights.retries, 0);
    flights.clear(1);
    assert.deepEqual([seen(flights, 1), seen(flights, 2)], [[], ['again 0 1']]);
  });
});
