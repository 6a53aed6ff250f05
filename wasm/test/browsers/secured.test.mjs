// Three nodes of Apache Kafka that want TLS, a certificate of the client, and SASL: from each runtime that can have its
// own authority, by each mechanism, while the node that leads is killed and started again.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Producer } from 'klamm';
import { Kafka as KafkaJs } from 'klamm/kafkajs';

import { Authority } from './certificates.mjs';
import { checkProducer } from './checks.mjs';
import { Control } from './control.mjs';
import { Kafka } from './kafka.mjs';
import { inRuntime } from './subjects.mjs';

const PARTITIONS = 3;
const CALM = 100;
const USER = { username: 'station', password: 'p=ss,word' };

const dir = mkdtempSync(join(tmpdir(), 'klamm-secured-'));
const authority = new Authority(dir, 'authority');
const client = authority.certify('client', 'DNS:client');
/** As Node and Bun want it, and Deno. */
const tls = { ca: authority.pem, ...client };
const denoTls = { caCerts: [authority.pem], ...client };
const claim = (claims) => Buffer.from(JSON.stringify(claims)).toString('base64url');
const seconds = Math.floor(Date.now() / 1000);
const token = `${claim({ alg: 'none' })}.${claim({ sub: 'station', iat: seconds, exp: seconds + 3600 })}.`;
const oauth = { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: token }) };
const sasl = (mechanism, more = {}) => ({ mechanism, ...USER, ...more });

const RUNS = {
  'node-plain': { runtime: 'node', tls, sasl: sasl('plain') },
  'node-scram-sha-256': { runtime: 'node', tls, sasl: sasl('scram-sha-256'), worker: true },
  'node-scram-sha-512': { runtime: 'node', tls, sasl: sasl('scram-sha-512') },
  'bun-scram-sha-256': { runtime: 'bun', tls, sasl: sasl('scram-sha-256') },
  'deno-scram-sha-512': { runtime: 'deno', tls: denoTls, sasl: sasl('scram-sha-512') },
};

