// Errors: what happened, to what, and whether a record may be in the log.

/** What can go wrong, by a word. */
export type ErrorCode =
  | 'CONFIG'
  | 'CLOSED'
  | 'ABORTED'
  | 'QUEUE_FULL'
  | 'TOO_LARGE'
  | 'INVALID_TOPIC'
  | 'INVALID_MESSAGE'
  | 'TOPIC'
  | 'LIMIT'
  | 'NO_SUCH_PARTITION'
  | 'CODEC'
  | 'REJECTED'
  | 'TIMED_OUT'
  | 'NEIGHBOUR'
  | 'DATA_LOSS'
  | 'RETRIES'
  | 'PURGED'
  | 'CONNECTION'
  | 'PROTOCOL'
  | 'SASL'
  | 'TOKEN'
  | 'UNSUPPORTED'
  | 'DROPPED'
  | 'LOCKED'
  | 'STORE'
  | 'INTERNAL';

export interface KlammErrorDetails {
  /** May the record be in the log? `no`: it may be sent again. Default `no`. */
  persisted?: 'no' | 'unknown';
  /** Kafka's error code, 0 for none. */
  brokerCode?: number;
  topic?: string;
  partition?: number;
  cause?: unknown;
}

/** Any error of klamm. */
export class KlammError extends Error {
  override readonly name: string = 'KlammError';
  readonly code: ErrorCode;
  readonly persisted: 'no' | 'unknown';
  /** Kafka's error code, 0 for none. */
  readonly brokerCode: number;
  readonly topic: string | undefined;
  readonly partition: number | undefined;

  constructor(code: ErrorCode, message: string, details: KlammErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.persisted = details.persisted ?? 'no';
    this.brokerCode = details.brokerCode ?? 0;
    this.topic = details.topic;
    this.partition = details.partition;
  }
}

/** Some messages of a `send` were not delivered: `results` says what became of each. */
export class SendError extends KlammError {
  override readonly name = 'SendError';
  readonly results: readonly (import('./types.js').RecordMetadata | KlammError)[];

  constructor(first: KlammError, results: SendError['results'], failed: number) {
    const what = results.length === 1 ? '' : `${failed} of ${results.length} messages failed; the first: `;
    super(first.code, what + first.message, first);
    this.results = results;
  }
}

/** Kafka's names of the errors that a producer meets. */
const BROKER_ERRORS: Record<number, string> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  2: 'CORRUPT_MESSAGE',
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  7: 'REQUEST_TIMED_OUT',
  10: 'MESSAGE_TOO_LARGE',
  13: 'NETWORK_EXCEPTION',
  17: 'INVALID_TOPIC_EXCEPTION',
  18: 'RECORD_LIST_TOO_LARGE',
  19: 'NOT_ENOUGH_REPLICAS',
  20: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  21: 'INVALID_REQUIRED_ACKS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  33: 'UNSUPPORTED_SASL_MECHANISM',
  34: 'ILLEGAL_SASL_STATE',
  35: 'UNSUPPORTED_VERSION',
  44: 'POLICY_VIOLATION',
  45: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  46: 'DUPLICATE_SEQUENCE_NUMBER',
  47: 'INVALID_PRODUCER_EPOCH',
  56: 'KAFKA_STORAGE_ERROR',
  58: 'SASL_AUTHENTICATION_FAILED',
  59: 'UNKNOWN_PRODUCER_ID',
  74: 'FENCED_LEADER_EPOCH',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  87: 'INVALID_RECORD',
  89: 'THROTTLING_QUOTA_EXCEEDED',
  90: 'PRODUCER_FENCED',
  100: 'UNKNOWN_TOPIC_ID',
};

/** Kafka's name of an error, or `UNKNOWN`. */
export function brokerErrorName(code: number): string {
  return BROKER_ERRORS[code] ?? 'UNKNOWN';
}

/** `NAME (number)`. */
export function brokerError(code: number): string {
  return `${brokerErrorName(code)} (${code})`;
}

/** The same numbers as in the module's `status.rs`, of a record that was refused. */
export function refusal(why: number, a: number, b: number, topic: string): KlammError {
  const details = { topic };
  switch (why) {
    case 2:
      return new KlammError('TOO_LARGE', `message of topic ${topic} too large: ${a} bytes as a batch, at most ${b} allowed (maxRequestSize)`, details);
    case 4:
      return topicError(topic, (a << 16) >> 16);
    case 5:
      return new KlammError('INVALID_TOPIC', `"${topic}" is no topic name: letters, digits, ".", "_" and "-", at most 249`, details);
    case 6:
      return new KlammError('LIMIT', `no room for topic ${topic}: raise maxTopics`, details);
    case 7:
      return new KlammError('LIMIT', `no room for another partition of topic ${topic}: raise maxPartitions`, details);
    case 8:
      return new KlammError('NO_SUCH_PARTITION', `topic ${topic} has no such partition`, details);
    case 9:
      return closed(topic);
    case 10:
      return new KlammError('CODEC', 'this codec is not there: gzip, snappy or lz4', details);
    default:
      return new KlammError('INTERNAL', `message of topic ${topic} refused (${why})`, details);
  }
}

export function topicError(topic: string, code: number): KlammError {
  return new KlammError('TOPIC', `topic ${topic}: ${brokerError(code)}`, { topic, brokerCode: code });
}

export function closed(topic?: string): KlammError {
  return new KlammError('CLOSED', 'the producer is closed', topic === undefined ? {} : { topic });
}

const REASONS: [ErrorCode, string][] = [
  ['INTERNAL', 'no reason'],
  ['REJECTED', 'rejected'],
  ['TIMED_OUT', 'delivery timed out (deliveryTimeoutMs)'],
  ['NEIGHBOUR', 'another message of the batch was invalid; this one may be sent again'],
  ['DATA_LOSS', "the broker lost data or the producer's state"],
  ['RETRIES', 'retries used up'],
  ['PURGED', 'given up when the producer was closed'],
  ['TOO_LARGE', 'larger than the broker allows'],
  ['NO_SUCH_PARTITION', 'the topic has no such partition'],
];

/** Of a record that was not delivered, or of which that is not known. */
export function failure(kind: number, reason: number, code: number, topic: string, partition: number): KlammError {
  const [word, text] = REASONS[reason] ?? ['INTERNAL', `reason ${reason}`];
  const persisted = kind === 2 ? 'unknown' : 'no';
  const broker = code === 0 ? '' : `: ${brokerError(code)}`;
  const doubt = kind === 2 ? '; it may be in the log' : '';
  return new KlammError(word, `topic ${topic}, partition ${partition}: ${text}${broker}${doubt}`, { persisted, brokerCode: code, topic, partition });
}

const PROTOCOL = [
  '',
  'the peer speaks TLS: set tls',
  'a frame of impossible size: is this a Kafka broker?',
  'an answer out of order',
  'a malformed answer',
  'bytes on a connection that is not open',
  'the broker has no version in common, or refused the handshake',
];

export function protocolError(code: number, broker: string): KlammError {
  return new KlammError('PROTOCOL', `${broker}: ${PROTOCOL[code] ?? `error ${code}`}`);
}
