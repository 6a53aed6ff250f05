// `new Kafka(...)`: KafkaJS's options to klamm's.

import type { Platform } from '../platform.js';
import type { ProducerOptions, SaslOptions } from '../types.js';
import { KafkaJSNonRetriableError } from './errors.js';
import { makeLogger } from './logger.js';
import { Partitioners } from './partitioners.js';
import { makeProducer, type FlushingProducer } from './producer.js';
import { options as retryOptions, retries } from './retry.js';
import type { ICustomPartitioner, KafkaConfig, Logger, ProducerConfig } from './types.js';

const ONLY_PRODUCES = 'klamm only produces: keep kafkajs for';

/** KafkaJS's entrance; each runtime's entry brings the platform. */
export class Kafka {
  readonly #config: KafkaConfig;
  readonly #platform: Platform;
  readonly #logger: Logger;

  constructor(config: KafkaConfig, platform: Platform) {
    this.#config = config;
    this.#platform = platform;
    this.#logger = makeLogger(config.logLevel, config.logCreator);
  }

  producer(config: ProducerConfig = {}): FlushingProducer {
    const { retry, requestTimeout = 30_000 } = this.#config;
    const { idempotent = false, transactionalId } = config;
    if (transactionalId !== undefined) throw new KafkaJSNonRetriableError('transactionalId: klamm has no transactions yet');
    if (idempotent && config.retry?.retries !== undefined && config.retry.retries < 1) {
      throw new KafkaJSNonRetriableError('Idempotent producer must allow retries to protect against transient errors');
    }
    const logger = this.#logger.namespace('Producer');
    const tries = retries(idempotent, retry, config.retry);
    const core = { ...this.#connection(logger), ...retryOptions(tries, requestTimeout), ...sending(config), requestTimeoutMs: requestTimeout };
    return makeProducer({ platform: this.#platform, core, idempotent, retries: tries, requestTimeout, logger });
  }

  #connection(logger: Logger): ProducerOptions {
    const { brokers, bridge, token, webSocket, ssl, sasl, clientId = 'kafkajs', connectionTimeout, socketFactory } = this.#config;
    if (socketFactory !== undefined) throw new KafkaJSNonRetriableError('socketFactory: klamm has the option `transport` of its own Producer for that');
    const core: ProducerOptions = { clientId, codecs: true };
    if (bridge !== undefined) {
      core.bridge = bridge;
      if (token !== undefined) core.token = token;
      if (webSocket !== undefined) core.webSocket = webSocket;
      return core;
    }
    if (!brokers) throw new KafkaJSNonRetriableError('Failed to connect: expected brokers array and got nothing');
    if (Array.isArray(brokers) && brokers.length === 0) throw new KafkaJSNonRetriableError('Failed to connect: brokers array is empty');
    core.brokers = brokers;
    if (ssl) core.tls = ssl as ProducerOptions['tls'] & object;
    if (connectionTimeout !== undefined) core.socketConnectionSetupTimeoutMs = connectionTimeout;
    if (sasl !== undefined) {
      core.sasl = credentials(sasl);
      // KafkaJS lets it pass without a word.
      if (!ssl && !sasl.mechanism.startsWith('scram')) logger.warn('The password is sent without TLS: everybody on the way can read it');
    }
    return core;
  }

  consumer(_config?: unknown): never {
    throw new KafkaJSNonRetriableError(`${ONLY_PRODUCES} consumers`);
  }

  admin(_config?: unknown): never {
    throw new KafkaJSNonRetriableError(`${ONLY_PRODUCES} the admin client`);
  }

  logger(): Logger {
    return this.#logger;
  }
}

function credentials(sasl: NonNullable<KafkaConfig['sasl']>): SaslOptions {
  const mechanism = sasl.mechanism.toLowerCase();
  if ('authenticationProvider' in sasl || mechanism === 'aws') {
    throw new KafkaJSNonRetriableError(`SASL ${sasl.mechanism} mechanism is not supported by klamm: plain, scram-sha-256, scram-sha-512, oauthbearer`);
  }
  return { ...sasl, mechanism, dangerouslyAllowPlaintext: true } as SaslOptions;
}

function sending({ createPartitioner, metadataMaxAge, allowAutoTopicCreation, maxInFlightRequests, linger = 0 }: ProducerConfig): Partial<ProducerOptions> {
  const core: Partial<ProducerOptions> = { lingerMs: linger };
  if (createPartitioner !== undefined && createPartitioner !== Partitioners.DefaultPartitioner) core.partitioner = adapted(createPartitioner);
  if (metadataMaxAge !== undefined) core.metadataMaxAgeMs = metadataMaxAge;
  if (allowAutoTopicCreation !== undefined) core.allowAutoCreateTopics = allowAutoTopicCreation;
  // The core's sequences allow five.
  if (maxInFlightRequests) core.maxInFlightRequestsPerConnection = Math.min(maxInFlightRequests, 5);
  return core;
}

/** A partitioner of the program's own, with the metadata that klamm keeps. */
function adapted(create: ICustomPartitioner): ProducerOptions['partitioner'] & object {
  const choose = create();
  return ({ topic, partitions, leader, message }) => {
    const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => {
      const node = leader(partitionId);
      return { partitionErrorCode: 0, partitionId, leader: node, replicas: [node], isr: [node], offlineReplicas: [] };
    });
    return choose({ topic, partitionMetadata, message });
  };
}
