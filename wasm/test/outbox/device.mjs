// An outbox on something that can be switched off at any step: around each call of its store, and around each piece of
// bytes that goes or comes.

import { setTimeout as sleep } from 'node:timers/promises';

import { Outbox } from '../../pkg/outbox/outbox.js';
import { platform } from '../../pkg/platform/node.js';

// The timers of a device that is dark ring on, and must not keep the process alive; the broker does while tests run.
const timer = globalThis.setTimeout;
globalThis.setTimeout = (...args) => timer(...args).unref();

/** What never comes. */
const never = new Promise(() => {});

export class Device {
  steps = 0;
  isDark = false;
  outbox;
  #fuse;
  #betweens;
  #store;
  #links = new Set();
  #wentDark;
  /** Resolves when it is switched off. */
  dark = new Promise((resolve) => (this.#wentDark = resolve));

  /** `store` stays when the power goes; `mutant` is a store around it that does something wrong. */
  constructor(store, options, { fuse = Infinity, betweens = Infinity, mutant = (inner) => inner } = {}) {
    this.#fuse = fuse;
    this.#betweens = betweens;
    this.#store = store;
    const device = this;
    const guarded = new Proxy(mutant(store, this), {
      get: (inner, name) => async (...args) => {
        // A slow disk: other things happen, and the power goes, before anything is safe.
        await device.step();
        await sleep(2);
        await device.step();
        const result = await inner[name](...args);
        await device.step();
        return result;
      },
    });
    this.outbox = new Outbox(options, {
      ...platform,
      dial: (given, told) => {
        const dial = platform.dial(given, told);
        return (address, events) => this.#dial(dial, address, events);
      },
      store: () => guarded,
      tabs: () => ({ lead: async () => {}, tell() {}, async close() {} }),
    });
  }

  /** Another one, which only mutants take: between two things that belong together. */
  between() {
    if (--this.#betweens === 0) this.switchOff();
    return this.isDark ? never : Promise.resolve();
  }

  /** Never resolves once it is dark. */
  step() {
    this.#burn();
    return this.isDark ? never : Promise.resolve();
  }

  #burn() {
    this.steps++;
    if (--this.#fuse === 0) this.switchOff();
  }

  switchOff() {
    if (this.isDark) return;
    this.isDark = true;
    for (const link of this.#links) link.close();
    this.#wentDark();
  }

  #dial(dial, address, events) {
    if (this.isDark) return { write: () => false, close() {}, end() {} };
    const told = (name) => (...args) => {
      this.#burn();
      if (!this.isDark) events[name](...args);
      this.#burn();
    };
    const link = dial(address, { open: told('open'), data: told('data'), drain: told('drain'), lost: told('lost') });
    this.#links.add(link);
    const alive = (act) => (...args) => !this.isDark && act(...args);
    return {
      close: alive(() => link.close()),
      end: alive(() => link.end()),
      write: (bytes) => {
        this.#burn();
        if (this.isDark) return false;
        const goesOn = link.write(bytes);
        this.#burn();
        return goesOn;
      },
    };
  }

  /** What is not done yet of what it asked of its disk is done, or not, when this resolves. */
  async settled() {
    this.switchOff();
    await this.#store.close();
  }
}
