// What every entry of klamm/outbox has besides its Outbox.

export { KlammError, SendError, type ErrorCode, type KlammErrorDetails } from '../errors.js';
export { json, text } from '../serializers.js';
export type { Bytes, Compression, Headers, Message, RecordMetadata, SaslOptions, Serializers, TlsOptions } from '../types.js';
export type { Usage } from './store.js';
export type { Delivered, OutboxEvents, OutboxOptions, Stored } from './types.js';
