// KafkaJS. Idempotent it has one request in flight: more come out of order.

import { createRequire } from 'node:module';

import kafkajs from 'kafkajs';

export const { version } = createRequire(import.meta.url)('kafkajs/package.json');

export async function start({ bootstrap, topic, id, compression }) {
  if (compression !== 'none') throw new Error(`KafkaJS has no ${compression}`);
  const kafka = new kafkajs.Kafka({ brokers: bootstrap, clientId: id, logLevel: kafkajs.logLevel.ERROR });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  return {
    inFlight: 1,
    message: (value) => ({ value }),
    send: (messages) => producer.send({ topic, messages, acks: -1 }),
    close: () => producer.disconnect(),
  };
}
