// What a program sees of klamm.

/** Bytes of a key, a value or a header: text is sent as UTF-8. */
export type Bytes = string | Uint8Array | ArrayBuffer;

/** Values of headers; an array is several headers of one name. */
export type Headers = Record<string, Bytes | null | undefined | readonly (Bytes | null)[]>;

/** A record. */
export interface Message<K = Bytes, V = Bytes> {
  /** Records with the same key go to the same partition, in order. */
  key?: K | null | undefined;
  /** `null` is Kafka's null: a tombstone on a compacted topic. */
  value: V | null;
  /** From 0; without it the partitioner chooses. */
  partition?: number | undefined;
  headers?: Headers | undefined;
  /** Milliseconds since 1970, or a `Date`; without it the time of `send`. */
  timestamp?: number | bigint | string | Date | undefined;
}

/** What was sent where. */
export interface RecordMetadata {
  topic: string;
  partition: number;
  /** The place in the partition; `undefined` with `acks: 0`, and where only a later record's answer proved it stored. */
  offset: bigint | undefined;
  /** The broker's time of the append, on topics with `LogAppendTime`. */
  timestamp?: number;
}

/** -1 or 'all', 1, 0: how many replicas must have a record before it counts as delivered. */
export type Acks = 'all' | -1 | 0 | 1;

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4';

export interface SendOptions<K = Bytes, V = Bytes> {
  topic: string;
  messages: readonly Message<K, V>[];
  /** The codec of these messages' batches; without it the producer's. */
  compression?: Compression | undefined;
  /** Gives up what has not been handed to the core; what has been goes on to its outcome. */
  signal?: AbortSignal | undefined;
}

/** What goes to whom: `true` for everything's default, or the runtime's own options. */
export type TlsOptions = boolean | Record<string, unknown>;

export type SaslOptions = {
  /** Let `plain` and `oauthbearer` show the password to everybody on the way. Default false. */
  dangerouslyAllowPlaintext?: boolean;
} & (
  | { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }
  | { mechanism: 'oauthbearer'; oauthBearerProvider: () => Promise<{ value: string }> }
);

/** Where a connection goes. */
export interface Address {
  host: string;
  port: number;
}

/** An open connection: all that klamm needs of a transport. */
export interface Transport {
  readable: ReadableStream<Uint8Array>;
  writable: WritableStream<Uint8Array>;
  close(): void | Promise<void>;
}

/** The name of a partitioner, or a function that chooses. */
export type Partitioner<K = Bytes, V = Bytes> =
  | 'java'
  | 'java_adaptive'
  | 'sticky'
  | 'adaptive'
  | 'few_connections'
  | 'murmur2'
  | 'murmur2_random'
  | 'consistent'
  | 'consistent_random'
  | 'crc32'
  | 'fnv1a'
  | 'fnv1a_random'
  | 'random'
  | 'round_robin'
  | ((choice: PartitionChoice<K, V>) => number | undefined);

/** Makes WebSockets: `globalThis.WebSocket`, or another one that does the same. */
export type WebSocketClass = new (url: string, protocols: string[]) => object;

/** What a partitioner of a program's own knows. */
export interface PartitionChoice<K = Bytes, V = Bytes> {
  topic: string;
  /** How many there are. */
  partitions: number;
  /** The node id of a partition's leader; -1 if that is not known. */
  leader(partition: number): number;
  message: Message<K, V>;
}

/** Turns keys and values into bytes. */
export interface Serializers<K, V> {
  key?: (key: K, topic: string) => Bytes | null;
  value?: (value: V, topic: string) => Bytes | null;
}

/**
 * Options, with Kafka's names in camel case (or as Java writes them: `'linger.ms'`), units and defaults, except where
 * it says otherwise.
 */
export interface ProducerOptions<K = Bytes, V = Bytes> {
  /** `host:port` of some brokers of the cluster (Java's `bootstrap.servers`). Or `bridge`. */
  brokers?: string | readonly string[] | (() => readonly string[] | Promise<readonly string[]>);
  /** The URL of a klamm bridge, for browsers and wherever there is no TCP: `wss://…`. */
  bridge?: string | URL;
  /** The bridge's token, or who gets one: it is asked for each connection. */
  token?: string | (() => string | Promise<string>);
  /** Tickets that a bridge gave before, see the event `ticket`. */
  ticket?: string | readonly string[];
  /** The WebSocket class for `bridge` where the runtime has none: in Node before 22 that of npm's `ws`, or undici's. */
  webSocket?: WebSocketClass;
  clientId?: string;
  tls?: TlsOptions;
  sasl?: SaslOptions;
  /** Opens connections in place of the runtime's sockets. */
  transport?: (address: Address, signal: AbortSignal) => Transport | Promise<Transport>;

  serializers?: Serializers<K, V>;
  /** Makes the key of messages that have none. */
  keyMaker?: (message: Message<K, V>, topic: string) => K | null | undefined;
  partitioner?: Partitioner<K, V>;

