// `klamm/kafkajs` in browsers, through a bridge.

import { platform } from '../platform/browser.js';
import * as api from './api.js';
import { Kafka as Base } from './kafka.js';
import type { KafkaConfig } from './types.js';

export class Kafka extends Base {
  constructor(config: KafkaConfig) {
    super(config, platform);
  }
}

export * from './api.js';
// For `import kafkajs from`, which is how most of KafkaJS's names are imported in Node.
export default { ...api, Kafka };
