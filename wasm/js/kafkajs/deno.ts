// `klamm/kafkajs` in Deno.

import { platform } from '../platform/deno.js';
import { Kafka as Base } from './kafka.js';
import type { KafkaConfig } from './types.js';

export class Kafka extends Base {
  constructor(config: KafkaConfig) {
    super(config, platform);
  }
}

export * from './api.js';
