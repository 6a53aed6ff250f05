// Stores and sends until it is killed, or has stored `count` messages; then it waits until all are delivered. Says what
// was stored, and what was delivered, line by line.

import { writeSync } from 'node:fs';

import { Outbox } from 'klamm/outbox';

const [brokers, topic, directory, run, count] = globalThis.Deno?.args ?? process.argv.slice(2);
const say = (...words) => writeSync(1, `${words.join(' ')}\n`);

const outbox = new Outbox({ brokers, directory, requestTimeoutMs: 2_000, batchSize: 2_048 });
outbox.on('error', (error) => say('error', error.code, error.message));
outbox.on('failed', ({ error }) => say('failed', error.message));
outbox.on('possiblyDuplicated', ({ number }) => say('doubtful', number));

say('begin');
for (let n = 0; n < Number(count); ) {
  const messages = [];
  for (let size = 1 + Math.floor(Math.random() * 30); size > 0; size--) {
    // Greater than all of the run before.
    const value = `${Number(run) * 1_000_000 + n++}`;
    messages.push({ key: `${n % 7}`, value: value.padEnd(60) });
  }
  say('sent', ...messages.map(({ value }) => value.trim()));
  await outbox.send({ topic, messages });
  say('stored', ...messages.map(({ value }) => value.trim()));
  if (Math.random() < 0.3) await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
}
await outbox.flush();
say('flushed', (await outbox.usage()).records);
await outbox.close();
say('closed');
