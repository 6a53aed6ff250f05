// The playground in Chromium: as it is used, and its figures.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { counts, open, start, weakTexts } from './browser.mjs';

let env;
const cleanups = [];
before(async () => (env = await start({ after: (clean) => cleanups.push(clean) })));
after(async () => {
  for (const clean of cleanups) await clean();
});

const paused = (t, seed, options = '') => open(t, env.browser, `${env.address}?paused&seed=${seed}${options}`);

const steps = (page, count) =>
  page.evaluate((presses) => {
    for (let press = 0; press < presses; press += 1) document.querySelector('#step').click();
  }, count);

/** Steps until the figures are so: in each run after as many. */
async function stepUntil(page, isSo) {
  for (let rounds = 0; rounds < 500; rounds += 1) {
    if (isSo(await counts(page))) return;
    await steps(page, 10);
  }
  assert.fail(JSON.stringify(await counts(page)));
}

/** All that is drawn of the lanes. */
const lanes = (page) =>
  page.$$eval('.lane', (all) =>
    all.map((lane) => [...lane.querySelectorAll('.chip:not(.gone)')].map((chip) => `${chip.dataset.state ?? 'stored'} ${chip.textContent} ${chip.title}`).sort()),
  );

test('the same seed and the same deeds are the same picture', async (t) => {
  const pictures = [];
  for (const seed of [7, 7, 8]) {
    const page = await paused(t, seed);
    await page.waitForSelector('.lane');
    await steps(page, 40);
    await page.click('#power-2');
    await page.selectOption('#fault', 'stored-error 7');
    await page.click('#inject');
    await steps(page, 60);
    pictures.push({ lanes: await lanes(page), counts: await counts(page), clock: await page.textContent('.clock') });
    await page.close();
  }
  assert.deepEqual(pictures[0], pictures[1]);
  assert.notDeepEqual(pictures[0], pictures[2]);
  assert.ok(pictures[0].counts.accepted > 20, JSON.stringify(pictures[0].counts));
});

test('after every fault nothing is lost and nothing twice, and the audit passes', async (t) => {
  const page = await paused(t, 3);
  await page.waitForSelector('.lane');
  await steps(page, 100);
  const faults = await page.$$eval('#fault option', (options) => options.map((option) => option.value));
  assert.ok(faults.length > 12);
  for (const fault of faults.filter((name) => !['error 87', 'lose-tail'].includes(name))) {
    await page.selectOption('#fault', fault);
    await page.click('#inject');
    await steps(page, 10);
  }
  await page.click('#power-1');
  await page.click('#network-2');
  await steps(page, 60);
  await page.click('button[aria-label="Move the leader of partition 0"]');
  await steps(page, 60);
  await page.click('#finish');
  await page.waitForFunction(() => document.querySelector('#said').textContent !== '');
  assert.match(await page.textContent('#said'), /^Audit passed\. \d+ records/);
  const all = await counts(page);
  assert.ok(all.accepted > 100, JSON.stringify(all));
  assert.equal(all.delivered, all.accepted);
  assert.equal(all.stored, all.accepted);
  assert.deepEqual([all.lost, all.twice, all.buffered], [0, 0, 0]);
});

test('what a disk loses is counted, for the logs are read', async (t) => {
  const page = await paused(t, 3);
  await page.waitForSelector('.lane');
  await stepUntil(page, ({ stored }) => stored > 60);
  await page.selectOption('#fault', 'lose-tail');
  await page.click('#inject');
  await stepUntil(page, ({ lost }) => lost > 0);
  assert.ok(await page.$('[data-of=lost].broken'));
});

test('without idempotence records are stored twice, and counted', async (t) => {
  const page = await paused(t, 4);
  await page.waitForSelector('.lane');
  await page.click('#idempotent');
  await stepUntil(page, ({ stored }) => stored > 60);
  await page.selectOption('#fault', 'close-after');
  await page.click('#inject');
  await stepUntil(page, ({ twice }) => twice > 0);
});

test('it goes by keyboard alone', async (t) => {
  const page = await paused(t, 5);
  await page.waitForSelector('.lane');
  const clock = () => page.textContent('.clock');
  const begin = await clock();
  for (let presses = 0; presses < 20; presses += 1) await page.keyboard.press('s');
  assert.notEqual(await clock(), begin);
  await page.keyboard.press('r');
  assert.equal(await page.textContent('#run'), 'Pause');
  await page.waitForFunction((text) => document.querySelector('.clock').textContent !== text, await clock());
  await page.keyboard.press('r');
  assert.equal(await page.textContent('#run'), 'Run');
  // Every control is reached by Tab, and has a name.
  const reached = new Set();
  await page.evaluate(() => document.activeElement.blur());
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.slice(0, 20)));
  }
  for (const id of ['tab-playground', 'theme', 'run', 'step', 'speed', 'rate', 'seed', 'chaos', 'heal', 'finish', 'power-1', 'network-3', 'fault', 'inject']) {
    assert.ok(reached.has(id), `${id} is not reached: ${[...reached].join(', ')}`);
  }
  await page.focus('#power-1');
  await page.keyboard.press('Enter');
  assert.equal(await page.textContent('.node .state'), 'down');
  const nameless = await page.$$eval('main button, main input, main select', (all) =>
    all.filter((each) => !each.getAttribute('aria-label') && !each.labels?.length && !each.textContent.trim()).map((each) => each.outerHTML),
  );
  assert.deepEqual(nameless, []);
});

test('tabs and themes', async (t) => {
  const page = await paused(t, 1);
  await page.focus('#tab-playground');
  assert.equal(await page.getAttribute('#tab-playground', 'aria-selected'), 'true');
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.click('#theme');
  const light = await ground();
  await page.click('#theme');
  assert.notEqual(await ground(), light);
  await page.reload();
  assert.equal(await page.getAttribute('#theme', 'aria-label'), 'Theme: dark');
  assert.notEqual(await ground(), light);
});

test('a phone shows it without scrolling sideways', async (t) => {
  const page = await paused(t, 2);
  await page.setViewportSize({ width: 360, height: 740 });
  await page.waitForSelector('.lane');
  await steps(page, 60);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `${wide} pixels`);
});

test('every text has enough contrast, light and dark', async (t) => {
  for (const scheme of ['light', 'dark']) {
    const page = await paused(t, 2);
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.waitForSelector('.lane');
    await page.click('#network-1');
    await steps(page, 90);
    assert.deepEqual(await weakTexts(page), [], scheme);
    await page.close();
  }
});
