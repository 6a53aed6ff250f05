// Connections that a program brings: what klamm asks of them, and what becomes of what goes wrong there.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';

import { Producer } from 'klamm';

import { Broker } from './broker.mjs';

const PRODUCE = 0;

let broker;
before(async () => {
  broker = await Broker.start({ mine: 3, late: 1, busy: 1 });
});
after(() => broker.stop());

/** The three things that klamm asks for, over a socket of Node's. */
async function open({ host, port }, signal) {
  const socket = connect({ host, port, signal });
  await once(socket, 'connect');
  return { ...Duplex.toWeb(socket), close: () => socket.destroy() };
}

/** Makes frames of what comes in any pieces, and shows each of them. */
function frames(see) {
  let rest = Buffer.alloc(0);
  return new TransformStream({
    transform(bytes, controller) {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const frame = Buffer.from(rest.subarray(0, 4 + rest.readInt32BE(0)));
        rest = rest.subarray(frame.length);
        see(frame);
        controller.enqueue(frame);
      }
    },
  });
}

describe('a transport of one’s own', { timeout: 600_000 }, () => {
  it('carries what sockets would, and is closed', async () => {
    const opened = [];
    let closed = 0;
    const p = new Producer({
      brokers: broker.address,
      transport: async (address, signal) => {
        opened.push(address);
        const { close, ...streams } = await open(address, signal);
        return { ...streams, close: () => (closed++, close()) };
      },
    });
    const messages = Array.from({ length: 5_000 }, (_, n) => ({ key: `${n % 10}`, value: `${n} ${'x'.repeat(200)}` }));
    const places = await p.send({ topic: 'mine', messages });
    await p.close();
    const there = new Map(broker.read('mine').map(({ partition, offset, value }) => [`${partition}/${offset}`, `${value}`]));
    assert.deepEqual(places.map(({ partition, offset }) => there.get(`${partition}/${offset}`)), messages.map(({ value }) => value));
    assert.equal(there.size, messages.length);
    assert.deepEqual(opened[0], { host: '127.0.0.1', port: broker.port });
    while (closed < opened.length) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  it('that fails is told by an event, and asked again', async () => {
    let asked = 0;
    const p = new Producer({
      brokers: broker.address,
      reconnectBackoffMs: 10,
      transport: (address, signal) => {
        if (asked++ === 0) throw new Error('no way there');
        return open(address, signal);
      },
    });
    const errors = [];
    p.on('disconnected', ({ error }) => errors.push(error.message));
    await p.send({ topic: 'mine', messages: [{ value: 'in the end' }] });
    assert.deepEqual(errors, ['no way there']);
    await p.close();
  });

  it('that takes too long is told so by its signal, and closed if it comes all the same', async () => {
    const late = [];
    const p = new Producer({
      brokers: broker.address,
      socketConnectionSetupTimeoutMs: 1_000,
      reconnectBackoffMs: 10,
      transport: async (address, signal) => {
        if (late.length > 0) return open(address, signal);
        late.push('asked');
        await once(signal, 'abort');
        const { readable, writable } = new TransformStream();
        return { readable, writable, close: () => late.push('closed') };
      },
    });
    const [place] = await p.send({ topic: 'late', messages: [{ value: 'by another one' }] });
    assert.equal(place.offset, 0n);
    assert.deepEqual(late, ['asked', 'closed']);
    await p.close();
  });

  it('sees all that the broker says: that it asks for silence is told by an event', async () => {
    const p = new Producer({
      brokers: broker.address,
      // Without codecs: Produce 7, which ends with the time.
      codecs: false,
      transport: async (address, signal) => {
        const apis = new Map();
        const { readable, writable, close } = await open(address, signal);
        const asks = frames((frame) => apis.set(frame.readInt32BE(8), frame.readInt16BE(4)));
        asks.readable.pipeTo(writable).catch(() => {});
        const answers = frames((frame) => {
          if (apis.get(frame.readInt32BE(4)) === PRODUCE) frame.writeInt32BE(30, frame.length - 4);
        });
        readable.pipeTo(answers.writable).catch(() => {});
        return { readable: answers.readable, writable: asks.writable, close };
      },
    });
    const throttled = [];
    p.on('throttled', (event) => throttled.push(event));
    for (const value of ['first', 'second']) await p.send({ topic: 'busy', messages: [{ value }] });
    assert.deepEqual(throttled, [{ broker: broker.address, ms: 30 }, { broker: broker.address, ms: 30 }]);
    assert.equal(p.stats().throttledMs, 60);
    await p.close();
    assert.deepEqual(broker.read('busy').map(({ value }) => `${value}`), ['first', 'second']);
  });
});
