// KafkaJS's errors, by its names and properties.

type Cause = Error | string;

function textOf(error: Cause): string {
  return typeof error === 'string' ? error : error.message;
}

export class KafkaJSError extends Error {
  override name = 'KafkaJSError';
  readonly retriable: boolean;
  readonly helpUrl?: string;
  override readonly cause?: Error;

  constructor(error: Cause, { retriable = true, cause }: { retriable?: boolean; cause?: Error } = {}) {
    super(textOf(error));
    this.retriable = retriable;
    if (cause !== undefined) this.cause = cause;
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  override name = 'KafkaJSNonRetriableError';

  constructor(error: Cause, { cause }: { cause?: Error } = {}) {
    super(error, cause === undefined ? { retriable: false } : { retriable: false, cause });
  }
}

export class KafkaJSProtocolError extends KafkaJSError {
  override name = 'KafkaJSProtocolError';
  readonly code: number;
  readonly type: string;

  constructor(error: Cause, { retriable }: { retriable?: boolean } = {}) {
    const given = error as Partial<KafkaJSProtocolError>;
    super(error, { retriable: retriable ?? given.retriable ?? true });
    this.code = given.code ?? -1;
    this.type = given.type ?? 'UNKNOWN';
  }
}

export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNumberOfRetriesExceeded';
  override readonly stack: string;
  readonly retryCount: number;
  readonly retryTime: number;

  constructor(error: Cause, { retryCount = 0, retryTime = 0 }: { retryCount?: number; retryTime?: number } = {}) {
    super(error, error instanceof Error ? { cause: error } : {});
    this.stack = `KafkaJSNumberOfRetriesExceeded\n  Caused by: ${error instanceof Error ? error.stack : error}`;
    this.retryCount = retryCount;
    this.retryTime = retryTime;
  }
}

export class KafkaJSConnectionError extends KafkaJSError {
  override name = 'KafkaJSConnectionError';
  readonly broker: string;
  readonly code: string | undefined;

  constructor(error: Cause, { broker = '', code }: { broker?: string; code?: string } = {}) {
    super(error);
    this.broker = broker;
    this.code = code;
  }
}

export class KafkaJSConnectionClosedError extends KafkaJSConnectionError {
  override name = 'KafkaJSConnectionClosedError';
  readonly host: string;
  readonly port: number;

  constructor(error: Cause, { host = '', port = 0 }: { host?: string; port?: number } = {}) {
    super(error, { broker: `${host}:${port}` });
    this.host = host;
    this.port = port;
  }
}

export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override name = 'KafkaJSRequestTimeoutError';
  readonly broker: string;
  readonly correlationId: number;
  readonly createdAt: number;
  readonly sentAt: number;
  readonly pendingDuration: number;

  constructor(error: Cause, of: Partial<Pick<KafkaJSRequestTimeoutError, 'broker' | 'correlationId' | 'createdAt' | 'sentAt' | 'pendingDuration'>> = {}) {
    super(error);
    this.broker = of.broker ?? '';
    this.correlationId = of.correlationId ?? 0;
    this.createdAt = of.createdAt ?? 0;
    this.sentAt = of.sentAt ?? 0;
    this.pendingDuration = of.pendingDuration ?? 0;
  }
}

export class KafkaJSMetadataNotLoaded extends KafkaJSError {
  override name = 'KafkaJSMetadataNotLoaded';
}

export class KafkaJSTopicMetadataNotLoaded extends KafkaJSMetadataNotLoaded {
  override name = 'KafkaJSTopicMetadataNotLoaded';
  readonly topic: string;

  constructor(error: Cause, { topic = '' }: { topic?: string } = {}) {
    super(error);
    this.topic = topic;
  }
}

export class KafkaJSSASLAuthenticationError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSSASLAuthenticationError';
}

export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override name = 'KafkaJSNotImplemented';
}

export class KafkaJSTimeout extends KafkaJSNonRetriableError {
  override name = 'KafkaJSTimeout';
}

export class KafkaJSServerDoesNotSupportApiKey extends KafkaJSNonRetriableError {
  override name = 'KafkaJSServerDoesNotSupportApiKey';
  readonly apiKey: number;
  readonly apiName: string;

  constructor(error: Cause, { apiKey = -1, apiName = '' }: { apiKey?: number; apiName?: string } = {}) {
    super(error);
    this.apiKey = apiKey;
    this.apiName = apiName;
  }
}

// klamm has no reason to throw these. Programs that name them, to know them apart, load all the same.

export class KafkaJSBrokerNotFound extends KafkaJSError {
  override name = 'KafkaJSBrokerNotFound';

  constructor(error: Cause = '') {
    super(error);
  }
}

export class KafkaJSNoBrokerAvailableError extends KafkaJSError {
  override name = 'KafkaJSNoBrokerAvailableError';

  constructor() {
    super('No broker available');
  }
}

export class KafkaJSLockTimeout extends KafkaJSTimeout {
  override name = 'KafkaJSLockTimeout';

  constructor(error: Cause = '') {
    super(error);
  }
}

export class KafkaJSPartialMessageError extends KafkaJSNonRetriableError {
  override name = 'KafkaJSPartialMessageError';

  constructor(error: Cause = '') {
    super(error);
  }
}

export class KafkaJSInvariantViolation extends KafkaJSNonRetriableError {
  override name = 'KafkaJSInvariantViolation';
}

export class KafkaJSAggregateError extends Error {
  override name = 'KafkaJSAggregateError';
  readonly errors: (Error | string)[];

  constructor(message: Cause, errors: (Error | string)[]) {
    super(textOf(message));
    this.errors = errors;
  }
}
