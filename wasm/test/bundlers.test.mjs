// What bundlers make of the package without any configuration, loaded and run.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as vite } from 'vite';
import webpack from 'webpack';

import { Broker } from './broker.mjs';

const wasm = join(import.meta.dirname, '..');
const entry = join(wasm, 'test/bundlers/page.mjs');
const deno = join(wasm, 'node_modules/.bin/deno');
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

let broker;
let server;
let root;
before(async () => {
  broker = await Broker.start({ vite: 1, webpack: 1, esbuild: 1, rollup: 1, plain: 1 });
  // Within the package's folder: bundlers look for packages upwards.
  root = mkdtempSync(join(wasm, 'pkg-bundled-'));
  server = createServer(async (request, response) => {
    try {
      const path = new URL(request.url, 'http://x').pathname;
      const body = await readFile(join(root, path));
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/plain' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, '127.0.0.1');
});
after(async () => {
  server.close();
  rmSync(root, { recursive: true, force: true });
  await broker.stop();
});

/** Runs the script as a page of the server, and reads what it produced. */
async function load(script, topic, codecs = ['none', 'lz4']) {
  const url = `http://127.0.0.1:${server.address().port}/${script}`;
  const args = ['run', '--allow-all', '--no-lock', '--reload', join(wasm, 'test/bundlers/browser.mjs'), url, broker.address, topic, codecs.join()];
  const { stdout } = await promisify(execFile)(deno, args, { cwd: root });
  assert.deepEqual(stdout.trim().split('\n'), codecs.map((_, n) => `${n}`));
  assert.deepEqual(broker.read(topic).map(({ value }) => value.toString()), codecs.map((codec) => `by ${codec}`));
}

const modules = (folder) => readdirSync(join(root, folder), { recursive: true }).filter((file) => file.endsWith('.wasm'));

describe('without configuration', () => {
  it('Vite', async () => {
    const page = '<!doctype html><script type="module" src="./page.mjs"></script>';
    cpSync(entry, join(root, 'vite-source/page.mjs'));
    writeFileSync(join(root, 'vite-source/index.html'), page);
    await vite({ root: join(root, 'vite-source'), base: './', logLevel: 'error', build: { outDir: join(root, 'vite') } });
    assert.equal(modules('vite').length, 2);
    const script = readdirSync(join(root, 'vite/assets')).find((file) => /^index-.*\.js$/.test(file));
    await load(`vite/assets/${script}`, 'vite');
  });

  it('webpack', async () => {
    const stats = await promisify(webpack)({
      mode: 'production',
      entry,
      target: 'web',
      // A module, for Deno loads no scripts.
      output: { path: join(root, 'webpack'), filename: 'main.js', module: true, chunkFormat: 'module' },
      experiments: { outputModule: true, topLevelAwait: true },
    });
    assert(!stats.hasErrors(), stats.toString('errors-only'));
    assert.equal(modules('webpack').length, 2);
    await load('webpack/main.js', 'webpack');
  });

  it('esbuild', async () => {
    await esbuild.build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', target: 'es2022', outfile: join(root, 'esbuild/page.js'), logLevel: 'error' });
    // It copies no modules: the plain one is in the script as text.
    await load('esbuild/page.js', 'esbuild', ['none']);
  });

  it('Rollup', async () => {
    const { nodeResolve } = await import('@rollup/plugin-node-resolve');
    const bundle = await rollup({ input: entry, plugins: [nodeResolve({ browser: true })] });
    await bundle.write({ dir: join(root, 'rollup'), format: 'esm' });
    await bundle.close();
    await load('rollup/page.js', 'rollup', ['none']);
  });

  it('no bundler: <script type="module">', async () => {
    cpSync(join(wasm, 'pkg'), join(root, 'plain/klamm'), { recursive: true });
    const text = await readFile(entry, 'utf8');
    writeFileSync(join(root, 'plain/page.js'), text.replace("'klamm'", "'./klamm/platform/browser.js'"));
    await load('plain/page.js', 'plain');
  });
});
