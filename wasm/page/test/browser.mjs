// Chromium, and the page in it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { serve } from './serve.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The built page, and a browser with a profile of its own. */
export async function start(t, { site = process.env.KLAMM_PAGE, ...options } = {}) {
  if (!site) throw new Error('KLAMM_PAGE is to name the folder of the built page');
  const server = await serve(site);
  const profile = await mkdtemp(join(tmpdir(), 'klamm-page-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    viewport: { width: 1200, height: 900 },
    ...options,
  });
  t.after(async () => {
    await browser.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  });
  return { browser, address: server.address };
}

/** Opens the page; whatever it complains about fails the test at its end. */
export async function open(t, browser, url) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  t.after(() => {
    if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join('; ')}`);
  });
  await page.goto(url);
  return page;
}

/** The figures of the page, by name. */
export const counts = (page) =>
  page.evaluate(() => {
    const figures = document.querySelectorAll('section:not([hidden]) [data-count]');
    return Object.fromEntries([...figures].map((each) => [each.dataset.count, Number(each.textContent.replaceAll(',', ''))]));
  });
