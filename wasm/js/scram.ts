// SCRAM (RFC 5802, RFC 7677) by the platform's cryptography.

import { KlammError } from './errors.js';
import type { Exchange } from './sasl.js';

/** Fewer are no protection, more would keep a small machine busy for a hostile broker. */
const ITERATIONS = [4_096, 100_000] as const;
const SALT_BYTES = 1_024;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

type Hash = 'SHA-256' | 'SHA-512';
type Plain = Uint8Array<ArrayBuffer>;

/** Proves the password, and has the broker prove that it knows it. */
export async function scram(hash: Hash, username: string, password: string, exchange: Exchange, nonce = makeNonce()): Promise<void> {
  const name = username.replaceAll('=', '=3D').replaceAll(',', '=2C');
  const first = `n=${name},r=${nonce}`;
  const challenge = fromUtf8.decode(await exchange(utf8.encode(`n,,${first}`)));
  const said = fields(challenge);
  const [theirs = '', salt = '', count = ''] = [said.get('r'), said.get('s'), said.get('i')];
  if (!theirs.startsWith(nonce) || theirs.length === nonce.length) throw broken('its nonce does not continue ours');
  const iterations = /^\d{1,10}$/.test(count) ? Number(count) : 0;
  if (iterations < ITERATIONS[0] || iterations > ITERATIONS[1]) throw broken(`${count} iterations, not ${ITERATIONS.join(' to ')}`);
  const salted = await derive(hash, password, bytes(salt), iterations);

  const clientKey = await hmac(hash, salted, 'Client Key');
  const storedKey = new Uint8Array(await crypto.subtle.digest(hash, clientKey));
  const last = `c=biws,r=${theirs}`;
  const message = `${first},${challenge},${last}`;
  const signature = await hmac(hash, storedKey, message);
  const proof = clientKey.map((byte, n) => byte ^ signature[n]!);
  const end = fields(fromUtf8.decode(await exchange(utf8.encode(`${last},p=${btoa(String.fromCharCode(...proof))}`))));

  const serverKey = await hmac(hash, salted, 'Server Key');
  const expected = await hmac(hash, serverKey, message);
  if (!isSame(expected, bytes(end.get('v') ?? ''))) throw broken('it does not know the password either');
}

function makeNonce(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(24))));
}

function fields(message: string): Map<string, string> {
  return new Map(message.split(',').map((field) => [field.slice(0, 1), field.slice(2)]));
}

function bytes(base64: string): Plain {
  let text;
  try {
    text = atob(base64);
  } catch {
    throw broken('bytes that are no base64');
  }
  if (text.length === 0 || text.length > SALT_BYTES) throw broken(`${text.length} bytes of salt or signature`);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

async function derive(hash: Hash, password: string, salt: Plain, iterations: number): Promise<Plain> {
  const key = await crypto.subtle.importKey('raw', utf8.encode(password.normalize('NFKC')), 'PBKDF2', false, ['deriveBits']);
  const bits = hash === 'SHA-256' ? 256 : 512;
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'PBKDF2', hash, salt, iterations }, key, bits));
}

async function hmac(hash: Hash, key: Plain, message: string): Promise<Plain> {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, utf8.encode(message)));
}

/** Takes as long for any difference. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  a.forEach((byte, n) => (difference |= byte ^ (b[n] ?? 0)));
  return difference === 0;
}

function broken(what: string): KlammError {
  return new KlammError('SASL', `SCRAM: the broker cannot be trusted: ${what}`);
}
