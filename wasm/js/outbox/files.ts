// The outbox over a file, wherever there is node:fs.

import type { Platform } from '../platform.js';
import { FileStore } from './file.js';
import { lock } from './lock.js';
import type { OutboxPlatform } from './outbox.js';
import type { Tabs } from './tabs.js';

const DIRECTORY = 'klamm-outbox';

export function overFiles(platform: Platform): OutboxPlatform {
  // One of both for each outbox, made one after the other in its constructor.
  let store: LockedStore;
  return {
    ...platform,
    store: ({ directory = DIRECTORY }) => (store = new LockedStore(directory)),
    tabs: () => new Process(store),
  };
}

/** Not to be read before this process has the directory. */
class LockedStore extends FileStore {
  readonly #locked: Promise<() => Promise<void>>;

  constructor(directory: string) {
    super(directory);
    this.#locked = lock(directory).then((release) => {
      this.open();
      return release;
    });
    this.#locked.catch(() => {});
  }

  get locked(): Promise<unknown> {
    return this.#locked;
  }

  protected override async ready(): Promise<void> {
    await this.#locked;
  }

  override async close(): Promise<void> {
    const release = await this.#locked.catch(() => undefined);
    await super.close();
    await release?.();
  }
}

/** Nobody else is there to talk to. */
class Process implements Tabs {
  readonly #store: LockedStore;

  constructor(store: LockedStore) {
    this.#store = store;
  }

  async lead(): Promise<void> {
    await this.#store.locked;
  }

  tell(): void {}

  async close(): Promise<void> {}
}
