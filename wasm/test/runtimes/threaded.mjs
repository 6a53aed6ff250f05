// With the producer in a thread of its own, where the runtime has that. Says how far it is after the first half, and goes
// on when it is told to.

import { once } from 'node:events';
import process from 'node:process';

import { Producer } from 'klamm';

const [options, topic] = process.argv.slice(2);
const { tokens, ...rest } = JSON.parse(options);
// A function stays in this thread.
if (tokens !== undefined) rest.token = async () => tokens.shift();
const producer = new Producer({ worker: true, ...rest });
const codes = [];
const tickets = [];
producer.on('disconnected', ({ error }) => error && codes.push(error.code));
producer.on('ticket', ({ ticket, producerId }) => tickets.push([typeof ticket, typeof producerId]));

const places = [];
for (const half of [0, 500]) {
  const messages = Array.from({ length: 500 }, (_, n) => ({ key: `${n % 10}`, value: `${half + n}` }));
  places.push(...(await producer.send({ topic, messages })));
  if (half > 0) break;
  console.log('half');
  await once(process.stdin, 'data');
  process.stdin.destroy();
}
await producer.close();
console.log(JSON.stringify({ places: new Set(places.map(({ partition, offset }) => `${partition}/${offset}`)).size, codes, tickets, delivered: producer.stats().delivered }));
