// For runtimes with a command line.

import { Producer } from 'klamm';

import { work } from './work.mjs';

const [options, topic, control] = globalThis.Deno?.args ?? process.argv.slice(2);
console.log(JSON.stringify(await work(Producer, JSON.parse(options), topic, control)));
