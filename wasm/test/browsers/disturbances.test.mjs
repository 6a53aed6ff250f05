// Every runtime and both browsers produce to Apache Kafka while something is taken from them: each record is there
// once, and in order. All of them at the same time, each in a topic of its own.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Bridge } from '../bridge.mjs';
import { checkOrder, checkProducer } from './checks.mjs';
import { Control } from './control.mjs';
import { Kafka } from './kafka.mjs';
import { Network } from './network.mjs';
import { BROWSERS, inRuntime, openBrowser, RUNTIMES } from './subjects.mjs';

const OFFLINE = 30_000;
const PARTITIONS = 3;
/** Records that are delivered before anything happens. */
const CALM = 100;

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

/** What is done to whom, while they send: to all runs at once. */
const DISTURBANCES = {
  'broker killed and started again': {
    whom: [...RUNTIMES, ...BROWSERS],
    begin: beginProducer,
    async disturb() {
      // Batches that are stored, and nobody knows.
      await Promise.all([kafka.network.losingAnswers(() => kafka.kill()), network.losingAnswers(() => {})]);
      await sleep(1_000);
      await kafka.start();
    },
    check: checkProducer,
  },
  'bridge killed with -9': {
    whom: BROWSERS,
    begin: beginProducer,
    async disturb() {
      await network.losingAnswers(() => bridge.kill());
      await sleep(500);
      await bridge.start();
    },
    check: checkProducer,
  },
  'offline for 30 s': {
    whom: [...RUNTIMES, ...BROWSERS],
    begin: beginProducer,
    async disturb() {
      const all = [...browsers.values()];
      await Promise.all(all.map((browser) => browser.setOffline(true)));
      await Promise.all([kafka.network.offline(OFFLINE), network.offline(OFFLINE)]);
      await Promise.all(all.map((browser) => browser.setOffline(false)));
    },
    check: checkProducer,
  },
  'page reloaded, twice, and the bridge killed between': {
    whom: BROWSERS,
    begin: (subject, topic) => beginOutbox(subject, topic, ['one']),
    async disturb(runs) {
      const reload = ({ ids: [id], pages: [page] }) => page.reload().then(() => control.until(id, 'alive again', ({ delivered }) => delivered > CALM));
      await network.losingAnswers(() => Promise.all(runs.map(reload)));
      await bridge.kill();
      await bridge.start();
      await network.losingAnswers(() => Promise.all(runs.map(reload)));
    },
    check: checkOutbox,
  },
  'two tabs, and the leading one killed': {
    whom: BROWSERS,
    begin: (subject, topic) => beginOutbox(subject, topic, ['one', 'two']),
    async disturb(runs) {
      const kill = async ({ subject, ids, pages }) => {
        assert.deepEqual(ids.map((id) => control.newsOf(id).leads), [true, false]);
        ids.shift();
        await browsers.get(subject).kill(pages.shift());
        await control.until(ids[0], 'leads', ({ leads }) => leads);
      };
      await network.losingAnswers(() => Promise.all(runs.map(kill)));
    },
    check: checkOutbox,
  },
};

for (const [name, { whom, begin, disturb, check }] of Object.entries(DISTURBANCES)) {
  test(name, async (t) => {
    const runs = await Promise.all(whom.map((subject) => begin(subject, `${subject}-${name.replaceAll(/\W+/g, '-')}`)));
    try {
      const ids = runs.flatMap(({ ids }) => ids);
      await Promise.all(ids.map((id) => control.until(id, 'delivered', ({ delivered }) => delivered > CALM)));
      for (const run of runs) run.calm = control.newsOf(run.ids[0]);
      await disturb(runs);
      for (const run of runs) {
        await t.test(run.subject, () =>
          check(run, { control, kafka }).catch((error) => {
            hasFailed = true;
            throw error;
          }),
        );
      }
    } catch (error) {
      hasFailed = true;
      throw error;
    } finally {
      for (const { end } of runs) await end();
    }
  });
}

/** Where there is TCP directly, in a page through the bridge. */
async function beginProducer(subject, topic) {
  await kafka.topic(topic, PARTITIONS);
  if (RUNTIMES.includes(subject)) {
    const run = await inRuntime(subject, { options: { brokers: kafka.network.address }, topic, control: control.address });
    return { subject, topic, ids: [topic], ...run };
  }
  const page = await open(subject, 'page.html', { topic });
  return { subject, topic, ids: [topic], done: () => control.lastWordOf(topic), end: () => page.close() };
}

/** One outbox in some tabs, the first of which leads. */
async function beginOutbox(subject, topic, tabs) {
  await kafka.topic(topic, PARTITIONS);
  const ids = tabs.map((tab) => `${topic}/${tab}`);
  const pages = [];
  for (const [at, tab] of tabs.entries()) {
    pages.push(await open(subject, 'outbox.html', { topic, tab }));
    await control.until(ids[at], 'stored', ({ stored }) => stored > 0);
  }
  return { subject, topic, ids, pages, end: () => Promise.all(pages.map((page) => page.close())) };
}

async function open(subject, file, options) {
  const page = await browsers.get(subject).newPage();
  const query = new URLSearchParams({ bridge: `ws://${network.address}`, token: bridge.token([options.topic]), ...options });
  await page.goto(`${control.address}/${file}?${query}`);
  return page;
}

/** The tabs that are left go on; what any of them has stored in any life is there once, in order of lives. */
async function checkOutbox({ topic, ids }) {
  control.stop(topic);
  for (const id of ids) {
    const { errors, doubtful, failed, left } = await control.lastWordOf(id);
    assert.deepEqual({ errors, doubtful, failed, left }, { errors: [], doubtful: 0, failed: 0, left: 0 });
  }
  const records = kafka.read(topic);
  checkOrder(records, (value) => value.split(' ').slice(1).map(Number));
  const values = new Set(records.map(({ value }) => `${value}`));
  const lives = control.livesOf(topic);
  assert(lives.length > ids.length, 'nobody was killed');
  for (const { id, life, stored } of lives) {
    const tab = id.split('/').at(-1);
    const lost = Array.from({ length: stored }, (_, n) => `${tab} ${life} ${n}`).filter((value) => !values.has(value));
    assert.deepEqual(lost, []);
  }
}
