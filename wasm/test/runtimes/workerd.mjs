// A Worker's script and its modules, as wrangler would bundle them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

/** The bundled script, and the modules of WebAssembly beside it, for Miniflare. */
export async function bundled(input) {
  const modules = [];
  const compiled = {
    name: 'compiled modules',
    setup(build) {
      build.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        const name = path.split('/').at(-1);
        modules.push({ type: 'CompiledWasm', path: name, contents: readFileSync(join(resolveDir, path)) });
        return { path: `./${name}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    ...input,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:sockets'],
    plugins: [compiled],
  });
  return {
    compatibilityDate: '2026-04-01',
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: outputFiles[0].text }, ...modules],
  };
}
