// The npm package, as the bridge serves it at `pkg/`, with the wire that can be cut.

import type { Transport } from './wire.ts';

/** Bytes of a batch: small, so that there are many to look at. */
export const BATCH_SIZE = 1_024;

interface Options {
  brokers: string;
  transport: (address: { host: string; port: number }, signal: AbortSignal) => Promise<Transport>;
  clientId: string;
  [option: string]: unknown;
}

/** As much of it as the page needs. */
export interface Producer {
  connect(): Promise<void>;
  send(call: { topic: string; messages: { partition: number; value: string }[] }): Promise<unknown>;
  on(event: 'connected' | 'disconnected', heard: (event: { broker: string }) => void): unknown;
  stats(): { epochBumps: number; retries: number; connects: number };
}

interface Package {
  Producer: new (options: Options) => Producer;
}

export async function produce(transport: Options['transport']): Promise<Producer> {
  const url = new URL('pkg/platform/browser.js', document.baseURI);
  const { Producer } = (await import(url.href)) as Package;
  const producer = new Producer({
    brokers: 'bootstrap:1',
    transport,
    clientId: 'klamm-demo',
    lingerMs: 60,
    batchSize: BATCH_SIZE,
    bufferMemory: 2 ** 20,
    requestTimeoutMs: 3_000,
    deliveryTimeoutMs: 120_000,
    reconnectBackoffMs: 100,
    reconnectBackoffMaxMs: 1_000,
    retryBackoffMaxMs: 1_000,
    socketConnectionSetupTimeoutMs: 2_000,
    socketConnectionSetupTimeoutMaxMs: 4_000,
    maxBlockMs: 120_000,
  });
  await producer.connect();
  return producer;
}
