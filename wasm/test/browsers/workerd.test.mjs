// Apache Kafka that wants TLS and SASL, from Cloudflare's runtime: what is secret there is `secureTransport` of
// `cloudflare:sockets`, which knows no certificate of the client, and believes whom the platform believes.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { Authority } from './certificates.mjs';
import { checkProducer } from './checks.mjs';
import { Control } from './control.mjs';
import { Kafka } from './kafka.mjs';

const CALM = 100;
const USER = { username: 'station', password: 'p=ss,word' };

const dir = mkdtempSync(join(tmpdir(), 'klamm-workerd-'));
const authority = new Authority(dir, 'authority');
// Read by Miniflare when it is loaded: whom workerd believes besides those that browsers do.
process.env.NODE_EXTRA_CA_CERTS = join(dir, 'authority.pem');
const { inRuntime } = await import('./subjects.mjs');

/** A node with a certificate of this authority. */
async function secured(by) {
  const broker = by.certify('broker', 'IP:127.0.0.1,DNS:127.0.0.1');
  const keystore = join(dir, `keystore-${broker.cert.length}.pem`);
  writeFileSync(keystore, broker.key + broker.cert);
  const modules = 'org.apache.kafka.common.security';
  const listener = 'listener.name.proxied';
  const kafka = await Kafka.nodes(1, {
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT,PROXIED:SASL_SSL',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': keystore,
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [`${listener}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`,
    [`${listener}.scram-sha-256.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
    [`${listener}.scram-sha-512.sasl.jaas.config`]: `${modules}.scram.ScramLoginModule required;`,
  });
  await kafka.user(USER.username, USER.password);
  return kafka;
}

let kafka;
let control;
let hasFailed = true;
before(async () => {
  kafka = await secured(authority);
  control = await Control.start({});
});
after(async () => {
  control?.close();
  await kafka?.stop({ hasFailed });
  rmSync(dir, { recursive: true, force: true });
});

describe('TLS and SASL in a Worker', { timeout: 120_000 }, () => {
  it('exactly once by each mechanism, while the broker is killed and started again', async () => {
    const runs = [];
    try {
      for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512']) {
        await kafka.topic(mechanism, 3);
        const options = { brokers: kafka.proxied, tls: true, sasl: { mechanism, ...USER } };
        runs.push({ topic: mechanism, ...(await inRuntime('workerd', { options, topic: mechanism, control: control.address })) });
      }
      for (const run of runs) {
        await control.until(run.topic, 'delivered', ({ delivered }) => delivered > CALM);
        run.calm = control.newsOf(run.topic);
      }
      await kafka.kill();
      await kafka.start();
      for (const run of runs) await checkProducer(run, { control, kafka });
      hasFailed = false;
    } finally {
      for (const { end } of runs) await end();
    }
  });

  for (const [what, more, said] of [
    ['a wrong password', { sasl: { mechanism: 'scram-sha-512', ...USER, password: 'no' } }, /"code":"SASL".*SASL_AUTHENTICATION_FAILED/],
    ['a broker of another name', { brokers: 'localhost' }, /"code":"CONNECTION"/],
    ['no TLS where there should be', { tls: false }, /"code":"PROTOCOL".*a frame of/],
  ]) {
    it(`${what} is told, and nothing is sent`, async () => {
      const [, port] = kafka.proxied.split(':');
      const { brokers = '127.0.0.1', ...rest } = more;
      const options = { brokers: `${brokers}:${port}`, tls: true, sasl: { mechanism: 'scram-sha-512', ...USER }, ...rest };
      const run = await inRuntime('workerd', { options, topic: 'never', control: 'refused' });
      try {
        assert.match(JSON.stringify(await run.done()), said);
      } finally {
        await run.end();
      }
    });
  }
});
