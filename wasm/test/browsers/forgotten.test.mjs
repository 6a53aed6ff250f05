// The outbox where Apache Kafka has really forgotten the producer: what was sent before a crash is sent again, is in the
// log twice, and is reported so; nothing is lost, and nothing is reported that cannot be there twice.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { FileStore } from '../../pkg/outbox/file.js';
import { Device } from '../outbox/device.mjs';
import { Kafka } from './kafka.mjs';

/** Milliseconds for which the broker remembers a producer that sends nothing; it looks more often than that. */
const MEMORY = 5_000;
const DAY = 24 * 60 * 60 * 1000;

let kafka;
let dir;
let hasFailed = false;
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'klamm-forgotten-'));
  kafka = await Kafka.start({ 'producer.id.expiration.ms': MEMORY, 'producer.id.expiration.check.interval.ms': 100 });
});
after(async () => {
  await kafka?.stop({ hasFailed });
  rmSync(dir, { recursive: true, force: true });
});

describe('a broker that has forgotten', { timeout: 600_000 }, () => {
  for (const [topic, { brokerMemoryMs, age }] of Object.entries({
    'for-long-silent': { brokerMemoryMs: MEMORY, age: 0 },
    // Brokers go by the records' own time: these they forget as soon as they look, whatever the cluster is set to.
    'of-old-records': { brokerMemoryMs: DAY, age: 2 * DAY },
  })) {
    it(topic, async () => {
      hasFailed = true;
      await kafka.topic(topic, 1);
      const told = [];
      const values = new Map();
      const open = () => {
        const store = new FileStore(join(dir, topic));
        store.open();
        const device = new Device(store, { brokers: kafka.network.address, requestTimeoutMs: 60_000, brokerMemoryMs });
        device.outbox.on('possiblyDuplicated', ({ number }) => told.push(values.get(number)));
        device.store = async (from, count) => {
          const messages = Array.from({ length: count }, (_, n) => ({ value: `${from + n}`, timestamp: Date.now() - age }));
          const { numbers } = await device.outbox.send({ topic, messages });
          numbers.forEach((number, n) => values.set(number, `${from + n}`));
        };
        return device;
      };
      const first = open();
      await first.store(0, 50);
      await first.outbox.flush();
      assert.deepEqual(told, [], 'these were sent once');
      // Stored by the broker, and nobody knows, when the power goes.
      const lost = kafka.network.losingAnswers(async () => {
        while (kafka.read(topic).length <= 50) await sleep(20);
        await first.settled();
      });
      await first.store(50, 50);
      await lost;
      const before = kafka.read(topic).length;
      await sleep(2 * MEMORY);

      const second = open();
      await second.store(100, 50);
      await second.outbox.flush();
      assert.equal((await second.outbox.usage()).records, 0);
      await second.outbox.close();
      const times = new Map();
      for (const { value } of kafka.read(topic)) times.set(`${value}`, (times.get(`${value}`) ?? 0) + 1);
      const twice = [...times.keys()].filter((value) => times.get(value) > 1);
      assert.equal(times.size, 150, 'nothing is lost');
      assert.equal(twice.length, before - 50, 'it has forgotten all that it had');
      assert.deepEqual(twice.filter((value) => !told.includes(value)), []);
      assert(told.every((value) => value >= 50 && value < 100), `${told}`);
      hasFailed = false;
    });
  }
});
