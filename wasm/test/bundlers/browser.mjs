// `deno run browser.mjs SCRIPT BROKER TOPIC CODECS`: loads a script as a page would.

const [script, broker, topic, codecs] = globalThis.Deno.args;
globalThis.page = { broker, topic, codecs: codecs.split(','), log: (text) => console.log(text) };
await import(script);
