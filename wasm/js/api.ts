// What every entry of the package has besides its Producer.

export { KlammError, SendError, type ErrorCode, type KlammErrorDetails } from './errors.js';
export { json, text } from './serializers.js';
export type { WritableOptions } from './writable.js';
export type {
  Acks,
  Address,
  Bytes,
  Compression,
  DeliveredEvent,
  FailedEvent,
  Headers,
  InitOptions,
  Message,
  ModuleSource,
  PartitionChoice,
  Partitioner,
  ProducerEvents,
  ProducerOptions,
  ProducerStats,
  RecordMetadata,
  SaslOptions,
  SendOptions,
  Serializers,
  TlsOptions,
  Transport,
  WebSocketClass,
} from './types.js';
