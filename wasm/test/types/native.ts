// The native types: compiled, never run.

import { json, Producer, text, type Message, type RecordMetadata } from 'klamm';

interface Reading {
  sensor: number;
  celsius: number;
}

const typed = new Producer<number, Reading>({
  brokers: ['localhost:9092'],
  serializers: { key: text, value: json },
  keyMaker: ({ value }) => value?.sensor,
  partitioner: ({ partitions, message }) => (message.value!.sensor > 5 ? partitions - 1 : undefined),
  lingerMs: 20,
  compressionType: 'gzip',
});
const places: Promise<RecordMetadata[]> = typed.send({ topic: 'readings', messages: [{ value: { sensor: 1, celsius: 21.5 } }] });
void places.then(([place]) => place!.offset! + 1n);
// @ts-expect-error a value is a reading
void typed.send({ topic: 'readings', messages: [{ value: 'text' }] });
// @ts-expect-error no such option
new Producer({ brokers: 'localhost:9092', linger: 5 });

const off: () => void = typed.on('failed', ({ error }) => error.persisted === 'unknown');
off();
const taken: boolean = typed.post('readings', { value: { sensor: 1, celsius: 2 } });
void taken;
const stream: WritableStream<Message<number, Reading> | readonly Message<number, Reading>[]> = typed.writable({ topic: 'readings' });
void stream;

export async function disposed(): Promise<void> {
  await using plain = new Producer({ bridge: 'wss://example.org', token: async () => 'token' });
  plain.post('t', { value: new Uint8Array(3), headers: { a: 'b', c: ['d', null] }, timestamp: new Date() });
}
