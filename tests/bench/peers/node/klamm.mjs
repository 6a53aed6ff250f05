// klamm: by `send`, with a place in the log for each message; with `mode=post` by a call a record, and events.

import { createRequire } from 'node:module';

import { Producer } from 'klamm';

export const { version } = createRequire(import.meta.url)('klamm/package.json');

export async function start({ bootstrap, topic, id, linger, compression, mode }) {
  const producer = new Producer({ brokers: bootstrap, clientId: id, lingerMs: linger, compressionType: compression, acks: 'all', enableIdempotence: true });
  await producer.connect();
  const client = {
    inFlight: 5,
    message: (value) => ({ value }),
    send: (messages) => producer.send({ topic, messages }),
    close: () => producer.close(),
  };
  if (mode !== 'post') return client;
  let tally;
  producer.on('delivered', ({ count }) => (tally.acked += count));
  producer.on('failed', ({ count }) => (tally.failed += count));
  const post = async (records, message, its) => {
    tally = its;
    for (let n = 0; n < records; n++) {
      if (!producer.post(topic, message())) await producer.ready();
    }
    await producer.flush();
  };
  return { ...client, post };
}
