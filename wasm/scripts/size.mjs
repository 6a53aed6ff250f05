// What the package weighs in a page, minified and by gzip; with `--gate` the first row has a limit.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

/** Bytes for plain produce, module and glue. */
const LIMIT = 40 * 1024;

process.chdir(join(import.meta.dirname, '..'));

async function weigh(what, code, wasm, resolveDir = 'pkg') {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    // Loaded where there is no file beside the script.
    external: what === 'klamm/inline' ? [] : ['../wasm/inline.js'],
    logLevel: 'error',
  });
  const glue = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  const module = wasm === undefined ? 0 : gzipSync(readFileSync(join('pkg', wasm)), { level: 9 }).length;
  const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`.padStart(10);
  console.log(`${what.padEnd(34)}${kib(glue)}${kib(module)}${kib(glue + module)}`);
  return glue + module;
}

console.log(`${'gzip -9'.padEnd(34)}${'script'.padStart(10)}${'module'.padStart(10)}${'together'.padStart(10)}`);
const plain = await weigh('klamm: plain produce in a page', "export { Producer } from './platform/browser.js'", 'klamm.wasm');
await weigh('klamm with codecs', "export { Producer } from './platform/browser.js'", 'klamm-codecs.wasm');
await weigh('klamm/outbox', "export { Outbox } from './outbox/browser.js'", 'klamm-codecs.wasm');
await weigh('klamm/inline', "export { Producer } from './platform/inline.js'");
if (process.argv.includes('--gate') && plain > LIMIT) {
  console.error(`plain produce takes ${plain} bytes; ${LIMIT} are allowed`);
  process.exit(1);
}
