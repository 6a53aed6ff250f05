// klamm/kafkajs has KafkaJS's types: compiled, never run.

import type * as theirs from 'kafkajs';
import type * as ours from 'klamm/kafkajs';
import type kafkajs from 'klamm/kafkajs';

/** A value of this type, that there never is. */
declare function a<T>(): T;
/** Fails to compile if `From` cannot stand for `To`. */
declare function stands<From extends To, To>(): void;

// What a program hands in: what was written for KafkaJS is taken.
stands<theirs.KafkaConfig, ours.KafkaConfig>();
stands<theirs.ProducerConfig, ours.ProducerConfig>();
stands<theirs.ProducerRecord, ours.ProducerRecord>();
stands<theirs.ProducerBatch, ours.ProducerBatch>();
stands<theirs.Message, ours.Message>();
stands<theirs.IHeaders, ours.IHeaders>();
stands<theirs.RetryOptions, ours.RetryOptions>();
stands<theirs.SASLOptions, ours.SASLOptions>();
stands<theirs.ICustomPartitioner, ours.ICustomPartitioner>();
stands<theirs.logCreator, ours.logCreator>();
stands<theirs.CompressionTypes, ours.CompressionTypes>();

// And the other way: what is declared with these types goes to KafkaJS.
stands<ours.ProducerRecord, theirs.ProducerRecord>();
stands<ours.ProducerBatch, theirs.ProducerBatch>();
stands<ours.TopicMessages, theirs.TopicMessages>();
stands<ours.Message, theirs.Message>();
stands<ours.IHeaders, theirs.IHeaders>();
stands<ours.BrokersFunction, theirs.BrokersFunction>();
stands<ours.Mechanism, theirs.Mechanism>();
stands<ours.SASLMechanism, theirs.SASLMechanism>();
stands<theirs.SASLMechanism, ours.SASLMechanism>();
stands<ours.OauthbearerProviderResponse, theirs.OauthbearerProviderResponse>();
stands<ours.ISocketFactory, theirs.ISocketFactory>();
stands<ours.KafkaConfig, theirs.KafkaConfig>();
stands<ours.ProducerConfig, theirs.ProducerConfig>();
stands<ours.RetryOptions, theirs.RetryOptions>();
stands<ours.SASLOptions, theirs.SASLOptions>();
stands<ours.ICustomPartitioner, theirs.ICustomPartitioner>();
stands<ours.logCreator, theirs.logCreator>();

// What a program gets.
stands<ours.Producer, theirs.Producer>();
stands<theirs.Producer, ours.Producer>();
stands<ours.FlushingProducer, theirs.Producer>();
stands<ours.RecordMetadata, theirs.RecordMetadata>();
stands<theirs.RecordMetadata, ours.RecordMetadata>();
stands<ours.Transaction, theirs.Transaction>();
stands<theirs.Transaction, ours.Transaction>();
stands<ours.Logger, theirs.Logger>();
stands<theirs.Logger, ours.Logger>();
stands<ours.LogEntry, theirs.LogEntry>();
stands<ours.ProducerEvents, theirs.ProducerEvents>();
stands<theirs.ProducerEvents, ours.ProducerEvents>();
stands<ours.ConnectEvent, theirs.ConnectEvent>();
stands<theirs.ConnectEvent, ours.ConnectEvent>();
stands<ours.RequestEvent, theirs.RequestEvent>();
stands<theirs.RequestEvent, ours.RequestEvent>();
stands<ours.RequestTimeoutEvent, theirs.RequestTimeoutEvent>();
stands<theirs.RequestTimeoutEvent, ours.RequestTimeoutEvent>();
stands<ours.RequestQueueSizeEvent, theirs.RequestQueueSizeEvent>();
stands<theirs.RequestQueueSizeEvent, ours.RequestQueueSizeEvent>();
stands<ours.KafkaJSError, theirs.KafkaJSError>();
stands<ours.KafkaJSNonRetriableError, theirs.KafkaJSNonRetriableError>();
stands<ours.KafkaJSProtocolError, theirs.KafkaJSProtocolError>();
stands<ours.KafkaJSNumberOfRetriesExceeded, theirs.KafkaJSNumberOfRetriesExceeded>();
stands<ours.KafkaJSConnectionError, theirs.KafkaJSConnectionError>();
stands<ours.KafkaJSRequestTimeoutError, theirs.KafkaJSRequestTimeoutError>();
stands<ours.KafkaJSAggregateError, theirs.KafkaJSAggregateError>();

stands<ours.Kafka, theirs.Kafka>();
stands<typeof ours.Kafka, typeof theirs.Kafka>();
stands<typeof ours.Partitioners, typeof theirs.Partitioners>();
stands<typeof theirs.Partitioners, typeof ours.Partitioners>();
stands<typeof ours.CompressionCodecs, typeof theirs.CompressionCodecs>();
stands<typeof theirs.CompressionCodecs, typeof ours.CompressionCodecs>();
stands<ours.CompressionTypes, theirs.CompressionTypes>();
stands<ours.logLevel, theirs.logLevel>();
stands<theirs.logLevel, ours.logLevel>();
stands<ours.PartitionMetadata, theirs.PartitionMetadata>();
stands<theirs.PartitionMetadata, ours.PartitionMetadata>();
stands<ours.PartitionerArgs, theirs.PartitionerArgs>();
stands<theirs.PartitionerArgs, ours.PartitionerArgs>();
stands<theirs.TopicMessages, ours.TopicMessages>();
stands<theirs.ISocketFactory, ours.ISocketFactory>();
stands<theirs.BrokersFunction, ours.BrokersFunction>();
stands<theirs.Mechanism, ours.Mechanism>();
stands<theirs.KafkaJSError, ours.KafkaJSError>();
stands<ours.KafkaJSBrokerNotFound, theirs.KafkaJSBrokerNotFound>();
stands<ours.KafkaJSServerDoesNotSupportApiKey, theirs.KafkaJSServerDoesNotSupportApiKey>();
stands<ours.KafkaJSLockTimeout, theirs.KafkaJSLockTimeout>();
stands<typeof kafkajs.Kafka, typeof theirs.Kafka>();

// A function that was written for the one takes the other's producer.
async function written(producer: theirs.Producer): Promise<string | undefined> {
  await producer.connect();
  const off = producer.on(producer.events.REQUEST, ({ payload }) => payload.duration.toFixed());
  off();
  const [place] = await producer.send({ topic: 't', messages: [{ key: 'k', value: Buffer.from('v'), headers: { a: ['b'] } }], acks: -1 });
  return place?.baseOffset;
}
// Where KafkaJS wants a Buffer, any bytes will do.
const bytes = a<Uint8Array>();
void a<ours.Producer>().send({ topic: 't', messages: [{ key: bytes, value: bytes, headers: { a: bytes, b: [bytes] } }] });
void a<ours.Producer>().sendBatch({ topicMessages: [{ topic: 't', messages: [{ value: bytes }] }] });
// @ts-expect-error which is not what KafkaJS says
void a<theirs.Producer>().send({ topic: 't', messages: [{ value: bytes }] });

void written(a<ours.Kafka>().producer({ idempotent: true, createPartitioner: a<typeof ours.Partitioners>().DefaultPartitioner }));
