// KafkaJS's partitioners.

import type { ICustomPartitioner, PartitionerArgs } from './types.js';

const SEED = 0x9747b28c;
const M = 0x5bd1e995;

type Multiply = (a: number, b: number) => number;

/** Murmur2 as Java has it. */
const exact: Multiply = Math.imul;
/** As KafkaJS had it before 2.0: products lose their low bits, and keys their partitions if that were repaired. */
const legacy: Multiply = (a, b) => a * b;

function murmur2(key: Uint8Array, multiply: Multiply): number {
  const word = (at: number, bytes: number): number => {
    let sum = 0;
    for (let n = 0; n < bytes; n++) sum += (key[at + n] ?? 0) << (8 * n);
    return sum;
  };
  const rest = key.length % 4;
  // The legacy function takes the bytes that are left over for a word, too, and then once more for themselves.
  const words = multiply === exact ? Math.floor(key.length / 4) : Math.ceil(key.length / 4);
  let hash: number = SEED ^ key.length;
  for (let n = 0; n < words; n++) {
    let k = multiply(word(4 * n, 4), M);
    k ^= k >>> 24;
    hash = multiply(hash, M) ^ multiply(k, M);
  }
  if (rest > 0) hash = multiply(hash ^ word(key.length - rest, rest), M);
  hash ^= hash >>> 13;
  hash = multiply(hash, M);
  return hash ^ (hash >>> 15);
}

function partitioner(multiply: Multiply): ICustomPartitioner {
  return () => {
    const turns = new Map<string, number>();
    return ({ topic, partitionMetadata, message }: PartitionerArgs): number => {
      const { partition, key } = message as { partition?: number | null; key?: Uint8Array | string | null };
      if (partition !== null && partition !== undefined) return partition;
      if (key !== null && key !== undefined) {
        const bytes = key instanceof Uint8Array ? key : new TextEncoder().encode(String(key));
        return (murmur2(bytes, multiply) & 0x7fff_ffff) % partitionMetadata.length;
      }
      const turn = turns.get(topic) ?? Math.floor(Math.random() * 0x7fff_ffff);
      turns.set(topic, (turn + 1) % 0x7fff_ffff);
      const available = partitionMetadata.filter(({ leader }) => leader >= 0);
      const among = available.length > 0 ? available : partitionMetadata;
      return among[turn % among.length]!.partitionId;
    };
  };
}

/** Keys as in Java; messages without one by turns. klamm's core does it, unless it is called by a partitioner. */
const DefaultPartitioner = partitioner(exact);
const LegacyPartitioner = partitioner(legacy);

export const Partitioners = {
  DefaultPartitioner,
  LegacyPartitioner,
  /** @deprecated Use DefaultPartitioner. */
  JavaCompatiblePartitioner: DefaultPartitioner,
};
