// The package as its users have it: the tarball, installed into a folder without anything else.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const npm = (cwd, ...args) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** The new folder. */
export function installed() {
  const dir = mkdtempSync(join(tmpdir(), 'klamm-installed-'));
  const tarball = npm(join(import.meta.dirname, '../pkg'), 'pack', '--silent', '--pack-destination', dir).trim();
  writeFileSync(join(dir, 'package.json'), '{ "private": true }');
  npm(dir, 'install', '--offline', '--no-audit', '--no-fund', `./${tarball}`);
  return dir;
}
