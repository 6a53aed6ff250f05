// Every runtime and both browsers produce to Apache Kafka while something is taken from them: each record is there
// once, and in order. All of them at the same time, each in a topic of its own.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Bridge } from '../bridge.mjs';
import { Control } from './control.mjs';
import { Kafka } from './kafka.mjs';
import { Network } from './network.mjs';
import { BROWSERS, inRuntime, openBrowser, RUNTIMES } from './subjects.mjs';

const OFFLINE = 30_000;
const PARTITIONS = 3;

let kafka;
let bridge;
/** Between the pages and the bridge. */
let network;
let control;
const browsers = new Map();
let hasFailed = false;

before(async () => {
  kafka = await Kafka.start();
  control = await Control.start({ '/klamm/': join(import.meta.dirname, '../../pkg'), '/': import.meta.dirname });
  bridge = await Bridge.start(kafka.direct, { 'auth.origins': control.address });
  network = await Network.start();
  network.to = bridge.port;
  for (const name of BROWSERS) browsers.set(name, await openBrowser(name));
});
after(async () => {
  for (const browser of browsers.values()) await browser.close();
  network?.close();
  await bridge?.kill();
  control?.close();
  await kafka?.stop({ hasFailed });
});

/** What is done to whom, while they send. */
const DISTURBANCES = {
  'broker killed and started again': {
    whom: [...RUNTIMES, ...BROWSERS],
    async disturb() {
      await kafka.kill();
      await sleep(1_000);
      await kafka.start();
    },
  },
  'bridge killed with -9': {
    whom: BROWSERS,
    async disturb() {
      await bridge.kill();
      await sleep(500);
      await bridge.start();
    },
  },
  'offline for 30 s': {
    whom: [...RUNTIMES, ...BROWSERS],
    async disturb() {
      const all = [...browsers.values()];
      await Promise.all(all.map((browser) => browser.setOffline(true)));
      await Promise.all([kafka.network.offline(OFFLINE), network.offline(OFFLINE)]);
      await Promise.all(all.map((browser) => browser.setOffline(false)));
    },
  },
};

for (const [name, { whom, disturb }] of Object.entries(DISTURBANCES)) {
  test(name, async (t) => {
    const runs = await Promise.all(whom.map((subject) => begin(subject, `${subject}-${name.replaceAll(/\W/g, '-')}`)));
    try {
      await Promise.all(runs.map(({ topic }) => control.until(topic, 'delivered', ({ delivered }) => delivered > 100)));
      for (const run of runs) run.calm = control.newsOf(run.topic);
      await disturb();
      for (const run of runs) await t.test(run.subject, () => check(run));
    } catch (error) {
      hasFailed = true;
      throw error;
    } finally {
      for (const { end } of runs) await end();
    }
  });
}

async function begin(subject, topic) {
  await kafka.topic(topic, PARTITIONS);
  const run = RUNTIMES.includes(subject)
    ? await inRuntime(subject, { brokers: kafka.network.address, topic, control: control.address })
    : await inPage(subject, topic);
  return { subject, topic, ...run };
}

async function inPage(subject, topic) {
  const page = await browsers.get(subject).newPage();
  const query = new URLSearchParams({ bridge: `ws://${network.address}`, token: bridge.token([topic]), topic });
  await page.goto(`${control.address}/page.html?${query}`);
  return { done: () => control.lastWordOf(topic), end: () => page.close() };
}

/** It has noticed, goes on, and all that it has sent is there once, in the order of each key. */
async function check({ topic, calm, done }) {
  try {
    await control.until(topic, 'connected again', ({ connects }) => connects > calm.connects);
    const { sent } = control.newsOf(topic);
    await control.until(topic, 'delivered what was sent meanwhile', ({ delivered }) => delivered > sent);
    control.stop(topic);
    const { error, ...said } = await done();
    assert.equal(error, undefined);
    assert.deepEqual({ places: said.places, delivered: said.stats.delivered }, { places: said.sent, delivered: said.sent });
    const records = kafka.read(topic);
    assert.equal(records.length, said.sent);
    const lastOf = new Map();
    for (const { key, value } of records) {
      const number = Number(value.toString());
      assert((lastOf.get(`${key}`) ?? -1) < number, `${number} after ${lastOf.get(`${key}`)}`);
      lastOf.set(`${key}`, number);
    }
    assert.equal(new Set(records.map(({ value }) => value.toString())).size, said.sent);
  } catch (error) {
    hasFailed = true;
    throw error;
  }
}