let kafka;
let control;
let hasFailed = true;
before(async () => {
  const broker = authority.certify('broker', 'IP:127.0.0.1');
  writeFileSync(join(dir, 'keystore.pem'), broker.key + broker.cert);
  const modules = 'org.apache.kafka.common.security';
  const listener = 'listener.name.proxied';
  kafka = await Kafka.nodes(3, {
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT,PROXIED:SASL_SSL',
    'log.message.timestamp.type': 'LogAppendTime',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(dir, 'keystore.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(dir, 'authority.pem'),
    [`${listener}.ssl.client.auth`]: 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${listener}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
    [`${listener}.oauthbearer.sasl.jaas.config`]: `${modules}.oauthbearer.OAuthBearerLoginModule required;`,
    // It believes what nobody has signed.
    [`${listener}.oauthbearer.sasl.server.callback.handler.class`]: `${modules}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`,
  });
  await kafka.user(USER.username, USER.password);
  control = await Control.start({});
});
after(async () => {
  control?.close();
  await kafka?.stop({ hasFailed });
  rmSync(dir, { recursive: true, force: true });
});

describe('TLS, certificates of both sides, SASL', { timeout: 600_000 }, () => {
  it('exactly once, while a node that leads is killed and started again', async () => {
    const runs = [];
    try {
      for (const [topic, { runtime, ...options }] of Object.entries(RUNS)) {
        await kafka.topic(topic, PARTITIONS);
        const run = await inRuntime(runtime, { options: { brokers: kafka.proxied, ...options }, topic, control: control.address });
        runs.push({ topic, ...run });
      }
      for (const run of runs) {
        await control.until(run.topic, 'delivered', ({ delivered }) => delivered > CALM);
        run.calm = control.newsOf(run.topic);
      }
      // Of each topic it leads a partition, and from there all that it led goes on.
      const leader = await kafka.leader(runs[0].topic, 0);
      await kafka.kill(leader);
      for (const { topic } of runs) {
        const { sent } = control.newsOf(topic);
        await control.until(topic, 'delivered what was sent meanwhile', ({ delivered }) => delivered > sent);
      }
      await kafka.start(leader);
      for (const run of runs) await checkProducer(run, { control, kafka });
      hasFailed = false;
    } finally {
      for (const { end } of runs) await end();
    }
  });

  it('OAUTHBEARER, also from a thread of its own', async () => {
    await kafka.topic('oauth', 1);
    for (const [offset, worker] of [false, true].entries()) {
      const producer = new Producer({ brokers: kafka.proxied, tls, sasl: oauth, worker });
      const [place] = await producer.send({ topic: 'oauth', messages: [{ value: 'x', timestamp: 1 }] });
      assert.equal(place.offset, BigInt(offset));
      assert(place.timestamp > 1_700_000_000_000, 'the broker’s time');
      await producer.close();
    }
  });

  it('by the API of KafkaJS', async () => {
    await kafka.topic('kafkajs', 1);
    const producer = new KafkaJs({ brokers: kafka.proxied.split(','), ssl: tls, sasl: sasl('scram-sha-512') }).producer();
    await producer.connect();
    const [place] = await producer.send({ topic: 'kafkajs', messages: [{ value: 'x' }] });
    assert.equal(place.baseOffset, '0');
    await producer.disconnect();
    const wrong = { brokers: kafka.proxied.split(','), ssl: tls, sasl: sasl('scram-sha-512', { password: 'no' }) };
    await assert.rejects(new KafkaJs({ ...wrong, logLevel: 0 }).producer().connect(), { name: 'KafkaJSSASLAuthenticationError' });
  });

  const secure = { tls, sasl: sasl('scram-sha-256') };
  const other = new Authority(dir, 'other');
  for (const [what, options, code, said] of [
    ['a wrong password, PLAIN', { sasl: sasl('plain', { password: 'no' }) }, 'SASL', /SASL_AUTHENTICATION_FAILED/],
    ['a wrong password, SCRAM', { sasl: sasl('scram-sha-512', { password: 'no' }) }, 'SASL', /SASL_AUTHENTICATION_FAILED/],
    ['an unknown user', { sasl: sasl('scram-sha-256', { username: 'nobody' }) }, 'SASL', /SASL_AUTHENTICATION_FAILED/],
    ['a token at its end', { sasl: { ...oauth, oauthBearerProvider: async () => ({ value: `${claim({ alg: 'none' })}.${claim({ sub: 'x', iat: 1, exp: 2 })}.` }) } }, 'SASL', /SASL_AUTHENTICATION_FAILED .*invalid_token/],
    ['a broker of another authority', { tls: { ...tls, ca: other.pem } }, 'CONNECTION', /certificate/],
    ['a broker of another name', { brokers: () => [kafka.proxied.split(',')[0].replace('127.0.0.1', 'localhost')] }, 'CONNECTION', /altnames/],
    ['a client without a certificate', { tls: { ca: authority.pem } }, 'CONNECTION', /certificate/],
    ['a client of another authority', { tls: { ...tls, ...other.certify('stranger', 'DNS:client') } }, 'CONNECTION', /certificate|unknown ca/],
  ]) {
    it(`${what} is told, and nothing is sent`, async () => {
      const producer = new Producer({ brokers: () => kafka.proxied.split(','), ...secure, ...options });
      const told = new Promise((resolve) => producer.on('disconnected', ({ error }) => error && resolve(error)));
      const sent = assert.rejects(producer.send({ topic: 'oauth', messages: [{ value: 'never' }] }), { code: 'PURGED', persisted: 'no' });
      const error = await told;
      await producer.close({ timeoutMs: 1 });
      await sent;
      assert.equal(error.code, code, error.message);
      assert.match(error.message, said);
    });
  }
});
