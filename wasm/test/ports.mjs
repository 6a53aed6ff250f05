// Ports of servers that are started later, or again.

import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below those that systems give away by themselves and those of the tests in Rust; browsers refuse none of them. */
const FIRST = 7_000;
const COUNT = 3_000;

// Other processes look for ports at the same time: each starts somewhere else.
let next = (process.pid * 127) % COUNT;

/** A port at which nobody listens. Neither does who asks for any port get it, nor does a connection come from it. */
export async function freePort() {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + (next++ % COUNT);
    const server = createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no port from 7000 to 9999 is free');
}
