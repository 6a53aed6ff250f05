// What a runtime has to bring.

import type { Dial } from './link.js';
import type { OnTicket } from './tickets.js';
import type { AnyOptions } from './types.js';

export interface Platform {
  /** The compiled module; the one with codecs, and all of the core, where that is asked for. */
  load(codecs: boolean): Promise<WebAssembly.Module>;
  /** Are both modules at hand, so that there is no reason to do without the larger one? */
  hasAll?: boolean;
  /**
   * How connections are made, and who is told of a bridge's tickets; throws a KlammError where the options ask for what the
   * runtime has not.
   */
  dial(options: AnyOptions, told: OnTicket): Dial;
  /** The most connections at once, where the runtime has a limit of its own. */
  maxConnections?: number;
}

/** Does it once; a failure is tried again. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () =>
    (made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
}
