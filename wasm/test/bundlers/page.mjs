// A page's script, as a user writes it. Deno loads what bundlers made of it: it has what pages have, and sockets.

import { Producer } from 'klamm';

const { broker, topic, log } = globalThis.page;
const transport = ({ host, port }) => globalThis.Deno.connect({ hostname: host, port });
for (const compressionType of globalThis.page.codecs) {
  const producer = new Producer({ brokers: broker, transport, compressionType });
  const [place] = await producer.send({ topic, messages: [{ value: `by ${compressionType}` }] });
  await producer.close();
  log(`${place.offset}`);
}
