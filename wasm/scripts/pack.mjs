// Makes `pkg/` of `js/` and the modules in `js/wasm`: declarations and modules by tsc, CommonJS by esbuild.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { build } from 'esbuild';

/** Entries that Node can `require`, by their name in `cjs/`. */
const COMMONJS = { index: 'platform/node', kafkajs: 'kafkajs/node', outbox: 'outbox/node', inline: 'platform/inline' };
const WASM = ['klamm.wasm', 'klamm-codecs.wasm'];

process.chdir(join(import.meta.dirname, '..'));
rmSync('pkg', { recursive: true, force: true });
inline();
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { stdio: 'inherit' });
mkdirSync('pkg/wasm', { recursive: true });
for (const file of WASM) cpSync(join('js/wasm', file), join('pkg', file));
cpSync('js/wasm/inline.js', 'pkg/wasm/inline.js');
await commonjs();
folders();
manifest();
for (const file of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(join('..', file), join('pkg', file));
cpSync('README.md', 'pkg/README.md');
// Tests import it by its name.
rmSync('node_modules/klamm', { force: true });
symlinkSync('../pkg', 'node_modules/klamm');

/** The module as text, for `klamm/inline`. */
function inline() {
  const base64 = readFileSync('js/wasm/klamm.wasm').toString('base64');
  writeFileSync('js/wasm/inline.js', `export const base64 = '${base64}';\n`);
  writeFileSync('js/wasm/inline.d.ts', 'export declare const base64: string;\n');
}

/** One file each, and declarations as TypeScript wants them for `require`. */
async function commonjs() {
  await build({
    entryPoints: Object.fromEntries(Object.entries(COMMONJS).map(([name, entry]) => [name, `pkg/${entry}.js`])),
    outdir: 'pkg/cjs',
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
  });
  for (const file of readdirSync('pkg', { recursive: true })) {
    if (!file.endsWith('.d.ts') || file.startsWith('cjs') || file.startsWith('wasm')) continue;
    const to = join('pkg/cjs/types', file.replace(/\.d\.ts$/, '.d.cts'));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, readFileSync(join('pkg', file), 'utf8').replace(/(['"]\.\.?\/[^'"]*)\.js(['"])/g, '$1.cjs$2'));
  }
  for (const [name, entry] of Object.entries(COMMONJS)) {
    writeFileSync(`pkg/cjs/${name}.d.cts`, `export * from './types/${entry}.cjs';\n`);
  }
}

/** For tools that know no `exports`: a folder for each subpath. */
function folders() {
  for (const name of Object.keys(COMMONJS)) {
    if (name === 'index') continue;
    mkdirSync(join('pkg', name), { recursive: true });
    const contents = { type: 'module', sideEffects: false, main: `../cjs/${name}.cjs`, types: `../cjs/${name}.d.cts` };
    writeFileSync(join('pkg', name, 'package.json'), `${JSON.stringify(contents, null, 2)}\n`);
  }
}

/** With the version of the workspace. */
function manifest() {
  const [, version] = /\[workspace\.package\]\s*version = "([^"]+)"/.exec(readFileSync('../Cargo.toml', 'utf8'));
  const contents = JSON.parse(readFileSync('package/package.json', 'utf8'));
  writeFileSync('pkg/package.json', `${JSON.stringify({ ...contents, version }, null, 2)}\n`);
}
