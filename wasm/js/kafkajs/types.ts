// The producer's side of KafkaJS's types, by its names. Where they have a `Buffer`, `send` takes any `Uint8Array`.

import type { WebSocketClass } from '../types.js';

/** Node's `Buffer` as in KafkaJS, where the program has Node's types; elsewhere any bytes. */
type Binary = typeof globalThis extends { Buffer: { isBuffer(value: any): value is infer B } } ? B : Uint8Array;

export type BrokersFunction = () => string[] | Promise<string[]>;

export interface OauthbearerProviderResponse {
  value: string;
}

export type SASLOptions =
  | { mechanism: 'plain'; username: string; password: string }
  | { mechanism: 'scram-sha-256'; username: string; password: string }
  | { mechanism: 'scram-sha-512'; username: string; password: string }
  | { mechanism: 'aws'; authorizationIdentity: string; accessKeyId: string; secretAccessKey: string; sessionToken?: string }
  | { mechanism: 'oauthbearer'; oauthBearerProvider: () => Promise<OauthbearerProviderResponse> };

export type SASLMechanism = SASLOptions['mechanism'];

/** A mechanism of the program's own: klamm has no way to run it, and says so. */
export interface Mechanism {
  mechanism: string;
  authenticationProvider: (args: any) => { authenticate: () => Promise<void> };
}

export interface RetryOptions {
  maxRetryTime?: number;
  initialRetryTime?: number;
  factor?: number;
  multiplier?: number;
  retries?: number;
  restartOnFailure?: (e: Error) => Promise<boolean>;
}

/** Not in klamm, whose own producer has the option `transport`. */
export type ISocketFactory = (args: any) => any;

export interface KafkaConfig {
  brokers: string[] | BrokersFunction;
  // Of `tls.ConnectionOptions`, without Node's types.
  ssl?: any;
  sasl?: SASLOptions | Mechanism;
  clientId?: string;
  connectionTimeout?: number;
  authenticationTimeout?: number;
  reauthenticationThreshold?: number;
  requestTimeout?: number;
  enforceRequestTimeout?: boolean;
  retry?: RetryOptions;
  socketFactory?: ISocketFactory;
  logLevel?: logLevel;
  logCreator?: logCreator;
  /** Of klamm: the URL of a bridge, in browsers; `brokers` is not looked at then. */
  bridge?: string | URL;
  /** Of klamm: the bridge's token. */
  token?: string | (() => string | Promise<string>);
  /** Of klamm: the WebSocket class, where the runtime has none. */
  webSocket?: WebSocketClass;
}

export interface ProducerConfig {
  createPartitioner?: ICustomPartitioner;
  retry?: RetryOptions;
  metadataMaxAge?: number;
  allowAutoTopicCreation?: boolean;
  idempotent?: boolean;
  transactionalId?: string;
  transactionTimeout?: number;
  maxInFlightRequests?: number;
  /** Of klamm: how long a message waits for others, in milliseconds. Default 0. */
  linger?: number;
}

export interface IHeaders<B = Binary> {
  [key: string]: B | string | (B | string)[] | undefined;
}

export interface Message<B = Binary> {
  key?: B | string | null;
  value: B | string | null;
  partition?: number;
  headers?: IHeaders<B>;
  timestamp?: string;
}

export type PartitionMetadata = {
  partitionErrorCode: number;
  partitionId: number;
  leader: number;
  replicas: number[];
  isr: number[];
  offlineReplicas?: number[];
};

export interface PartitionerArgs {
  topic: string;
  partitionMetadata: PartitionMetadata[];
  // KafkaJS's has Node's `Buffer`; a partitioner that was written for it gets what the program sent.
  message: any;
}

export type ICustomPartitioner = () => (args: PartitionerArgs) => number;
export type DefaultPartitioner = ICustomPartitioner;
export type LegacyPartitioner = ICustomPartitioner;

export enum CompressionTypes {
  None = 0,
  GZIP = 1,
  Snappy = 2,
  LZ4 = 3,
  ZSTD = 4,
}

/**
 * KafkaJS has the codecs that a program puts here. klamm has its own, and looks at none of these: it goes on as it was
 * where a program sets one.
 */
export const CompressionCodecs: Record<Exclude<CompressionTypes, CompressionTypes.None>, () => any> = {
  [CompressionTypes.GZIP]: builtIn,
  [CompressionTypes.Snappy]: builtIn,
  [CompressionTypes.LZ4]: builtIn,
  [CompressionTypes.ZSTD]: builtIn,
};

