// Live in Chromium, from a bridge with a broker of its own; the broker's logs are read apart from the page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freePort } from '../../test/ports.mjs';
import { counts, launch, open, PATIENCE, weakTexts } from './browser.mjs';
import './flights.mjs';

const PARTITIONS = 3;
/** Longer than the producer waits for an answer. */
const CUT = 4_000;

let browser;
let address;
const cleanups = [];
before(async () => {
  const program = process.env.KLAMM_BRIDGE;
  if (!program) throw new Error('KLAMM_BRIDGE is to name the bridge');
  const port = await freePort();
  // From the root of the repository: the package is served from there.
  const bridge = spawn(program, ['--dev', '--listen', `127.0.0.1:${port}`, '--log.level', 'error'], { cwd: join(import.meta.dirname, '../../..'), stdio: ['ignore', 'ignore', 'pipe'] });
  cleanups.push(() => bridge.kill('SIGKILL'));
  await once(bridge.stderr, 'data');
  address = `http://127.0.0.1:${port}/`;
  browser = await launch({ after: (clean) => cleanups.unshift(clean) });
});
after(async () => {
  for (const clean of cleanups) await clean();
});

const live = async (t) => {
  const page = await open(t, browser, `${address}#live`);
  await page.waitForSelector('.pad');
  return page;
};

/** Over all of the pad. */
async function movePointer(page) {
  const { x, y, width, height } = await page.locator('.pad').boundingBox();
  // The package has to be there first.
  for (let moves = 0; !(await page.$('.pad.used')); moves += 1) await page.mouse.move(x + 1 + (moves % 9), y + 1);
  for (let step = 0; step < 60; step += 1) await page.mouse.move(x + (width * (step + 0.5)) / 60, y + height * (0.3 + 0.01 * (step % 40)));
}

/** Until the figures are so. */
async function until(page, what, isSo) {
  let now;
  for (const begin = Date.now(); Date.now() - begin < PATIENCE; ) {
    now = await counts(page);
    if (isSo(now)) return now;
    await page.waitForTimeout(100);
  }
  throw new Error(`waited in vain for ${what}: ${JSON.stringify(now)}`);
}

/** Everything has its outcome, was read back, and is there once. */
async function settled(page) {
  const now = await until(page, 'an outcome of everything', ({ accepted, buffered, delivered, stored }) => buffered === 0 && delivered === accepted && stored === accepted);
  assert.deepEqual([now.lost, now.twice], [0, 0]);
  return now;
}

/** The page's records in the broker's logs: numbers of each partition. */
async function logs(page) {
  const session = await page.evaluate(() => {
    dispatchEvent(new Event('pagehide'));
    return JSON.parse(sessionStorage.getItem('klamm-live')).session;
  });
  const all = [];
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const numbers = [];
    for (let offset = 0, end = 1; offset < end; ) {
      const part = await (await fetch(`${address}dev/log/demo/${partition}?offset=${offset}`)).json();
      for (const { value } of part.records) {
        const { s, n } = JSON.parse(value);
        if (s === session) numbers.push(n);
      }
      end = part.end;
      offset = part.records.length === 0 ? end : part.records.at(-1).offset + 1;
    }
    all.push(numbers);
  }
  return all;
}

async function inLogsOnce(page, { stored }) {
  const all = await logs(page);
  for (const numbers of all) assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b));
  assert.equal(all.flat().length, stored);
  return all;
}

test('pointer movements arrive in the broker', async (t) => {
  const page = await live(t);
  await movePointer(page);
  const now = await settled(page);
  assert.ok(now.accepted >= 50, JSON.stringify(now));
  const all = await inLogsOnce(page, now);
  assert.ok(all.every((numbers) => numbers.length > 0), 'a partition has none');
});

test('the network is cut and mended, the broker killed and started: nothing lost, nothing twice', async (t) => {
  const page = await live(t);
  await page.click('#itself');
  for (const button of ['#cut', '#kill']) {
    const calm = await until(page, 'deliveries', ({ delivered }) => delivered > 50);
    await page.click(button);
    await page.waitForTimeout(CUT);
    const stuck = await until(page, 'records that wait', ({ buffered, accepted }) => buffered > 50 && accepted > calm.accepted + 50);
    await page.click(button);
    await until(page, 'what waited', ({ delivered }) => delivered > stuck.accepted);
  }
  await page.click('#itself');
  await inLogsOnce(page, await settled(page));
});

