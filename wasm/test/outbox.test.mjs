// The outbox: what was stored is in the log exactly once, and in order per key, whatever dies when.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import 'fake-indexeddb/auto';

import { Outbox } from 'klamm/outbox';
import WebSocket from 'ws';

import { FileStore } from '../pkg/outbox/file.js';
import { IndexedDbStore } from '../pkg/outbox/indexeddb.js';
import { Bridge } from './bridge.mjs';
import { Broker } from './broker.mjs';
import { Network } from './browsers/network.mjs';
import { Device } from './outbox/device.mjs';

const wasm = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'klamm-outbox-'));
let places = 0;
const place = () => join(scratch, `${places++}`);

let broker;
before(async () => {
  const topics = ['file', 'indexeddb', 'snapshotLater', 'mapApart', 'removedEarly', 'doubt', 'bridge', 'limits', 'node', 'deno', 'bun', 'events', 'idle', 'old', 'again'];
  broker = await Broker.start(Object.fromEntries(topics.map((topic) => [topic, 3])));
});
after(async () => {
  await broker.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const options = (more = {}) => ({ brokers: broker.address, requestTimeoutMs: 2_000, batchSize: 256, lingerMs: 1, ...more });

/** Stores that stay where the power goes, each with a way to open it again. */
const STORES = {
  file() {
    const directory = place();
    return () => {
      const store = new FileStore(directory);
      store.open();
      return store;
    };
  },
  indexeddb() {
    const name = place();
    return () => new IndexedDbStore(name);
  },
};

/** Waits, however long that takes. */
async function until(isSo) {
  while (!isSo()) await sleep(20);
}

/** A generator of numbers, the same for the same seed. */
function dice(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

/** Sends some messages; those that are safe are noted. */
async function produce(device, topic, first, stored) {
  for (let call = 0; call < 4; call++) {
    const messages = Array.from({ length: 3 }, (_, n) => ({ key: `${n}`, value: `${first + call * 3 + n}` }));
    await device.outbox.send({ topic, messages });
    stored.push(...messages.map(({ value }) => value));
  }
}

/** Two lives of an outbox: the first ends at the fuse. Returns the steps of the first, and the doubtful records. */
async function lives(topic, open, first, stored, { fuse, betweens, mutant, more = {} }) {
  const device = new Device(open(), options(more), { fuse, betweens, mutant });
  const done = produce(device, topic, first, stored).then(() => device.outbox.flush());
  await Promise.race([done, device.dark]);
  const { steps } = device;
  if (!device.isDark) await Promise.race([device.outbox.close(), device.dark]);
  await device.settled();
  const next = new Device(open(), options(more));
  const doubtful = [];
  next.outbox.on('possiblyDuplicated', (event) => doubtful.push(event));
  next.outbox.on('error', (error) => doubtful.push(error));
  await produce(next, topic, first + 500, stored);
  await next.outbox.flush();
  const { records } = await next.outbox.usage();
  assert.equal(records, 0, 'all is delivered, and removed');
  await next.outbox.close();
  return { steps, doubtful };
}

/** What is wrong in the log; nothing, one hopes. */
function faults(topic, stored) {
  const found = [];
  const times = new Map();
  const lastOf = new Map();
  for (const { key, value } of broker.read(topic)) {
    const number = Number(value.toString());
    times.set(`${number}`, (times.get(`${number}`) ?? 0) + 1);
    if ((lastOf.get(`${key}`) ?? -1) >= number) found.push(`${number} after ${lastOf.get(`${key}`)}`);
    lastOf.set(`${key}`, number);
  }
  for (const number of stored) if (!times.has(number)) found.push(`${number} lost`);
  for (const [number, count] of times) if (count > 1) found.push(`${number} ${count} times`);
  return found;
}

/** A crash at every step of a run. */
async function crashes(topic, store) {
  const stored = [];
  const whole = await lives(topic, store(), 0, stored, {});
  for (let fuse = 1; fuse <= whole.steps; fuse++) await lives(topic, store(), fuse * 1_000, stored, { fuse });
  return { faults: faults(topic, stored), steps: whole.steps };
}

describe('a crash at every step', { timeout: 600_000 }, () => {
  for (const [name, store] of Object.entries(STORES)) {
    it(name, async () => {
      const { faults, steps } = await crashes(name, store);
      assert.deepEqual(faults, []);
      assert(steps > 30, `${steps} steps`);
    });
  }
});

/** Stores that do it wrong: with a moment between two things that belong together, when the power may go. */
const MUTANTS = {
  /** Bytes leave, and the snapshot that knows of them is safe a while later. */
  snapshotLater(inner, device) {
    let last = Promise.resolve();
    return {
      async commit(...args) {
        last = last.then(() => sleep(15)).then(() => device.between()).then(() => inner.commit(...args));
      },
      close: () => last.then(() => inner.close()),
    };
  },
  /** The snapshot, and later which records are in it. */
  mapApart(inner, device) {
    let last = { batches: [] };
    return {
      async commit(state, remove) {
        await inner.commit({ ...state, batches: last.batches }, remove);
        await sleep(10);
        await device.between();
        last = state;
        await inner.commit(state, []);
      },
    };
  },
  /** Gone when it is handed over, not when it is acknowledged. */
  removedEarly(inner, device) {
    let last = { snapshot: new Uint8Array(), batches: [], doubtful: [], tickets: [] };
    return {
      async take(...args) {
        const found = await inner.take(...args);
        await inner.commit(last, found.map(({ number }) => number));
        setTimeout(() => device.between());
        return found;
      },
      async commit(state, remove) {
        last = state;
        await inner.commit(state, remove);
      },
    };
  },
  /** No snapshot has it any more, and it is there still. */
  removedLate: (inner, device) => ({
    async commit(state, remove) {
      await inner.commit(state, []);
      await device.between();
      await inner.commit(state, remove);
    },
  }),
};

describe('what the crashes find', { timeout: 600_000 }, () => {
  for (const [topic, mutate] of Object.entries(MUTANTS)) {
    it(topic, async () => {
      const mutant = (inner, device) => {
        const methods = mutate(inner, device);
        return new Proxy(inner, { get: (target, method) => methods[method] ?? ((...args) => target[method](...args)) });
      };
      const stored = [];
      await lives(topic, STORES.file(), 0, stored, { mutant });
      // What is gone when it is taken cannot be taken again, which the sender may do without a crash, too.
      if (topic !== 'removedEarly') assert.deepEqual(faults(topic, stored), [], 'as long as there is power');
      let found = [];
      for (let life = 1; life <= 60 && found.length === 0; life++) {
        await lives(topic, STORES.file(), life * 1_000, stored, { betweens: 1 + (life % 5), mutant });
        found = faults(topic, stored);
      }
      assert.notDeepEqual(found, []);
    });
  }
});

describe('a broker that may have forgotten', { timeout: 600_000 }, () => {
  it('is told of by possiblyDuplicated, and nothing is lost', async () => {
    const stored = [];
    const told = [];
    for (let fuse = 20; fuse < 60; fuse++) {
      const { doubtful } = await lives('doubt', STORES.file(), fuse * 1_000, stored, { fuse, more: { brokerMemoryMs: -1 } });
      told.push(...doubtful);
    }
    assert.deepEqual(faults('doubt', stored), [], 'this broker remembers all the same');
    assert(told.length > 0);
    for (const { topic, partition, offset, number } of told) {
      assert.equal(topic, 'doubt');
      assert(partition >= 0 && offset >= 0n && number >= 1);
    }
  });
});

describe('records that are older than what brokers remember', { timeout: 600_000 }, () => {
  // Brokers go by the records' own time, so they forget whoever sent these as soon as they look.
  const old = Date.now() - 2 * 24 * 60 * 60 * 1000;
  let network;
  before(async () => {
    network = await Network.start();
    network.to = broker.port;
  });
  after(() => network.close());

  /** A device, and what it was told of its records, by their numbers. */
  const open = (store) => {
    const device = new Device(store, options({ brokers: network.address, singleAddress: true, batchSize: 16_384, requestTimeoutMs: 60_000 }));
    const told = [];
    const delivered = [];
    device.outbox.on('possiblyDuplicated', ({ number }) => told.push(number));
    device.outbox.on('delivered', ({ number }) => delivered.push(number));
    return { device, outbox: device.outbox, told, delivered };
  };
  const record = (topic, timestamp, partition = 0) => ({ topic, messages: [{ value: 'x', partition, timestamp }] });

  it('are told of after a crash, and what was before them in their partition, but not what was sent once', async () => {
    const store = STORES.file();
    const first = open(store());
    for (const partition of [1, 0]) {
      await first.outbox.send(record('old', old, partition));
      await first.outbox.flush();
    }
    assert.deepEqual([first.delivered, first.told], [[1, 2], []]);
    // Nobody answers. Each is a batch of its own, for they are stored one after the other.
    const lost = network.losingAnswers(async () => {
      await until(() => broker.read('old').length === 6);
      await first.device.settled();
    });
    await first.outbox.send(record('old', undefined, 1));
    for (const [n, timestamp] of [undefined, old, undefined].entries()) {
      await until(() => broker.read('old').length === 3 + n);
      await first.outbox.send(record('old', timestamp));
    }
    await lost;
    const second = open(store());
    await second.outbox.flush();
    await second.outbox.close();
    // A broker that did not get the last one goes by the one before it, for both that it has.
    assert.deepEqual([second.delivered.toSorted(), second.told], [[3, 4, 5, 6], [4, 5]]);
    assert.deepEqual(broker.read('old').length, 6, 'this broker remembers all the same');
  });

  it('are told of where a connection was lost, and no crash needed', async () => {
    const { outbox, told, delivered } = open(STORES.file()());
    await outbox.send(record('again', old));
    await outbox.flush();
    const lost = network.losingAnswers(() => until(() => broker.read('again').length === 2));
    await outbox.send(record('again', old));
    await lost;
    await outbox.flush();
    await outbox.send(record('again', old));
    await outbox.flush();
    await outbox.close();
    assert.deepEqual([delivered, told], [[1, 2, 3], [2]]);
  });
});

describe('a bridge that believes the ticket no more', { timeout: 600_000 }, () => {
  it('another producer id is asked for; nothing is lost, and what may be there twice is told', async () => {
    const bridge = await Bridge.start(broker.address);
    const stored = [];
    const doubtful = [];
    const open = STORES.file();
    const through = { bridge: bridge.url, token: bridge.token(['bridge']), webSocket: WebSocket, requestTimeoutMs: 2_000, batchSize: 256 };
    for (let life = 1; life <= 4; life++) {
      const device = new Device(open(), through);
      device.outbox.on('possiblyDuplicated', ({ number }) => doubtful.push(number));
      await produce(device, 'bridge', life * 1_000, stored);
      await device.outbox.flush();
      await broker.kill();
      // Their batches have numbers, or not, and nobody answers.
      await produce(device, 'bridge', life * 1_000 + 500, stored);
      await sleep(100);
      await device.settled();
      await bridge.kill();
      await broker.start();
      process.env.KLAMM_BRIDGE_AUTH_TICKET_SECRET = `another secret, the one of life ${life}, of many bytes`;
      await bridge.start();
    }
    delete process.env.KLAMM_BRIDGE_AUTH_TICKET_SECRET;
    const last = new Device(open(), through);
    last.outbox.on('possiblyDuplicated', ({ number }) => doubtful.push(number));
    await last.outbox.flush();
    assert.equal((await last.outbox.usage()).records, 0);
    await last.outbox.close();
    await bridge.kill();
    const values = broker.read('bridge').map(({ value }) => value.toString());
    assert.deepEqual([...new Set(values)].sort(), stored.sort());
    assert(values.length - stored.length <= doubtful.length, `${values.length - stored.length} twice, ${doubtful.length} told`);
  });
});

describe('limits', () => {
  const nobody = { brokers: '127.0.0.1:1' };
  const message = (n) => ({ value: `${n}`.padEnd(936) });

  it('reject what is too much, all of a call or none', async () => {
    const outbox = new Outbox({ ...nobody, directory: place(), maxBytes: 5_000 });
    await outbox.send({ topic: 'limits', messages: [message(1), message(2), message(3)] });
    await assert.rejects(outbox.send({ topic: 'limits', messages: [message(4), message(5), message(6)] }), { code: 'QUEUE_FULL' });
    await Promise.all([outbox.send({ topic: 'limits', messages: [message(7)] }), assert.rejects(outbox.send({ topic: 'limits', messages: [message(8), message(9)] }), { code: 'QUEUE_FULL' })]);
    assert.deepEqual(await outbox.usage(), { records: 4, bytes: 4_000 });
    await outbox.close();
  });

  it('drop the oldest that nobody sends yet', async () => {
    const dropped = [];
    let taken = 0;
    const counted = (inner) => new Proxy(inner, { get: (target, method) => async (...args) => {
      const found = await target[method](...args);
      if (method === 'take') taken += found.length;
      return found;
    } });
    // So much is taken out to be sent that it stays.
    const { outbox } = new Device(STORES.file()(), { ...nobody, maxBytes: 1_100_000, policy: 'drop-oldest' }, { mutant: counted });
    outbox.on('dropped', ({ number, why }) => dropped.push([number, why]));
    const { delivered } = await outbox.send({ topic: 'limits', messages: Array.from({ length: 1_100 }, (_, n) => message(n)) });
    await until(() => taken > 1_000);
    await outbox.send({ topic: 'limits', messages: [message('new')] });
    assert.equal(dropped.length, 1);
    const [[number, why]] = dropped;
    assert.equal(why, 'bytes');
    assert(number > 1_000 && number <= 1_100, `${number} was not being sent`);
    assert.equal((await outbox.usage()).records, 1_100);
    delivered.catch(() => {});
    await outbox.close();
  });

  it('drop what is too old', async () => {
    const open = STORES.file();
    const first = new Device(open(), { ...nobody, maxAgeMs: 60_000 });
    await first.outbox.send({ topic: 'limits', messages: [message(1)] });
    await first.settled();
    const dropped = [];
    const second = new Device(open(), { ...nobody, maxAgeMs: 1 });
    second.outbox.on('dropped', (event) => dropped.push(event));
    await until(() => dropped.length > 0);
    assert.deepEqual(dropped, [{ number: 1, why: 'age' }]);
    await second.outbox.close();
  });
});

describe('the log of a file', () => {
  const row = (n) => ({ topic: 't', key: null, value: new Uint8Array([n, 0, 255]), headers: [['h', `ä${n}`], ['none', null]], partition: n, timestamp: n, storedAt: n, bytes: 100 });
  const limits = { maxBytes: Infinity, dropsOldest: false };

  it('gives back what was put in', async () => {
    const open = STORES.file();
    const store = open();
    assert.deepEqual(await store.add([row(1), row(2)], limits), { numbers: [1, 2], dropped: [] });
    const state = { snapshot: new Uint8Array([1, 2, 3]), batches: [{ topic: 't', partition: 0, numbers: [2], since: 5 }], doubtful: [2], tickets: ['x'] };
    await store.commit(state, [1]);
    await store.close();
    const again = open();
    assert.deepEqual(await again.load(), state);
    assert.deepEqual(await again.take(0, 1e9), [{ number: 2, row: row(2) }]);
    assert.deepEqual((await again.add([row(3)], limits)).numbers, [3]);
    await again.close();
  });

  it('loses nothing but its unfinished end, wherever that was cut off', async () => {
    const directory = place();
    const file = join(directory, 'log');
    const open = () => {
      const store = new FileStore(directory);
      store.open();
      return store;
    };
    const store = open();
    await store.add([row(1)], limits);
    const { length } = readFileSync(file);
    await store.add([row(2)], limits);
    await store.close();
    const whole = readFileSync(file);
    for (let end = length; end < whole.length; end++) {
      writeFileSync(file, whole.subarray(0, end));
      if (end % 2 === 0) appendFileSync(file, 'rubbish');
      const torn = open();
      assert.deepEqual((await torn.take(0, 1e9)).map(({ number }) => number), [1], `${end} of ${whole.length} bytes`);
      assert.deepEqual((await torn.add([row(3)], limits)).numbers, [2]);
      await torn.close();
      const after = open();
      assert.deepEqual((await after.take(0, 1e9)).map(({ row }) => row.partition), [1, 3]);
      await after.close();
    }
    truncateSync(file, 0);
    const empty = open();
    assert.equal(await empty.load(), undefined);
    await empty.close();
  });

  it('is written anew when most of it is old, and numbers go on', async () => {
    const directory = place();
    const open = () => {
      const store = new FileStore(directory);
      store.open();
      return store;
    };
    const store = open();
    const state = { snapshot: new Uint8Array(1_000_000), batches: [], doubtful: [], tickets: [] };
    for (let n = 1; n <= 20; n++) {
      await store.add([row(n)], limits);
      await store.commit(state, n % 2 === 0 ? [n] : []);
    }
    assert(readFileSync(join(directory, 'log')).length < 6_000_000);
    await store.commit(state, [1]);
    await store.close();
    const again = open();
    const odd = Array.from({ length: 9 }, (_, n) => 2 * n + 3);
    assert.deepEqual((await again.take(0, 1e9)).map(({ number, row }) => [number, row.partition]), odd.map((n) => [n, n]));
    await again.commit({ ...state, snapshot: new Uint8Array(1_100_000) }, odd);
    for (let n = 0; n < 8; n++) await again.commit(state, []);
    await again.close();
    const last = open();
    assert.deepEqual((await last.add([row(1)], limits)).numbers, [21]);
    await last.close();
  });

  it('is one process’s at a time', async () => {
    const directory = place();
    const first = new Outbox({ ...options(), directory });
    const { delivered } = await first.send({ topic: 'idle', messages: [{ value: 'first' }] });
    await delivered;
    const second = new Outbox({ ...options(), directory });
    await assert.rejects(second.send({ topic: 'idle', messages: [{ value: 'second' }] }), { code: 'LOCKED' });
    await second.close();
    await first.close();
    const third = new Outbox({ ...options(), directory });
    await (await third.send({ topic: 'idle', messages: [{ value: 'third' }] })).delivered;
    await third.close();
    assert.deepEqual(broker.read('idle').map(({ value }) => value.toString()).sort(), ['first', 'third']);
  });
});

describe('tabs that share a database', () => {
  const row = (n) => ({ topic: 't', key: null, value: `${n}`, headers: [], partition: undefined, timestamp: n, storedAt: n, bytes: 100 });
  const limits = { maxBytes: 300, dropsOldest: false };
  const state = { snapshot: new Uint8Array([1]), batches: [], doubtful: [], tickets: [] };

  it('all store, and only who took the lead last takes and removes', async () => {
    const open = STORES.indexeddb();
    const [one, other] = [open(), open()];
    await one.load();
    assert.deepEqual((await one.add([row(1)], limits)).numbers, [1]);
    assert.deepEqual((await other.add([row(2), row(3)], limits)).numbers, [2, 3]);
    await assert.rejects(other.add([row(4)], limits), { code: 'QUEUE_FULL' });
    assert.deepEqual((await one.take(0, 100)).map(({ number }) => number), [1]);
    await one.commit(state, []);
    assert.deepEqual(await other.load(), state);
    await assert.rejects(one.commit(state, [1]), { code: 'LOCKED' });
    await assert.rejects(one.take(0, 100), { code: 'LOCKED' });
    assert.deepEqual((await other.take(0, 150)).map(({ number }) => number), [1, 2]);
    // What was taken stays.
    assert.deepEqual(await one.add([row(5)], { ...limits, dropsOldest: true }), { numbers: [4], dropped: [3] });
    await other.commit(state, [1, 2]);
    assert.deepEqual(await one.usage(), { records: 1, bytes: 100 });
    await one.close();
    await other.close();
  });
});

describe('what becomes of a record', () => {
  it('that lingers: it leaves when its page is hidden', async () => {
    globalThis.document = new EventTarget();
    const outbox = new Outbox({ ...options({ lingerMs: 600_000, batchSize: 16_384 }), directory: place() });
    const { delivered } = await outbox.send({ topic: 'limits', messages: [{ value: 'before it is hidden' }] });
    await sleep(300);
    assert.equal((await outbox.usage()).records, 1);
    // It may not be on its way yet.
    const hiding = setInterval(() => globalThis.document.dispatchEvent(new Event('visibilitychange')), 100);
    assert.equal((await delivered).length, 1);
    clearInterval(hiding);
    await outbox.close();
    delete globalThis.document;
  });

  it('is told by the promise and by events, with its number and place', async () => {
    const events = [];
    const outbox = new Outbox({ ...options(), directory: place(), serializers: { value: (value) => JSON.stringify(value) } });
    for (const name of ['delivered', 'failed']) outbox.on(name, (event) => events.push([name, event.number]));
    const messages = [{ key: 'k', value: { a: 1 }, headers: { h: ['x', new Uint8Array([1])] }, timestamp: 1_700_000_000_000 }];
    const { numbers, delivered } = await outbox.send({ topic: 'events', messages });
    assert.deepEqual(numbers, [1]);
    const [place1] = await delivered;
    const [record] = broker.read('events');
    assert.deepEqual([place1.partition, place1.offset], [record.partition, BigInt(record.offset)]);
    assert.deepEqual([record.key.toString(), record.value.toString(), record.timestamp], ['k', '{"a":1}', 1_700_000_000_000]);
    const failed = await outbox.send({ topic: 'events', messages: [{ value: 'x'.repeat(3_000_000) }] });
    await assert.rejects(failed.delivered, { code: 'TOO_LARGE' });
    await outbox.flush();
    assert.deepEqual(await outbox.usage(), { records: 0, bytes: 0 });
    assert.deepEqual(events, [['delivered', 1], ['failed', 2]]);
    await outbox.close();
    await assert.rejects(outbox.send({ topic: 'events', messages: [] }), { code: 'CLOSED' });
  });
});

describe('kill -9 at any time', { timeout: 600_000 }, () => {
  const binary = (path) => join(wasm, 'node_modules', path);
  const COMMANDS = {
    node: [process.execPath],
    deno: [binary('.bin/deno'), 'run', '--allow-all', '--node-modules-dir=manual'],
    bun: [binary('.bin/bun'), 'run'],
  };
  const seed = Number(process.env.KLAMM_SEED ?? 1);

  for (const [runtime, [command, ...args]] of Object.entries(COMMANDS)) {
    it(`${runtime}, seed ${seed}`, async () => {
      const roll = dice(seed);
      const directory = place();
      const stored = [];
      const run = async (number, count, wait) => {
        const all = [...args, 'test/outbox/work.mjs', broker.address, runtime, directory, `${number}`, `${count}`];
        const child = spawn(command, all, { cwd: wasm, stdio: ['ignore', 'pipe', 'inherit'] });
        const said = text(child.stdout);
        if (wait !== undefined) {
          let begun = '';
          child.stdout.on('data', (bytes) => (begun += bytes));
          await until(() => begun.includes('stored') || child.exitCode !== null);
          await sleep(wait);
          child.kill('SIGKILL');
        }
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
        const lines = (await said).split('\n');
        for (const line of lines) {
          const [word, ...values] = line.split(' ');
          if (word === 'stored') stored.push(...values);
          assert(!['error', 'failed', 'doubtful'].includes(word), line);
        }
        return lines;
      };
      for (let number = 1; number <= 8; number++) {
        const killed = run(number, 1_000_000, 100 + roll(300));
        if (number % 3 === 0) {
          await sleep(roll(200));
          await broker.kill();
          await killed;
          await broker.start();
        }
        await killed;
      }
      const lines = await run(9, 100);
      assert(lines.includes('flushed 0') && lines.includes('closed'), lines.join('\n'));
      assert(stored.length > 100, `${stored.length} stored`);
      assert.deepEqual(faults(runtime, stored), []);
    });
  }
});
