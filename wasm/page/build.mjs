// Bundles the page into a folder of static files: `node build.mjs OUT_DIR`. `cargo xtask page` calls it, and puts the
// playground's module beside what it writes.

import { build } from 'esbuild';
import { copyFile, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = process.argv[2];
if (!out) throw new Error('usage: node build.mjs OUT_DIR');

await mkdir(out, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { app: 'src/main.ts', style: 'src/style/index.css' },
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'eof',
  outdir: out,
  // The two WebAssembly modules stay files of their own: this one's glue, and the npm package that the bridge serves.
  external: ['./simulator/*', './pkg/*'],
  logLevel: 'warning',
});
for (const file of ['index.html', 'icon.svg']) await copyFile(`${here}src/${file}`, `${out}/${file}`);
