// `klamm/kafkajs` in Node.

import { platform } from '../platform/node.js';
import { Kafka as Base } from './kafka.js';
import type { KafkaConfig } from './types.js';

export class Kafka extends Base {
  constructor(config: KafkaConfig) {
    super(config, platform);
  }
}

export * from './api.js';
