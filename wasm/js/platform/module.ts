// Compiles the module of one kind or the other, once.

import type { Platform } from '../platform.js';
import type { InitOptions, ModuleSource } from '../types.js';

/** Where the runtime has the module. */
type Source = () => ModuleSource | Promise<ModuleSource>;

/** For `Platform.load`: what is loaded once stays, and a failure is tried again. */
export function loader(...sources: [plain: Source, codecs: Source]): Platform['load'] {
  const loaded: (Promise<WebAssembly.Module> | undefined)[] = [];
  return (withCodecs, given) => {
    const kind = Number(withCodecs);
    return (loaded[kind] ??= compiled(given ?? sources[kind]!()).catch((error: unknown) => {
      loaded[kind] = undefined;
      throw error;
    }));
  };
}

/** For the entries' `init`. */
export async function preload(platform: Platform, { module, codecs = platform.hasAll === true }: InitOptions = {}): Promise<void> {
  await platform.load(codecs, module);
}

/** Browsers refuse to compile much at once on the main thread. */
export async function compiled(source: ModuleSource | Promise<ModuleSource>): Promise<WebAssembly.Module> {
  let got = await source;
  if (typeof got === 'string' || got instanceof URL) got = await fetch(got);
  // A `Response`; to ask for the class would have Node load all that belongs to it.
  if ('arrayBuffer' in got) {
    if (!got.ok) throw new Error(`${got.url}: ${got.status} ${got.statusText}`);
    got = await got.arrayBuffer();
  }
  return got instanceof WebAssembly.Module ? got : WebAssembly.compile(got as BufferSource);
}

/** A module as text. */
export function decode(base64: string): BufferSource {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
