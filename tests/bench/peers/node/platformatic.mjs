// @platformatic/kafka. Idempotent it has one call in flight: of more some fail with OUT_OF_ORDER_SEQUENCE_NUMBER. With
// `mode=at-least-once` it is not idempotent, and has five.

import { readFileSync } from 'node:fs';

import { ProduceAcks, Producer } from '@platformatic/kafka';

// It does not export its package.json.
export const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.resolve('@platformatic/kafka'))));

export async function start({ bootstrap, topic, id, compression, mode }) {
  const idempotent = mode === '';
  const producer = new Producer({ clientId: id, bootstrapBrokers: bootstrap, idempotent, acks: ProduceAcks.ALL, compression });
  return {
    inFlight: idempotent ? 1 : 5,
    message: (value) => ({ topic, value }),
    send: (messages) => producer.send({ messages }),
    close: () => producer.close(),
  };
}
