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

/** The built page, and a browser. */
export async function start(t) {
  const site = process.env.KLAMM_PAGE;
  if (!site) throw new Error('KLAMM_PAGE is to name the folder of the built page');
  const server = await serve(site);
  t.after(() => server.close());
  return { browser: await launch(t), address: server.address };
}

/** Milliseconds that anything may take: machines are slow and shared, and no test measures time. */
export const PATIENCE = 300_000;

/** A browser with a profile of its own. */
export async function launch(t) {
  const profile = await mkdtemp(join(tmpdir(), 'klamm-page-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: FLAGS,
    viewport: { width: 1200, height: 900 },
    timeout: PATIENCE,
  });
  browser.setDefaultTimeout(PATIENCE);
  t.after(async () => {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
  });
  return browser;
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

/** The figures of the page, by name, as they are now: they are drawn with each frame. */
export const counts = (page) =>
  page.evaluate(async () => {
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    const figures = document.querySelectorAll('section:not([hidden]) [data-count]');
    return Object.fromEntries([...figures].map((each) => [each.dataset.count, Number(each.textContent.replaceAll(',', ''))]));
  });

/** Texts with a contrast below 4.5 (WCAG AA). */
export const weakTexts = (page) => page.evaluate(weakest);

/** In the page. */
function weakest() {
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour[3] === undefined || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || element.checkVisibility?.() === false || element.closest(':disabled, optgroup, noscript, .gone')) continue;
    const [one, other] = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) weak.push(`${element.tagName} ${element.className} ${element.textContent.slice(0, 20)} ${contrast.toFixed(2)}`);
  }
  return weak;
}
