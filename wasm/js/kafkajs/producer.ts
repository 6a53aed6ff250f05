// KafkaJS's producer, over klamm's.

import { KlammError } from '../errors.js';
import type { LinkEvents } from '../link.js';
import type { Platform } from '../platform.js';
import { Producer as Core } from '../producer.js';
import type { Address, Compression, Message as CoreMessage, ProducerOptions, RecordMetadata as Place } from '../types.js';
import { KafkaJSError, KafkaJSNonRetriableError, KafkaJSNotImplemented, KafkaJSNumberOfRetriesExceeded } from './errors.js';
import { observed, type Seen } from './observer.js';
import { type Retries, waits } from './retry.js';
import { translated } from './translated.js';
import { CompressionTypes, type InstrumentationEvent, type Logger, type Message, type Producer, type ProducerBatch, type ProducerEvents, type ProducerRecord, type RecordMetadata, type Transaction } from './types.js';

const EVENTS: ProducerEvents = {
  CONNECT: 'producer.connect',
  DISCONNECT: 'producer.disconnect',
  REQUEST: 'producer.network.request',
  REQUEST_TIMEOUT: 'producer.network.request_timeout',
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size',
};
type EventName = ProducerEvents[keyof ProducerEvents];
/** Cores, at most: one for each number of acks. */
const ACKS = [-1, 0, 1];

export interface Settings {
  platform: Platform;
  core: ProducerOptions;
  idempotent: boolean;
  retries: Retries;
  requestTimeout: number;
  logger: Logger;
}

/** KafkaJS's producer, and what it has not. */
export type FlushingProducer = Producer & {
  /** Resolves when everything that was sent before has its outcome. */
  flush(): Promise<void>;
};

export function makeProducer(settings: Settings): FlushingProducer {
  const made = new Compatible(settings);
  return {
    connect: () => made.connect(),
    disconnect: () => made.disconnect(),
    isIdempotent: () => settings.idempotent,
    events: EVENTS,
    on: (name: EventName, listener: (event: InstrumentationEvent<never>) => void) => made.on(name, listener),
    send: ({ topic, messages, ...rest }: ProducerRecord<Uint8Array>) => made.sendBatch({ ...rest, topicMessages: [{ topic, messages }] }),
    sendBatch: (batch: ProducerBatch<Uint8Array>) => made.sendBatch(batch),
    transaction: () => made.transaction(),
    logger: () => settings.logger,
    flush: () => made.flush(),
  };
}

class Compatible {
  readonly #settings: Settings;
  readonly #cores = new Map<number, Core>();
  readonly #listeners = new Map<string, Set<(event: InstrumentationEvent<never>) => void>>();
  #status: 'connected' | 'disconnecting' | 'disconnected' = 'disconnected';
  #events = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async connect(): Promise<void> {
    if (this.#status === 'connected') return;
    await this.#reach();
    this.#status = 'connected';
    await this.#core(-1).connect();
    this.#emit(EVENTS.CONNECT, null);
  }

