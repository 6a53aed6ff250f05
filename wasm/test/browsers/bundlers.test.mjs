// What bundlers make of the package without any configuration, loaded by a page that produces through a bridge.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as vite } from 'vite';
import webpack from 'webpack';

import { Broker } from '../broker.mjs';
import { Bridge } from '../bridge.mjs';
import { Control } from './control.mjs';
import { openBrowser } from './subjects.mjs';

const wasm = join(import.meta.dirname, '../..');
const entry = join(import.meta.dirname, 'bundled.mjs');
const BOTH = ['none', 'lz4'];

let broker;
let bridge;
let control;
let browser;
let root;
before(async () => {
  broker = await Broker.start({ vite: 1, webpack: 1, esbuild: 1, rollup: 1, plain: 1, init: 1 });
  // Within the package's folder: bundlers look for packages upwards.
  root = mkdtempSync(join(wasm, 'pkg-bundled-'));
  control = await Control.start({ '/': root });
  bridge = await Bridge.start(broker.address, { 'auth.origins': control.address });
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
async function load(topic, codecs, module = '') {
  const page = await browser.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`${error}`));
  const query = new URLSearchParams({ bridge: bridge.url, token: bridge.token([topic]), topic, codecs, module });
  await page.goto(`${control.address}/${topic}/index.html?${query}`);
  const said = await control.lastWordOf(topic);
  assert.deepEqual({ said, complaints }, { said: { offsets: codecs.map((_, n) => `${n}`) }, complaints: [] });
  assert.deepEqual(broker.read(topic).map(({ value }) => value.toString()), codecs.map((codec) => `by ${codec}`));
  await page.close();
}

const modules = (folder) => readdirSync(join(root, folder), { recursive: true }).filter((file) => file.endsWith('.wasm'));

describe('without configuration', () => {
  it('Vite', async () => {
    html('vite-source', './page.mjs');
    cpSync(entry, join(root, 'vite-source/page.mjs'));
    await vite({ root: join(root, 'vite-source'), base: './', logLevel: 'error', build: { outDir: join(root, 'vite') } });
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
    cpSync(join(wasm, 'pkg/klamm-codecs.wasm'), join(root, 'init/larger.wasm'));
    await load('init', BOTH, 'larger.wasm');
  });

  it('Rollup', async () => {
    const { nodeResolve } = await import('@rollup/plugin-node-resolve');
    const bundle = await rollup({ input: entry, plugins: [nodeResolve({ browser: true })] });
    await bundle.write({ dir: join(root, 'rollup'), format: 'esm' });
    await bundle.close();
    html('rollup', 'bundled.js');
    await load('rollup', ['none']);
  });

  it('no bundler: <script type="module">', async () => {
    html('plain', 'page.js');
    cpSync(join(wasm, 'pkg'), join(root, 'plain/klamm'), { recursive: true });
    writeFileSync(join(root, 'plain/page.js'), readFileSync(entry, 'utf8').replace("'klamm'", "'./klamm/platform/browser.js'"));
    await load('plain', BOTH);
  });
});
