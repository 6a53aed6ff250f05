// What a runtime has to bring.

import type { Dial } from './link.js';
import type { OnTicket } from './tickets.js';
import type { AnyOptions, CompiledModule, Message, ModuleSource } from './types.js';

export interface Platform {
  /**
   * The compiled module; the one with codecs, and all of the core, where that is asked for. What is given is taken in place
   * of what the runtime has, unless it is loaded already.
   */
  load(codecs: boolean, given?: ModuleSource | Promise<ModuleSource>): Promise<CompiledModule>;
  /** Are both modules at hand, so that there is no reason to do without the larger one? */
  hasAll?: boolean;
  /**
   * How connections are made, and who is told of a bridge's tickets; throws a KlammError where the options ask for what the
   * runtime has not.
   */
  dial(options: AnyOptions, told: OnTicket): Dial;
  /** Reads what the larger module hands back; see `returned.ts`. */
  returned?: (bytes: Uint8Array) => Message[];
  /** The most connections at once, where the runtime has a limit of its own. */
  maxConnections?: number;
}
