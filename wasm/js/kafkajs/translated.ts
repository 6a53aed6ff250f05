// klamm's errors as KafkaJS's.

import { brokerErrorName, KlammError } from '../errors.js';
import { KafkaJSConnectionError, KafkaJSError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded, KafkaJSProtocolError, KafkaJSRequestTimeoutError, KafkaJSSASLAuthenticationError } from './errors.js';

/** What a program that was written for KafkaJS expects in place of one of klamm's errors. */
export function translated(error: unknown, retryCount: number): Error {
  if (error instanceof KafkaJSError || !(error instanceof KlammError)) return error instanceof Error ? error : new KafkaJSError(String(error));
  const { brokerCode, message } = error;
  const protocol = (retriable: boolean): Error => {
    const details = Object.assign(new Error(message), { code: brokerCode, type: brokerErrorName(brokerCode), retriable });
    const made = new KafkaJSProtocolError(details);
    return Object.assign(made, { cause: error });
  };
  switch (error.code) {
    case 'REJECTED':
    case 'TOPIC':
      return protocol(false);
    case 'RETRIES':
      return new KafkaJSNumberOfRetriesExceeded(protocol(true), { retryCount });
    case 'TIMED_OUT':
      if (brokerCode !== 0) return new KafkaJSNumberOfRetriesExceeded(protocol(true), { retryCount });
      return new KafkaJSNumberOfRetriesExceeded(new KafkaJSRequestTimeoutError(error), { retryCount });
    case 'CONNECTION':
      return new KafkaJSConnectionError(message);
    case 'SASL':
      return new KafkaJSSASLAuthenticationError(error, { cause: error });
    case 'QUEUE_FULL':
      return new KafkaJSError(error, { cause: error });
    case 'CLOSED':
      return new KafkaJSError('The producer is disconnected', { cause: error });
    default:
      return new KafkaJSNonRetriableError(error, { cause: error });
  }
}
