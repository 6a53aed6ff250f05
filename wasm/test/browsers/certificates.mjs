// Certificates that are believed in a test alone, by openssl.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

/** An authority with its files in a directory. */
export class Authority {
  #dir;
  #name;
  /** Its own certificate, in PEM. */
  pem;

  constructor(dir, name) {
    this.#dir = dir;
    this.#name = name;
    openssl('req', '-x509', ...EC, '-subj', `/CN=${name}`, '-keyout', this.#file('key'), '-out', this.#file('pem'));
    this.pem = readFileSync(this.#file('pem'), 'utf8');
  }

  #file = (ending) => join(this.#dir, `${this.#name}.${ending}`);

  /** A certificate for an address or a name (`IP:127.0.0.1`, `DNS:example.org`), and its key, in PEM. */
  certify(name, subject) {
    const file = (ending) => join(this.#dir, `${name}.${ending}`);
    openssl('req', ...EC, '-subj', `/CN=${name}`, '-keyout', file('key'), '-out', file('csr'));
    writeFileSync(file('ext'), `subjectAltName=${subject}\n`);
    openssl('x509', '-req', '-days', '2', '-in', file('csr'), '-CA', this.#file('pem'), '-CAkey', this.#file('key'), '-CAcreateserial', '-extfile', file('ext'), '-out', file('pem'));
    return { cert: readFileSync(file('pem'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
  }
}
