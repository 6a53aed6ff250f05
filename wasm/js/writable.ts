// A WritableStream over a producer: back-pressure by the number of messages without an outcome.

import type { Producer } from './producer.js';
import type { Message } from './types.js';

export interface WritableOptions {
  topic: string;
  /** Messages without an outcome, at most. Default 10,000. */
  highWaterMark?: number;
}

/** The stream fails with the first message that is not delivered. */
export function writable<K, V>(producer: Producer<K, V>, { topic, highWaterMark = 10_000 }: WritableOptions): WritableStream<Message<K, V> | readonly Message<K, V>[]> {
  let open = 0;
  let wake: (() => void) | undefined;
  let failure: unknown;
  const settle = (count: number, error?: unknown): void => {
    open -= count;
    failure ??= error;
    wake?.();
  };
  const until = async (isOver: () => boolean): Promise<void> => {
    while (failure === undefined && !isOver()) await new Promise<void>((resolve) => (wake = resolve));
    if (failure !== undefined) throw failure;
  };
  return new WritableStream({
    async write(chunk, controller) {
      const messages = (Array.isArray(chunk) ? chunk : [chunk]) as readonly Message<K, V>[];
      open += messages.length;
      producer.send({ topic, messages }).then(
        () => settle(messages.length),
        (error: unknown) => {
          settle(messages.length, error);
          controller.error(error);
        },
      );
      await until(() => open < highWaterMark);
    },
    async close() {
      producer.flush().catch(() => {});
      await until(() => open === 0);
    },
  });
}
