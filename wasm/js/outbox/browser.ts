// The outbox in web pages and workers: over IndexedDB, one sender among all tabs.

import { platform } from '../platform/browser.js';
import type { Bytes } from '../types.js';
import { IndexedDbStore } from './indexeddb.js';
import { Outbox as Base } from './outbox.js';
import { WebTabs } from './tabs.js';
import type { OutboxOptions } from './types.js';

export class Outbox<K = Bytes, V = Bytes> extends Base<K, V> {
  constructor(options: OutboxOptions<K, V>) {
    super(options, {
      ...platform,
      store: ({ name = 'klamm' }) => new IndexedDbStore(name),
      tabs: ({ name = 'klamm' }, hear) => new WebTabs(name, hear),
    });
  }
}

export * from './api.js';
