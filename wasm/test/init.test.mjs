// Loading the module: once, on request or with the first message, from where the program says.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { init, Producer } from 'klamm';

import { loader } from '../pkg/platform/module.js';
import { Broker } from './broker.mjs';

const bytes = readFileSync(join(import.meta.dirname, '../pkg/klamm-codecs.wasm'));

let broker;
let compiled = 0;
const { compile } = WebAssembly;
before(async () => {
  broker = await Broker.start({ init: 1 });
  WebAssembly.compile = (...args) => (compiled++, compile(...args));
});
after(async () => {
  WebAssembly.compile = compile;
  await broker.stop();
});

describe('init', () => {
  it('is needed by nobody, is enough once, and a failure is not for ever', async () => {
    await assert.rejects(init({ module: new Uint8Array([1, 2, 3]) }), WebAssembly.CompileError);
    await Promise.all([init(), init(), init({ module: bytes })]);
    await init();
    assert.equal(compiled, 2, 'the wrong one, and the right one');
    const producers = [1, 2].map(() => new Producer({ brokers: broker.address }));
    await Promise.all(producers.map((producer) => producer.send({ topic: 'init', messages: [{ value: 'x' }] })));
    await Promise.all(producers.map((producer) => producer.close()));
    assert.equal(compiled, 2);
    assert.equal(broker.read('init').length, 2);
  });
});

describe('where the module comes from', () => {
  const never = () => assert.fail('asked for the package’s own');
  const exported = (module) => WebAssembly.Module.exports(module).length;
  const server = createServer(({ url }, response) => {
    if (url === '/there.wasm') response.writeHead(200, { 'content-type': 'application/wasm' }).end(bytes);
    else response.writeHead(404).end();
  });
  let address;
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    address = `http://127.0.0.1:${server.address().port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  it('everything that is one will do', async () => {
    const module = await WebAssembly.compile(bytes);
    for (const given of [`${address}/there.wasm`, new URL('/there.wasm', address), fetch(`${address}/there.wasm`), bytes, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), module, Promise.resolve(module)]) {
      assert.equal(exported(await loader(never, never)(true, given)), exported(module));
    }
  });

  it('an address where there is none is told', async () => {
    await assert.rejects(loader(never, never)(false, `${address}/elsewhere.wasm`), /elsewhere\.wasm: 404/);
  });

  it('each kind is loaded for itself, once, and again after a failure', async () => {
    let tries = 0;
    const load = loader(
      () => (tries++ === 0 ? Promise.reject(new Error('offline')) : bytes),
      () => bytes,
    );
    await assert.rejects(load(false), /offline/);
    const [one, two, larger] = await Promise.all([load(false), load(false), load(true)]);
    assert.equal(one, two);
    assert.notEqual(one, larger);
    assert.equal(tries, 2);
    assert.equal(await load(true, Promise.resolve(one)), larger);
  });
});
