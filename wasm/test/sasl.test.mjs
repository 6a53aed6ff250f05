// SASL against a broker that speaks nothing else.

import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';

import { Producer } from 'klamm';

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

/** A server of SCRAM-SHA-256, wrong in the ways that `faults` names. */
function scram(password, faults) {
  const salted = pbkdf2Sync(password, SALT, faults.iterations ?? 4096, 32, 'sha256');
  let first;
  let challenge;
  return (bytes) => {
    const text = bytes.toString();
    if (challenge === undefined) {
      first = text.slice(3);
      const nonce = /r=(.*)$/.exec(text)[1];
      challenge = `r=${faults.nonce ?? `${nonce}more`},s=${SALT.toString('base64')},i=${faults.iterations ?? 4096}`;
      return Buffer.from(challenge);
    }
    const [, without, proof] = /^(.*),p=(.*)$/.exec(text);
    const message = `${first},${challenge},${without}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    if (!Buffer.from(proof, 'base64').equals(Buffer.from(clientKey.map((byte, n) => byte ^ signature[n])))) return undefined;
    const server = hmac(hmac(salted, 'Server Key'), message);
    if (faults.signature) server[0] ^= 1;
    return Buffer.from(`v=${server.toString('base64')}`);
  };
}

/** What becomes of a connection: 'ready' if the core speaks, else the error. */
async function outcome(sasl, answer, options = {}) {
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    let ready;
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const frame = received.subarray(4, 4 + received.readInt32BE(0));
        received = received.subarray(4 + frame.length);
        const [api, correlation] = [frame.readInt16BE(0), frame.readInt32BE(4)];
        const body = frame.subarray(10 + frame.readInt16BE(8));
        if (api === 18) return server.emit('ready');
        const head = Buffer.alloc(8);
        head.writeInt32BE(correlation, 4);
        let rest;
        if (api === 17) {
          ready = answer();
          rest = Buffer.from([0, 0, 0, 0, 0, 0]);
        } else {
          const said = ready(body.subarray(4));
          const code = Buffer.alloc(2);
          code.writeInt16BE(said === undefined ? 58 : 0);
          const length = Buffer.alloc(4);
          length.writeInt32BE(said?.length ?? 0);
          rest = Buffer.concat([code, Buffer.from([255, 255]), length, said ?? Buffer.alloc(0)]);
        }
        head.writeInt32BE(4 + rest.length, 0);
        socket.write(Buffer.concat([head, rest]));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const producer = new Producer({ brokers: `127.0.0.1:${server.address().port}`, sasl, ...options });
  const sent = producer.send({ topic: 't', messages: [{ value: 'x' }] }).catch(() => {});
  const error = new Promise((resolve) => producer.on('disconnected', ({ error }) => error && resolve(error.message)));
  try {
    return await Promise.race([once(server, 'ready').then(() => 'ready'), error]);
  } finally {
    await producer.close({ timeoutMs: 1 });
    await sent;
    server.close();
  }
}

const user = (mechanism, more = {}) => ({ mechanism, username: 'us=er,', password: 'pencil', ...more });

describe('SASL', () => {
  it('SCRAM: both sides prove that they know the password', async () => {
    assert.equal(await outcome(user('scram-sha-256'), () => scram('pencil', {})), 'ready');
  });

  for (const [what, password, faults, message] of [
    ['a wrong password', 'pen', {}, /SASL_AUTHENTICATION_FAILED/],
    ['a broker that does not know the password', 'pencil', { signature: true }, /does not know the password/],
    ['few iterations', 'pencil', { iterations: 4095 }, /4095 iterations/],
    ['many iterations', 'pencil', { iterations: 100_001 }, /100001 iterations/],
    ['another nonce', 'pencil', { nonce: 'other' }, /nonce/],
  ]) {
    it(`SCRAM: ${what}`, async () => {
      assert.match(await outcome(user('scram-sha-256'), () => scram(password, faults)), message);
    });
  }

  it('OAUTHBEARER: a token that is refused, and why', async () => {
    const said = [];
    const refusing = (code) => () => (bytes) => {
      said.push(bytes.toString());
      if (said.length % 2 === 1) return Buffer.from('{"status":"invalid_token"}');
      return code;
    };
    const oauth = { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 'token' }), dangerouslyAllowPlaintext: true };
    assert.match(await outcome(oauth, refusing(undefined)), /SASL_AUTHENTICATION_FAILED/);
    assert.match(await outcome(oauth, refusing(Buffer.alloc(0))), /token refused: \{"status":"invalid_token"\}/);
    assert.deepEqual(said.slice(0, 2), ['n,,\x01auth=Bearer token\x01\x01', '\x01']);
  });

  it('OAUTHBEARER: a token that is taken', async () => {
    const oauth = { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: 'token' }), dangerouslyAllowPlaintext: true };
    for (const worker of [false, true]) {
      assert.equal(await outcome(oauth, () => () => Buffer.alloc(0), { worker }), 'ready');
    }
  });

  it('PLAIN, where it may show the password', async () => {
    let said;
    const plain = () => (bytes) => ((said = bytes.toString()), Buffer.alloc(0));
    assert.equal(await outcome(user('plain', { dangerouslyAllowPlaintext: true }), plain), 'ready');
    assert.equal(said, '\0us=er,\0pencil');
  });
});
