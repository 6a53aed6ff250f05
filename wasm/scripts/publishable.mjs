// What publint and "are the types wrong?" say of the package.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

process.chdir(join(import.meta.dirname, '..'));
const run = (...args) => execFileSync(process.execPath, args, { stdio: 'inherit' });
run('node_modules/publint/src/cli.js', 'pkg', '--strict');
// Modules are no types.
run('node_modules/@arethetypeswrong/cli/dist/index.js', '--pack', 'pkg', '--exclude-entrypoints', './klamm.wasm', './klamm-codecs.wasm');
