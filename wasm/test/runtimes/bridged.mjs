// For runtimes with a WebSocket of their own: through a bridge.

import { Producer } from 'klamm';

const [bridge, token, topic] = (globalThis.Deno?.args ?? process.argv.slice(2)).slice(0, 3);
const producer = new Producer({ bridge, token });
const messages = Array.from({ length: 1_000 }, (_, n) => ({ key: `${n % 10}`, value: `${n}` }));
const places = await producer.send({ topic, messages });
await producer.close();
console.log(`${new Set(places.map(({ partition, offset }) => `${partition}/${offset}`)).size}`);
