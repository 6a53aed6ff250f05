// As somebody new meets the package: its tarball is installed into an empty folder, and what README.md shows is run there,
// or compiled.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Miniflare } from 'miniflare';

import { Broker } from './broker.mjs';
import { installed } from './installed.mjs';
import { bundled } from './runtimes/workerd.mjs';

const wasm = join(import.meta.dirname, '..');
const bin = (name) => join(wasm, 'node_modules/.bin', name);
const readme = readFileSync(join(wasm, 'README.md'), 'utf8');
/** The examples, by their first line that is no import. */
const examples = [...readme.matchAll(/```(js|ts)\n([\s\S]*?)```/g)].map(([, language, code]) => ({ language, code }));
const example = (words) => {
  const found = examples.filter(({ code }) => code.includes(words));
  assert.equal(found.length, 1, `one example has ${words}`);
  return found[0].code;
};
/** What the examples leave to the reader, or say once. */
const GIVEN = `
interface Reading { sensor: number }
interface Env { BROKERS: string }
declare const topic: string, key: string, value: string, user: string, partition: number, timestamp: number;
declare const bytes: Uint8Array, readable: ReadableStream<{ value: string }>;
declare const { Producer, json, text }: typeof import('klamm');
declare const producer: import('klamm').Producer;
`;
/** And what has no example: `Message` has a `Buffer` where there is one, `send` takes any bytes. */
const KAFKAJS = `
import { Kafka, type Message } from 'klamm/kafkajs';
void new Kafka({ brokers: ['localhost:9092'] }).producer().send({ topic: 't', messages: [{ value: new Uint8Array(1) }] });
export const message: Message = { value: Buffer.from('v') };
`;

let broker;
let dir;
before(async () => {
  broker = await Broker.start({ readings: 3, hits: 1 });
  dir = installed();
});
after(async () => {
  rmSync(dir, { recursive: true, force: true });
  await broker.stop();
});

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: dir, encoding: 'utf8', timeout: 600_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

const file = (name, code) => {
  writeFileSync(join(dir, name), code);
  return name;
};

describe('what README.md shows, of the installed tarball', { timeout: 600_000 }, () => {
  for (const [runtime, command, args] of [
    ['Node', process.execPath, ['first.mjs']],
    ['Node, by require', process.execPath, ['first.cjs']],
    ['Bun', bin('bun'), ['run', 'first.mjs']],
    ['Deno', bin('deno'), ['run', '--allow-net', '--allow-read', '--no-prompt', 'first.mjs']],
  ]) {
    it(`the first example, in ${runtime}`, () => {
      const first = example('place.partition, place.offset').replace('localhost:9092', broker.address);
      const commonJs = first.replace(/import (.*) from '(.*)';/, "const $1 = require('$2');");
      file('first.mjs', first);
      file('first.cjs', `(async () => {\n${commonJs}\n})();\n`);
      assert.match(run(command, args), /^[0-2] \d+n\n$/);
    });
  }

  it('the one for Workers', async () => {
    const code = example('export default').replace(', tls: true', '');
    const worker = await bundled({ stdin: { contents: code, loader: 'ts', resolveDir: dir } });
    const miniflare = new Miniflare({ ...worker, bindings: { BROKERS: broker.address } });
    try {
      const response = await miniflare.dispatchFetch('http://example.org/some-page');
      assert.equal(await response.text(), '"0"');
    } finally {
      await miniflare.dispose();
    }
    assert.equal(`${broker.read('hits')[0].value}`, 'http://example.org/some-page');
  });

  it('the outbox over a directory', () => {
    const directory = join(dir, 'outbox');
    const code = example('/var/lib/readings').replace('localhost:9092', broker.address).replace('/var/lib/readings', directory);
    for (const command of [process.execPath, bin('bun'), bin('deno')]) {
      const args = command === process.execPath ? [] : ['run'];
      if (command === bin('deno')) args.push('--allow-all');
      assert.match(run(command, [...args, file('outbox.mjs', code)]), /topic: "?'?readings'?"?,[\s\S]*offset: \d+n/);
    }
  });

  it('all of them have the types that they should have', () => {
    const strict = { module: 'nodenext', target: 'es2022', strict: true, noEmit: true, skipLibCheck: false };
    const page = { ...strict, lib: ['es2022', 'esnext.disposable', 'dom', 'dom.asynciterable'], types: [] };
    for (const [name, options] of Object.entries({
      nodenext: page,
      bundler: { ...page, module: 'esnext', moduleResolution: 'bundler', customConditions: ['browser'] },
      // What Node has, and nothing of pages.
      node: { ...strict, lib: ['es2023'], types: ['node'], typeRoots: [join(wasm, 'node_modules/@types')] },
    })) {
      const folder = join(dir, name);
      mkdirSync(folder);
      writeFileSync(join(folder, 'given.d.ts'), GIVEN);
      writeFileSync(join(folder, 'kafkajs.ts'), options.types.includes('node') ? KAFKAJS : KAFKAJS.replace("Buffer.from('v')", 'new Uint8Array(1)'));
      examples.forEach(({ code }, n) => writeFileSync(join(folder, `${n}.ts`), `${code}\nexport {};\n`));
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
      const { status, stdout } = spawnSync(process.execPath, [join(wasm, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' });
      assert.equal(status, 0, `${name}: ${stdout}`);
    }
  });
});
