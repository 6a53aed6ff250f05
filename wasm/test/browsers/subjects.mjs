// Everything that JavaScript runs in, each with the same work. `done` waits for its last word, `end` ends it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { Miniflare } from 'miniflare';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import { bundled } from '../runtimes/workerd.mjs';

/** Milliseconds that browsers may take for anything. */
const PATIENCE = 600_000;

const wasm = join(import.meta.dirname, '../..');
const here = (file) => join(import.meta.dirname, file);
const binary = (name) => join(wasm, 'node_modules/.bin', name);

const COMMANDS = {
  node: [process.execPath, here('main.mjs')],
  deno: [binary('deno'), 'run', '--allow-all', '--node-modules-dir=manual', here('main.mjs')],
  bun: [binary('bun'), 'run', here('main.mjs')],
};
/** Those with sockets of their own. */
export const RUNTIMES = [...Object.keys(COMMANDS), 'workerd'];
export const BROWSERS = ['chromium', 'firefox'];

/** With a producer of these options. */
export async function inRuntime(name, run) {
  return name === 'workerd' ? inWorkerd(run) : inProcess(COMMANDS[name], run);
}

function inProcess([command, ...args], { options, topic, control }) {
  const child = spawn(command, [...args, JSON.stringify(options), topic, control], { cwd: wasm, stdio: ['ignore', 'pipe', 'inherit'] });
  const said = text(child.stdout);
  const done = once(child, 'exit').then(async ([code]) => {
    if (code !== 0) throw new Error(`${command} ended with ${code}`);
    return JSON.parse(await said);
  });
  done.catch(() => {});
  return { done: () => done, end: () => child.kill('SIGKILL') };
}

async function inWorkerd({ options, topic, control }) {
  const miniflare = new Miniflare(await bundled({ entryPoints: [here('worker.mjs')] }));
  const url = new URL((await miniflare.ready).href);
  url.search = new URLSearchParams({ options: JSON.stringify(options), topic, control });
  const done = fetch(url).then(async (response) => {
    const said = await response.text();
    if (!response.ok) throw new Error(said);
    return JSON.parse(said);
  });
  done.catch(() => {});
  return { done: () => done, end: () => miniflare.dispose() };
}

/** Each with `newPage`, pages with `goto`, `reload` and `close`, and `kill` of a page, which has no time for a farewell. */
export async function openBrowser(name) {
  if (name === 'firefox') {
    const browser = await puppeteer.launch({ browser: 'firefox', executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr', headless: true, timeout: PATIENCE, protocolTimeout: PATIENCE });
    const newPage = async () => {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE);
      return page;
    };
    return { newPage, setOffline: async () => {}, kill: (page) => page.close(), close: () => browser.close() };
  }
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args, timeout: PATIENCE });
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE);
  const kill = async (page) => {
    const crashed = new Promise((resolve) => page.once('crash', resolve));
    const session = await context.newCDPSession(page);
    // Nobody is left to answer.
    session.send('Page.crash').catch(() => {});
    await crashed;
  };
  return { newPage: () => context.newPage(), setOffline: (isOffline) => context.setOffline(isOffline), kill, close: () => browser.close() };
}