function builtIn(): never {
  throw new Error('klamm compresses by itself: gzip, snappy and lz4');
}

export interface ProducerRecord<B = Binary> {
  topic: string;
  messages: Message<B>[];
  acks?: number;
  timeout?: number;
  compression?: CompressionTypes;
}

export type RecordMetadata = {
  topicName: string;
  partition: number;
  errorCode: number;
  offset?: string;
  timestamp?: string;
  baseOffset?: string;
  logAppendTime?: string;
  logStartOffset?: string;
};

export interface TopicMessages<B = Binary> {
  topic: string;
  messages: Message<B>[];
}

export interface ProducerBatch<B = Binary> {
  acks?: number;
  timeout?: number;
  compression?: CompressionTypes;
  topicMessages?: TopicMessages<B>[];
}

export interface PartitionOffset {
  partition: number;
  offset: string;
}

export interface TopicOffsets {
  topic: string;
  partitions: PartitionOffset[];
}

export interface Offsets {
  topics: TopicOffsets[];
}

type Sender = {
  send(record: ProducerRecord<Uint8Array>): Promise<RecordMetadata[]>;
  sendBatch(batch: ProducerBatch<Uint8Array>): Promise<RecordMetadata[]>;
};

export type ProducerEvents = {
  CONNECT: 'producer.connect';
  DISCONNECT: 'producer.disconnect';
  REQUEST: 'producer.network.request';
  REQUEST_TIMEOUT: 'producer.network.request_timeout';
  REQUEST_QUEUE_SIZE: 'producer.network.request_queue_size';
};

export interface InstrumentationEvent<T> {
  id: string;
  type: string;
  timestamp: number;
  payload: T;
}

export type RemoveInstrumentationEventListener<T> = T extends string ? () => void : () => void;

export type ConnectEvent = InstrumentationEvent<null>;
export type DisconnectEvent = InstrumentationEvent<null>;
export type RequestEvent = InstrumentationEvent<{
  apiKey: number;
  apiName: string;
  apiVersion: number;
  broker: string;
  clientId: string;
  correlationId: number;
  createdAt: number;
  duration: number;
  pendingDuration: number;
  sentAt: number;
  size: number;
}>;
export type RequestTimeoutEvent = InstrumentationEvent<{
  apiKey: number;
  apiName: string;
  apiVersion: number;
  broker: string;
  clientId: string;
  correlationId: number;
  createdAt: number;
  pendingDuration: number;
  sentAt: number;
}>;
export type RequestQueueSizeEvent = InstrumentationEvent<{
  broker: string;
  clientId: string;
  queueSize: number;
}>;

export type Producer = Sender & {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isIdempotent(): boolean;
  readonly events: ProducerEvents;
  on(eventName: ProducerEvents['CONNECT'], listener: (event: ConnectEvent) => void): () => void;
  on(eventName: ProducerEvents['DISCONNECT'], listener: (event: DisconnectEvent) => void): () => void;
  on(eventName: ProducerEvents['REQUEST'], listener: (event: RequestEvent) => void): () => void;
  on(eventName: ProducerEvents['REQUEST_QUEUE_SIZE'], listener: (event: RequestQueueSizeEvent) => void): () => void;
  on(eventName: ProducerEvents['REQUEST_TIMEOUT'], listener: (event: RequestTimeoutEvent) => void): () => void;
  on(eventName: ProducerEvents[keyof ProducerEvents], listener: (event: InstrumentationEvent<any>) => void): () => void;
  transaction(): Promise<Transaction>;
  logger(): Logger;
};

export type Transaction = Sender & {
  sendOffsets(offsets: Offsets & { consumerGroupId: string }): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
  isActive(): boolean;
};

export enum logLevel {
  NOTHING = 0,
  ERROR = 1,
  WARN = 2,
  INFO = 4,
  DEBUG = 5,
}

export interface LogEntry {
  namespace: string;
  level: logLevel;
  label: string;
  log: LoggerEntryContent;
}

export interface LoggerEntryContent {
  readonly timestamp: string;
  readonly message: string;
  [key: string]: any;
}

export type logCreator = (logLevel: logLevel) => (entry: LogEntry) => void;

export type Logger = {
  info: (message: string, extra?: object) => void;
  error: (message: string, extra?: object) => void;
  warn: (message: string, extra?: object) => void;
  debug: (message: string, extra?: object) => void;
  namespace: (namespace: string, logLevel?: logLevel) => Logger;
  setLogLevel: (logLevel: logLevel) => void;
};
