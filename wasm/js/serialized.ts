// A message's key and value as they are sent.

import { KlammError } from './errors.js';
import { plain, type Plain } from './staging.js';
import type { AnyOptions, Bytes, Message } from './types.js';

/**
 * @throws KlammError of a message that is none, and what a program's functions throw.
 */
export function serialized(message: Message, topic: string, { keyMaker, serializers }: AnyOptions): [key: Plain, value: Plain] {
  let key: unknown = message.key;
  if (key === undefined && keyMaker !== undefined) key = keyMaker(message, topic);
  if (key !== null && key !== undefined && serializers?.key !== undefined) key = serializers.key(key, topic);
  let value: unknown = message.value;
  if (value === undefined) throw new KlammError('INVALID_MESSAGE', `message of topic ${topic} without a value: null is one`, { topic });
  if (value !== null && serializers?.value !== undefined) value = serializers.value(value, topic);
  return [plain(key as Bytes | null, 'key'), plain(value as Bytes | null, 'value')];
}

/** @throws KlammError of what is no number of a partition. */
export function checkPartition(partition: number | undefined, topic: string): void {
  if (partition !== undefined && !(Number.isInteger(partition) && partition >= 0 && partition < 2 ** 31)) {
    throw new KlammError('NO_SUCH_PARTITION', `topic ${topic}: ${String(partition)} is no partition`, { topic });
  }
}

/** What is thrown, as an error about a message of the topic. */
export function asMessageError(error: unknown, topic: string): KlammError {
  return error instanceof KlammError ? error : new KlammError('INVALID_MESSAGE', `message of topic ${topic}: ${String(error)}`, { topic, cause: error });
}
