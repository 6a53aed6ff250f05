// For runtimes with a command line.

import { Producer } from 'klamm';

import { work } from './work.mjs';

const [brokers, topic] = (globalThis.Deno?.args ?? process.argv.slice(2)).slice(0, 2);
console.log(JSON.stringify(await work(Producer, { brokers }, topic)));
