// `deno run browser.mjs SCRIPT BROKER TOPIC CODECS`: loads a script as a page would.

const [script, broker, topic, codecs] = globalThis.Deno.args;
// As much of a document as Vite's loader of chunks asks for: links that are there, and preloading that works.
globalThis.document = {
  createElement: () => ({ relList: { supports: () => true } }),
  getElementsByTagName: () => [],
  querySelector: () => ({}),
};
globalThis.page = { broker, topic, codecs: codecs.split(','), log: (text) => console.log(text) };
await import(script);
