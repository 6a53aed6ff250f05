// The outbox in Node: over a file.

import { platform } from '../platform/node.js';
import type { Bytes } from '../types.js';
import { overFiles } from './files.js';
import { Outbox as Base } from './outbox.js';
import type { OutboxOptions } from './types.js';

export class Outbox<K = Bytes, V = Bytes> extends Base<K, V> {
  constructor(options: OutboxOptions<K, V>) {
    super(options, overFiles(platform));
  }
}

export * from './api.js';
