// What bundlers make of the installed package without any configuration, loaded by a page that produces through a bridge.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as vite, createServer } from 'vite';
import webpack from 'webpack';

import { Broker } from '../broker.mjs';
import { Bridge } from '../bridge.mjs';
import { installed } from '../installed.mjs';
import { freePort } from '../ports.mjs';
import { Control } from './control.mjs';
import { openBrowser } from './subjects.mjs';

const BOTH = ['none', 'lz4'];

let broker;
let devPort;
let bridge;
let control;
let browser;
/** With the package, and where what is made of it goes. */
let root;
let entry;
before(async () => {
  broker = await Broker.start({ vite: 1, webpack: 1, esbuild: 1, rollup: 1, plain: 1, init: 1, dev: 1 });
  root = installed();
  entry = join(root, 'page.mjs');
  cpSync(join(import.meta.dirname, 'bundled.mjs'), entry);
  control = await Control.start({ '/': root });
  devPort = await freePort();
  bridge = await Bridge.start(broker.address, { 'auth.origins': `${control.address},http://127.0.0.1:${devPort}` });
  browser = await openBrowser('chromium');
});
after(async () => {
  await browser?.close();
  await bridge?.kill();
  control?.close();
  rmSync(root, { recursive: true, force: true });
  await broker?.stop();
});

const html = (folder, script) => {
  mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, folder, 'index.html'), `<!doctype html><script type="module" src="${script}"></script>`);
};

/** Opens the page, and reads what it produced. */
async function load(topic, codecs, { module = '', at = `${control.address}/${topic}/` } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`${error}`));
  const query = new URLSearchParams({ bridge: bridge.url, token: bridge.token([topic]), topic, codecs, module });
  await page.goto(`${at}index.html?${query}`);
  const said = await control.lastWordOf(topic);
  assert.deepEqual({ said, complaints }, { said: { offsets: codecs.map((_, n) => `${n}`) }, complaints: [] });
  assert.deepEqual(broker.read(topic).map(({ value }) => value.toString()), codecs.map((codec) => `by ${codec}`));
  await page.close();
}

const modules = (folder) => readdirSync(join(root, folder), { recursive: true }).filter((file) => file.endsWith('.wasm'));

describe('without configuration', () => {
  it('Vite’s development server', async () => {
    html('.', './page.mjs');
    const server = await createServer({ root, logLevel: 'error', server: { host: '127.0.0.1', port: devPort, proxy: { '/done': control.address } } });
    await server.listen();
    try {
      await load('dev', BOTH, { at: `http://127.0.0.1:${devPort}/` });
    } finally {
      await server.close();
    }
  });

  it('Vite', async () => {
    await vite({ root, base: './', logLevel: 'error', build: { outDir: join(root, 'vite') } });
    assert.equal(modules('vite').length, 2);
    await load('vite', BOTH);
  });

  it('webpack', async () => {
    const stats = await promisify(webpack)({ mode: 'production', entry, output: { path: join(root, 'webpack'), filename: 'main.js' } });
    assert(!stats.hasErrors(), stats.toString('errors-only'));
    assert.equal(modules('webpack').length, 2);
    html('webpack', 'main.js');
    await load('webpack', BOTH);
  });

  it('esbuild', async () => {
    await esbuild.build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', target: 'es2022', outfile: join(root, 'esbuild/page.js'), logLevel: 'error' });
    html('esbuild', 'page.js');
    // It copies no modules: the plain one is in the script as text.
    await load('esbuild', ['none']);
  });

  it('esbuild, with the larger module from where the page says', async () => {
    cpSync(join(root, 'esbuild'), join(root, 'init'), { recursive: true });
    cpSync(join(root, 'node_modules/klamm/klamm-codecs.wasm'), join(root, 'init/larger.wasm'));
    await load('init', BOTH, { module: 'larger.wasm' });
  });

  it('Rollup', async () => {
    const { nodeResolve } = await import('@rollup/plugin-node-resolve');
    const bundle = await rollup({ input: entry, plugins: [nodeResolve({ browser: true })] });
    await bundle.write({ dir: join(root, 'rollup'), format: 'esm' });
    await bundle.close();
    html('rollup', 'page.js');
    await load('rollup', ['none']);
  });

  it('no bundler: <script type="module">', async () => {
    html('plain', 'page.js');
    cpSync(join(root, 'node_modules/klamm'), join(root, 'plain/klamm'), { recursive: true });
    writeFileSync(join(root, 'plain/page.js'), readFileSync(entry, 'utf8').replace("'klamm'", "'./klamm/platform/browser.js'"));
    await load('plain', BOTH);
  });
});