test('a reload in the middle keeps the books', async (t) => {
  const page = await live(t);
  await page.click('#itself');
  const before = await until(page, 'deliveries', ({ delivered }) => delivered > 50);
  await page.reload();
  await page.click('#itself');
  const after = await until(page, 'more deliveries', ({ delivered }) => delivered > before.accepted + 50);
  assert.ok(after.accepted > before.accepted);
  await page.click('#itself');
  const now = await until(page, 'an outcome of everything', ({ buffered }) => buffered === 0);
  // What was under way at the reload may be there or not, but is not twice; what was acknowledged is.
  const there = (await logs(page)).flat().length;
  assert.ok(there >= now.delivered);
  const all = await until(page, 'the logs', ({ stored }) => stored >= there);
  assert.deepEqual([all.lost, all.twice], [0, 0]);
  await inLogsOnce(page, all);
});

test('it goes by keyboard alone', async (t) => {
  const page = await live(t);
  await page.focus('.pad');
  const press = () => page.keyboard.press('ArrowRight');
  // The package has to be there first.
  while (!(await page.$('.pad.used'))) await press();
  const { accepted } = await settled(page);
  for (const key of ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp']) {
    for (let presses = 0; presses < 5; presses += 1) await page.keyboard.press(key);
  }
  assert.equal((await settled(page)).accepted, accepted + 20);
  const reached = [];
  for (let presses = 0; presses < 4; presses += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => document.activeElement.id));
  }
  assert.deepEqual(reached, ['itself', 'cut', 'kill', 'reload']);
});

test('the counters are about the logs, not about what the producer says', async (t) => {
  const page = await live(t);
  const [one, other] = [3, 5];
  await page.route('**/dev/log/demo/*', async (route) => {
    const response = await route.fetch();
    const part = await response.json();
    const number = ({ value }) => JSON.parse(value).n;
    part.records = part.records.filter((record) => number(record) !== one).flatMap((record) => (number(record) === other ? [record, record] : [record]));
    await route.fulfill({ response, json: part });
  });
  await movePointer(page);
  const isSo = ({ lost, twice, stored, accepted, buffered }) => lost === 1 && twice === 1 && stored === accepted - 1 && buffered === 0;
  await until(page, 'one lost and one twice', isSo);
  assert.ok(await page.$('[data-of=lost].broken'));
  await page.unroute('**/dev/log/demo/*');
});

test('every tab knows whether the broker runs, also after a reload', async (t) => {
  const pages = [await live(t), await live(t)];
  const says = (text) => Promise.all(pages.map((page) => page.waitForFunction((wanted) => document.querySelector('#kill').textContent === wanted, text, { polling: 100 })));
  await says('Kill the broker');
  await pages[0].click('#kill');
  await says('Start the broker');
  await pages[0].reload();
  await says('Start the broker');
  await pages[1].click('#kill');
  await says('Kill the broker');
});

test('what waits is drawn as batches', async (t) => {
  const page = await live(t);
  await page.click('#itself');
  await until(page, 'deliveries', ({ delivered }) => delivered > 20);
  await page.click('#cut');
  await until(page, 'what waits', ({ buffered }) => buffered > 100);
  // Sealed is what was sent, until its time is up.
  await page.waitForFunction(() => {
    const states = [...document.querySelectorAll('.lane .chip:not(.gone):not(.tape)')].map((chip) => chip.dataset.state);
    return states.includes('sealed') && states.includes('open');
  });
  await page.click('#cut');
  await page.click('#itself');
  await settled(page);
});

test('light, dark, and on a phone', async (t) => {
  const page = await live(t);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await movePointer(page);
    await settled(page);
    assert.deepEqual(await weakTexts(page), [], colorScheme);
    await shoot(page, colorScheme);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  await shoot(page, 'phone');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `${wide} pixels`);
});

/** For people, where they ask for it. */
async function shoot(page, name) {
  const folder = process.env.KLAMM_SHOTS;
  if (folder) await page.screenshot({ path: join(folder, `live-${name}.png`), fullPage: true });
}
