// One process at a time has a directory. A lock that outlives its process, or names it by a number that another one
// has by now, is worse than none; so it is a socket, which the system closes with the process: whoever can be reached
// is alive, also from another container.

import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { KlammError } from '../errors.js';

const PREFIX = 'lock.';
/** Two that come at once may both step back. */
const ATTEMPTS = 5;
/** Longer paths of sockets are cut off. */
const LONGEST = 100;

/**
 * Resolves with what gives it up.
 *
 * @throws KlammError `LOCKED`
 */
export async function lock(directory: string): Promise<() => Promise<void>> {
  mkdirSync(directory, { recursive: true });
  if (process.platform === 'win32') return pipe(directory);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const mine = PREFIX + randomBytes(6).toString('hex');
    const server = await listen(pathOf(directory, mine));
    const others = readdirSync(directory).filter((name) => name.startsWith(PREFIX) && name !== mine);
    const dead: string[] = [];
    for (const name of others) if (!(await isAlive(pathOf(directory, name)))) dead.push(name);
    // Only who has it removes what is dead: then nobody is removed between its birth and its first word.
    if (dead.length === others.length && existsSync(join(directory, mine))) {
      for (const name of dead) rmSync(join(directory, name), { force: true });
      return () => end(server);
    }
    await end(server);
    await sleep(10 + Math.random() * 50 * attempt);
  }
  throw new KlammError('LOCKED', `${directory}: another process has this outbox`);
}

/** Windows has names that are one process's, and go with it. */
async function pipe(directory: string): Promise<() => Promise<void>> {
  const name = createHash('sha256').update(realpathSync(directory)).digest('hex');
  try {
    const server = await listen(`\\\\.\\pipe\\klamm-outbox-${name}`);
    return () => end(server);
  } catch (cause) {
    throw new KlammError('LOCKED', `${directory}: another process has this outbox`, { cause });
  }
}

function pathOf(directory: string, name: string): string {
  const [path, shorter] = [join(directory, name), relative(process.cwd(), join(directory, name))];
  const short = shorter.length < path.length ? shorter : path;
  if (short.length > LONGEST) throw new KlammError('CONFIG', `directory: ${directory} is too long for a socket's name (${LONGEST} bytes)`);
  return short;
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', reject);
    server.listen(path, () => resolve(server));
    server.unref();
  });
}

/** Also removes its name. */
function end(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Anything else than "nobody is there" may be somebody who is busy.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
