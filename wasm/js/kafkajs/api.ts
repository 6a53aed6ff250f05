// What every entry of `klamm/kafkajs` has besides its `Kafka`.

export * from './errors.js';
export { Partitioners } from './partitioners.js';
export type { FlushingProducer } from './producer.js';
export * from './types.js';
