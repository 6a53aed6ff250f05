// Compiles the module of one kind or the other, once.

import { once } from '../platform.js';

/** Gets the bytes or the compiled module. */
type Source = () => Promise<WebAssembly.Module | BufferSource> | WebAssembly.Module | BufferSource;

/** For `Platform.load`: what is loaded once stays. */
export function loader(plain: Source, codecs: Source): (withCodecs: boolean) => Promise<WebAssembly.Module> {
  const [loadPlain, loadCodecs] = [plain, codecs].map((source) => once(async () => compiled(await source()))) as [() => Promise<WebAssembly.Module>, () => Promise<WebAssembly.Module>];
  return (withCodecs) => (withCodecs ? loadCodecs() : loadPlain());
}

/** Browsers refuse to compile much at once on the main thread. */
function compiled(source: WebAssembly.Module | BufferSource): WebAssembly.Module | Promise<WebAssembly.Module> {
  return source instanceof WebAssembly.Module ? source : WebAssembly.compile(source);
}

/** A module as text. */
export function decode(base64: string): BufferSource {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