  async disconnect(): Promise<void> {
    this.#status = 'disconnecting';
    await Promise.all([...this.#cores.values()].map((core) => core.close()));
    this.#cores.clear();
    this.#status = 'disconnected';
    this.#emit(EVENTS.DISCONNECT, null);
  }

  /** Like KafkaJS, says so if no broker can be reached; the core would go on trying. */
  async #reach(): Promise<void> {
    const { core, platform, retries } = this.#settings;
    const begin = Date.now();
    let tries = 0;
    let last: Error;
    const pauses = waits(retries);
    for (;;) {
      const brokers = core.bridge !== undefined ? ['bootstrap:1'] : await addresses(core.brokers);
      for (const broker of brokers) {
        try {
          await knock(platform, core, broker);
          return;
        } catch (error) {
          last = translated(error, tries);
          if (last instanceof KafkaJSNonRetriableError) throw last;
        }
      }
      tries++;
      const { value: pause, done } = pauses.next();
      if (done === true) throw new KafkaJSNumberOfRetriesExceeded(last!, { retryCount: tries - 1, retryTime: Date.now() - begin });
      this.#settings.logger.error(last!.message, { retryCount: tries, retryTime: Math.round(pause) });
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #core(acks: number): Core {
    let core = this.#cores.get(acks);
    if (core === undefined) {
      const { core: options, platform, idempotent } = this.#settings;
      const watched: Platform = { ...platform, dial: (given, told) => observed(platform.dial(given, told), this.#observer, acks) };
      core = new Core({ ...options, acks: acks as -1 | 0 | 1, enableIdempotence: acks === -1 && idempotent ? true : undefined } as ProducerOptions, watched);
      this.#cores.set(acks, core);
    }
    return core;
  }

  async sendBatch({ acks = -1, compression, topicMessages = [] }: ProducerBatch<Uint8Array>): Promise<RecordMetadata[]> {
    this.#check(acks, topicMessages);
    const codec = codecOf(compression);
    const core = this.#core(acks);
    const sent = topicMessages.map(({ topic, messages }) => core.send({ topic, messages: messages.map(converted), ...(codec === undefined ? {} : { compression: codec }) }));
    const settled = await Promise.allSettled(sent);
    const places: Place[] = [];
    for (const one of settled) {
      if (one.status === 'rejected') throw translated(one.reason, this.#settings.retries.retries);
      places.push(...one.value);
    }
    return acks === 0 ? [] : byPartition(places);
  }

  /** In KafkaJS's order and words. */
  #check(acks: number, topicMessages: NonNullable<ProducerBatch<Uint8Array>['topicMessages']>): void {
    if (topicMessages.some(({ topic }) => !topic)) throw new KafkaJSNonRetriableError('Invalid topic');
    if (this.#settings.idempotent && acks !== -1) {
      throw new KafkaJSNonRetriableError("Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees");
    }
    for (const { topic, messages } of topicMessages) {
      if (!messages) throw new KafkaJSNonRetriableError(`Invalid messages array [${String(messages)}] for topic "${topic}"`);
      const bad = messages.find(({ value }) => value === undefined);
      if (bad !== undefined) throw new KafkaJSNonRetriableError(`Invalid message without value for topic "${topic}": ${JSON.stringify(bad)}`);
    }
    if (!ACKS.includes(acks)) throw new KafkaJSNonRetriableError(`Invalid acks ${acks}: -1, 0 or 1`);
    if (this.#status === 'disconnecting') {
      throw new KafkaJSNonRetriableError("The producer is disconnecting; therefore, it can't safely accept messages anymore");
    }
    if (this.#status === 'disconnected') throw new KafkaJSError('The producer is disconnected');
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#cores.values()].map((core) => core.flush()));
  }

  transaction(): Promise<Transaction> {
    return Promise.reject(new KafkaJSNonRetriableError('klamm has no transactions yet: its records are exactly once per partition without them'));
  }

  on(name: EventName, listener: (event: InstrumentationEvent<never>) => void): () => void {
    if (!Object.values(EVENTS).includes(name)) {
      const names = Object.keys(EVENTS).map((key) => `producer.events.${key}`);
      throw new KafkaJSNonRetriableError(`Event name should be one of ${names.join(', ')}`);
    }
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  #emit(type: EventName, payload: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) {
      const event = { id: String(this.#events++), type, timestamp: Date.now(), payload: payload as never };
      Promise.resolve()
        .then(() => listener(event))
        .catch((error: Error) => {
          this.#settings.logger.error(`Failed to execute listener: ${error.message}`, { eventName: type, stack: error.stack });
        });
    }
  }

  readonly #observer = {
    answered: (request: Seen, size: number, duration: number) => this.#emit(EVENTS.REQUEST, { ...request, clientId: this.#client, size, duration }),
    lost: (request: Seen, after: number) => {
      // The core began to count a little earlier, by another clock.
      if (after >= this.#settings.requestTimeout * 0.9) this.#emit(EVENTS.REQUEST_TIMEOUT, { ...request, clientId: this.#client });
    },
    queue: (broker: string, queueSize: number) => this.#emit(EVENTS.REQUEST_QUEUE_SIZE, { broker, clientId: this.#client, queueSize }),
  };

  get #client(): string {
    return this.#settings.core.clientId ?? 'kafkajs';
  }
}

async function addresses(brokers: ProducerOptions['brokers']): Promise<readonly string[]> {
  const list = typeof brokers === 'function' ? await brokers() : brokers;
  return typeof list === 'string' ? list.split(',') : (list ?? []);
}

/** Opens a connection, and closes it again. */
function knock(platform: Platform, options: ProducerOptions, broker: string): Promise<void> {
  const [, host = broker, port = '9092'] = /^\[?(.*?)\]?:(\d+)$/.exec(broker) ?? [];
  const address: Address = { host, port: Number(port) };
  return new Promise((resolve, reject) => {
    const limit = options.socketConnectionSetupTimeoutMs ?? 10_000;
    const timer = setTimeout(() => {
      link.close();
      reject(new KlammError('CONNECTION', `Connection timeout: ${broker}`));
    }, limit);
    const events: LinkEvents = {
      open: () => {
        clearTimeout(timer);
        link.close();
        resolve();
      },
      data: () => {},
      drain: () => {},
      lost: (error) => {
        clearTimeout(timer);
        reject(error instanceof KlammError ? error : new KlammError('CONNECTION', `${broker}: ${error === undefined ? 'closed' : String(error)}`));
      },
    };
    const link = platform.dial(options, () => {})(address, events);
  });
}

function converted({ key, value, partition, headers, timestamp }: Message<Uint8Array>): CoreMessage {
  const message: CoreMessage = { value, key: key === undefined || key === null ? key : bytes(key), headers };
  if (partition !== undefined && partition !== null) message.partition = partition;
  if (timestamp !== undefined) message.timestamp = timestamp;
  return message;
}

/** KafkaJS makes text of keys that are neither text nor bytes. */
function bytes(key: unknown): string | Uint8Array {
  return key instanceof Uint8Array ? key : String(key);
}

const CODECS: Partial<Record<CompressionTypes, Compression>> = { [CompressionTypes.None]: 'none', [CompressionTypes.GZIP]: 'gzip', [CompressionTypes.Snappy]: 'snappy', [CompressionTypes.LZ4]: 'lz4' };

function codecOf(type: CompressionTypes | undefined): Compression | undefined {
  if (type === undefined) return undefined;
  const codec = CODECS[type];
  if (codec === undefined) {
    const name = CompressionTypes[type] ?? String(type);
    const instead = 'take LZ4, GZIP or Snappy, which every consumer reads; what a program puts into CompressionCodecs is not looked at';
    throw new KafkaJSNotImplemented(`${name} compression not implemented by klamm: ${instead}`);
  }
  return codec;
}

/** One entry a topic and partition, with the first offset of the call there. */
function byPartition(places: Place[]): RecordMetadata[] {
  const found = new Map<string, RecordMetadata & { first: bigint | undefined }>();
  for (const { topic, partition, offset, timestamp } of places) {
    const name = `${topic}/${partition}`;
    const known = found.get(name);
    if (known === undefined) {
      found.set(name, { topicName: topic, partition, errorCode: 0, first: offset, logAppendTime: String(timestamp ?? -1) });
    } else if (offset !== undefined && (known.first === undefined || offset < known.first)) {
      known.first = offset;
    }
  }
  return [...found.values()].map(({ first, ...rest }) => ({ ...rest, baseOffset: String(first ?? -1) }));
}
