// Initialises the module of one kind or the other; the glue beside it is what `wasm-bindgen` made.

import type { EngineModule } from '../engine.js';
import { once } from '../platform.js';

interface Glue {
  initSync(options: { module: WebAssembly.Module | BufferSource }): { memory: WebAssembly.Memory };
  Engine: unknown;
  Setup: unknown;
}

/** Gets the bytes or the compiled module. */
type Source = () => Promise<WebAssembly.Module | BufferSource> | WebAssembly.Module | BufferSource;

/** For `Platform.load`: what is loaded once stays. */
export function loader(plain: Source, codecs: Source): (withCodecs: boolean) => Promise<EngineModule> {
  const loadPlain = once(async () => ready((await import('../wasm/klamm.js')) as unknown as Glue, await plain()));
  const loadCodecs = once(async () => ready((await import('../wasm/klamm-codecs.js')) as unknown as Glue, await codecs()));
  return (withCodecs) => (withCodecs ? loadCodecs() : loadPlain());
}

async function ready(glue: Glue, source: WebAssembly.Module | BufferSource): Promise<EngineModule> {
  // Browsers refuse to compile much at once on the main thread.
  const module = source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source);
  const { memory } = glue.initSync({ module });
  return { memory, Engine: glue.Engine, Setup: glue.Setup } as EngineModule;
}

/** A module as text. */
export function decode(base64: string): BufferSource {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
