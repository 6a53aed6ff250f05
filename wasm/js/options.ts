// Options to the module's numbers. `src/options.rs` reads them in the same order.

import { KlammError } from './errors.js';
import type { AnyOptions } from './types.js';

/** Number 0 and up, with the smallest and the largest legal value where the core does not say. */
const NUMBERS = [
  'acks',
  'enableIdempotence',
  'lingerMs',
  'batchSize',
  'batchRecords',
  'maxRequestSize',
  'maxInFlightRequestsPerConnection',
  'retries',
  'retryBackoffMs',
  'retryBackoffMaxMs',
  'reconnectBackoffMs',
  'reconnectBackoffMaxMs',
  'requestTimeoutMs',
  'deliveryTimeoutMs',
  'socketConnectionSetupTimeoutMs',
  'socketConnectionSetupTimeoutMaxMs',
  'connectionsMaxIdleMs',
  'metadataMaxAgeMs',
  'allowAutoCreateTopics',
  'partitioner',
  'partitionerAvailabilityTimeoutMs',
  'singleAddress',
  'stopOnDataLoss',
  'compressionType',
  'bufferMemory',
  'maxTopics',
  'maxPartitions',
  'maxBrokers',
  'maxConnections',
] as const;
/** Not an option of programs: gzip is done outside of the module. */
const COMPRESS_OUTSIDE = NUMBERS.length;

/** Bounds of what the module's types are narrower for. */
const MAX: Partial<Record<string, number>> = {
  batchRecords: 65_535,
  maxInFlightRequestsPerConnection: 5,
  maxTopics: 65_535,
  maxPartitions: 65_535,
  maxBrokers: 255,
  maxConnections: 255,
  bufferMemory: 2 ** 31,
};

/** What is no number of the module. */
const OTHERS = [
  'brokers',
  'bridge',
  'token',
  'ticket',
  'webSocket',
  'clientId',
  'tls',
  'sasl',
  'transport',
  'serializers',
  'keyMaker',
  'codecs',
  'maxBlockMs',
  'maxQueuedBytes',
];

const PARTITIONERS = [
  'java',
  'java_adaptive',
  'sticky',
  'adaptive',
  'few_connections',
  'murmur2',
  'murmur2_random',
  'consistent',
  'consistent_random',
  'crc32',
  'fnv1a',
  'fnv1a_random',
  'random',
  'round_robin',
];

/** Those that the plain module has. */
const PLAIN_PARTITIONERS = 2;

/** As in Kafka's attributes. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4'];

/** Java's names of what is called otherwise here. */
const ALIASES: Record<string, string> = { bootstrapServers: 'brokers', maxBlock: 'maxBlockMs' };

type Options = AnyOptions;

/** `'linger.ms'` as `lingerMs`. */
export function normalize<T extends object>(given: T): T {
  const options: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    let known = name.replace(/\.([a-z])/g, (_, letter: string) => letter.toUpperCase());
    known = ALIASES[known] ?? known;
    if (!(NUMBERS as readonly string[]).includes(known) && !OTHERS.includes(known)) {
      throw new KlammError('CONFIG', `unknown option ${name}`);
    }
    options[known] = value;
  }
  return options as T;
}

/** Pairs of a number and a value. */
export function pairs(options: Options, compressOutside: boolean): number[] {
  const result: number[] = [];
  NUMBERS.forEach((name, number) => {
    const given = options[name];
    if (given === undefined || typeof given === 'function') return;
    result.push(number, value(name, given));
  });
  if (compressOutside) result.push(COMPRESS_OUTSIDE, 1);
  const timeout = options.requestTimeoutMs ?? 30_000;
  // As in Java: the default gives way, what was asked for does not.
  const least = (options.lingerMs ?? 5) + timeout;
  if (options.deliveryTimeoutMs === undefined && least > 120_000) {
    result.push(NUMBERS.indexOf('deliveryTimeoutMs'), Math.min(least, 0xffff_ffff));
  }
  return result;
}

/** Is there something that only the larger module has? */
export function isBeyondPlain({ compressionType = 'none', acks, partitioner }: Options): boolean {
  return compressionType !== 'none' || acks === 0 || (typeof partitioner === 'string' && PARTITIONERS.indexOf(partitioner) >= PLAIN_PARTITIONERS);
}

function value(name: (typeof NUMBERS)[number], given: NonNullable<Options[keyof Options]>): number {
  switch (name) {
    case 'acks':
      return choice(name, given, [0, 1, 'all', -1]) === 3 ? 2 : choice(name, given, [0, 1, 'all', -1]);
    case 'enableIdempotence':
    case 'allowAutoCreateTopics':
    case 'singleAddress':
    case 'stopOnDataLoss':
      return choice(name, given, [false, true]);
    case 'partitioner':
      return choice(name, given, PARTITIONERS);
    case 'compressionType':
      return choice(name, given, CODECS);
    default: {
      const max = MAX[name] ?? 0xffff_ffff;
      // Java's largest numbers, and Infinity, say "for ever".
      if (given === Infinity && max === 0xffff_ffff) return max;
      if (typeof given !== 'number' || !Number.isInteger(given) || given < 0 || given > max) {
        throw new KlammError('CONFIG', `${name}: ${String(given)} is no whole number from 0 to ${max}`);
      }
      return name === 'retries' && given >= 0x7fff_ffff ? max : given;
    }
  }
}

function choice(name: string, given: unknown, legal: readonly unknown[]): number {
  const index = legal.indexOf(given);
  if (index < 0) throw new KlammError('CONFIG', `${name}: ${String(given)} is none of ${legal.join(', ')}`);
  return index;
}

/** The module's words about a setup that it refused, as in `status.rs`. */
export function setupError(status: number, min: number, max: number, option: string, other: string): KlammError {
  const name = option.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const texts: Record<number, string> = {
    1: 'brokers: expected host:port',
    2: `${name}: longer than ${max} bytes`,
    3: `${name}: not in ${min} to ${max}`,
    4: `${name} conflicts with ${other.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())}`,
    5: 'compressionType: not in this module',
    6: `bufferMemory: too little for ${name}, which needs at least ${min}`,
  };
  return new KlammError('CONFIG', texts[status] ?? `options refused (${status})`);
}
