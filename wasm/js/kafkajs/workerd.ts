// `klamm/kafkajs` in Cloudflare's Workers.

import { platform } from '../platform/workerd.js';
import { Kafka as Base } from './kafka.js';
import type { KafkaConfig } from './types.js';

export class Kafka extends Base {
  constructor(config: KafkaConfig) {
    super(config, platform);
  }
}

export * from './api.js';