  acks?: Acks;
  /** Default: on if `acks` is all and the broker can. `true`: without it nothing is sent. */
  enableIdempotence?: boolean;
  /** Default 'none'. */
  compressionType?: Compression;
  /**
   * Load the larger module although no other option asks for it, for messages that ask for a codec: what only it has are
   * codecs, partitioners other than `java` and `java_adaptive`, `acks: 0`, the newest versions of the protocol, and batches
   * that are split where a topic finds them too large. Default: where it is a file, or asked for by another option.
   */
  codecs?: boolean;
  /** Default 5. */
  lingerMs?: number;
  batchSize?: number;
  batchRecords?: number;
  maxRequestSize?: number;
  maxInFlightRequestsPerConnection?: number;
  retries?: number;
  retryBackoffMs?: number;
  retryBackoffMaxMs?: number;
  reconnectBackoffMs?: number;
  reconnectBackoffMaxMs?: number;
  requestTimeoutMs?: number;
  deliveryTimeoutMs?: number;
  socketConnectionSetupTimeoutMs?: number;
  socketConnectionSetupTimeoutMaxMs?: number;
  connectionsMaxIdleMs?: number;
  metadataMaxAgeMs?: number;
  allowAutoCreateTopics?: boolean;
  partitionerAvailabilityTimeoutMs?: number;
  /** All brokers are behind one address. */
  singleAddress?: boolean;
  /** Accept nothing more when a broker lost data. */
  stopOnDataLoss?: boolean;
  /** How long a message may wait for its topic's metadata or for memory. Default 60,000. */
  maxBlockMs?: number;

  /** Bytes for records, allocated at the start. Default 16 MiB. */
  bufferMemory?: number;
  /** Bytes of messages that may wait for that memory. Default 16 MiB. */
  maxQueuedBytes?: number;
  /** Topics, at most. Default 64. */
  maxTopics?: number;
  /** Partitions written to, at most. Default 4,096. */
  maxPartitions?: number;
  /** Brokers known at once, at most. Default 128. */
  maxBrokers?: number;
  /** Connections at once, at most. Default 32; 5 on Cloudflare. */
  maxConnections?: number;
}

/** What `WebAssembly.compile` makes. Node's types alone do not know that. */
export type CompiledModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } } ? M : object;

/** What the module is made of: an address to fetch it from, its bytes, or what `WebAssembly.compile` made of them. */
export type ModuleSource = string | URL | Response | ArrayBuffer | ArrayBufferView | CompiledModule;

/** Options of `init`. */
export interface InitOptions {
  /** In place of the package's own file: `klamm.wasm`, or with `codecs` `klamm-codecs.wasm`, of the same version. */
  module?: ModuleSource | Promise<ModuleSource>;
  /** The larger module, as the producer's option `codecs`. Default: where it is a file. */
  codecs?: boolean;
}

/** What happened to records that share a batch. */
export interface DeliveredEvent {
  topic: string;
  partition: number;
  /** Of the first one. */
  offset: bigint | undefined;
  count: number;
  timestamp?: number;
}

/** Messages that were not delivered, or of which that is not known, for one reason. */
export interface FailedEvent {
  topic: string;
  /** -1 if none was chosen yet. */
  partition: number;
  count: number;
  error: import('./errors.js').KlammError;
  /**
   * The messages, to be kept or sent again where `error.persisted` is 'no': as they were given, or, once the core had them, as
   * bytes. `undefined` where only their number is known: in pages, without the larger module (see `codecs`), and where the
   * core cannot undo its compression any more.
   */
  messages: readonly Message<any, any>[] | undefined;
}

export interface ProducerEvents {
  delivered: DeliveredEvent;
  failed: FailedEvent;
  /** A broker asked for silence. */
  throttled: { broker: string; ms: number };
  connected: { broker: string };
  disconnected: { broker: string; error: Error | undefined };
  /**
   * A bridge gave the producer an id, and a ticket for it, before any message is sent with the id. Whoever keeps the
   * producer's state over a reload gives the ticket back, with the option `ticket`: else a bridge that was started anew, or
   * another one, refuses what has the id.
   */
  ticket: { ticket: string; producerId: bigint };
  /** There is room again after `post` returned false. */
  drain: undefined;
}

/** Counters since the start: `accepted` = `delivered` + `notPersisted` + `unknown` + `buffered`. */
export interface ProducerStats {
  accepted: number;
  delivered: number;
  notPersisted: number;
  unknown: number;
  buffered: number;
  requests: number;
  batches: number;
  retries: number;
  epochBumps: number;
  dataLosses: number;
  connects: number;
  throttledMs: number;
  /** Messages that wait for metadata or memory: handed over, and not accepted yet. */
  queued: number;
  /** Bytes of `bufferMemory` that are free. */
  freeBytes: number;
}

/** Options whatever the keys and values are. */
export type AnyOptions = ProducerOptions<any, any>;
