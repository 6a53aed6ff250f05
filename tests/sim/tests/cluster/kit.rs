//! A client that speaks frames, and batches made by hand.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    InitProducerIdRequest, MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
    RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use klamm_sim::cluster::{Cluster, Config, PeerId, Processing, TopicConfig};
use uuid::Uuid;

pub(crate) const TOPIC: &str = "events";
pub(crate) const PID: i64 = 4711;

/// One client, at first connected to node 1.
pub(crate) struct Kit {
    pub(crate) cluster: Cluster,
    pub(crate) peer: PeerId,
    pub(crate) now: u64,
    correlation_id: i32,
}

impl Kit {
    /// One node, topic `events` with 3 partitions.
    pub(crate) fn one_node() -> Self {
        Self::new(Config::new(1), TopicConfig::new(3, 1))
    }

    /// Three nodes, topic `events` with 3 partitions and 3 replicas; node 1 leads partition 0.
    pub(crate) fn three_nodes() -> Self {
        Self::new(Config::new(3), TopicConfig::new(3, 3))
    }

    /// The same, driven step by step.
    pub(crate) fn three_nodes_by_hand() -> Self {
        let mut config = Config::new(3);
        config.processing = Processing::Manual;
        config.automatic_election = false;
        Self::new(config, TopicConfig::new(3, 3))
    }

    pub(crate) fn new(config: Config, topic: TopicConfig) -> Self {
        let mut cluster = Cluster::new(config);
        cluster.create_topic(TOPIC, topic).unwrap();
        let peer = cluster.accept(1, 0).unwrap();
        Self { cluster, peer, now: 0, correlation_id: 0 }
    }

    /// Another connection; the one there was stays open.
    pub(crate) fn connect(&mut self, node: i32) {
        self.peer = self.cluster.accept(node, self.now).unwrap();
    }

    /// Sends a request, returns its correlation id.
    pub(crate) fn send<T: Encodable + HeaderVersion>(
        &mut self,
        key: i16,
        version: i16,
        request: &T,
    ) -> i32 {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("kit")));
        let mut body = BytesMut::new();
        header.encode(&mut body, T::header_version(version)).unwrap();
        request.encode(&mut body, version).unwrap();
        self.send_frame(&body);
        self.correlation_id
    }

    /// Sends bytes with their length before them.
    pub(crate) fn send_frame(&mut self, body: &[u8]) {
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(body.len()).unwrap());
        frame.put_slice(body);
        self.cluster.receive(self.peer, &frame, self.now);
    }

    /// The next frame that can be read, without its length.
    pub(crate) fn read(&mut self) -> Option<Bytes> {
        let mut readable = self.cluster.readable(self.peer);
        if readable.is_empty() {
            return None;
        }
        let size = usize::try_from(readable.get_i32()).unwrap();
        let frame = Bytes::copy_from_slice(&readable[..size]);
        self.cluster.consume(self.peer, 4 + size);
        Some(frame)
    }

    /// The answer to the oldest request; it must be there.
    pub(crate) fn answer<T: Decodable + HeaderVersion>(&mut self, version: i16) -> (i32, T) {
        let mut frame = self.read().unwrap();
        let header = ResponseHeader::decode(&mut frame, T::header_version(version)).unwrap();
        let body = T::decode(&mut frame, version).unwrap();
        assert!(frame.is_empty(), "bytes behind the answer");
        (header.correlation_id, body)
    }

    /// Sends and reads the answer.
    pub(crate) fn ask<Q, A>(&mut self, key: i16, version: i16, request: &Q) -> A
    where
        Q: Encodable + HeaderVersion,
        A: Decodable + HeaderVersion,
    {
        let sent = self.send(key, version, request);
        let (correlation_id, answer) = self.answer(version);
        assert_eq!(sent, correlation_id);
        answer
    }

    pub(crate) fn closed(&self) -> bool {
        self.cluster.wants_close(self.peer) && self.cluster.readable(self.peer).is_empty()
    }

    /// Produces one batch to partition 0 with acks=-1 and returns the answer to it.
    pub(crate) fn produce(&mut self, batch: impl Into<Bytes>) -> PartitionProduceResponse {
        self.produce_as(9, batch)
    }

    pub(crate) fn produce_as(
        &mut self,
        version: i16,
        batch: impl Into<Bytes>,
    ) -> PartitionProduceResponse {
        let request = self.request(version, -1, [(0, batch.into())]);
        let answer: ProduceResponse = self.ask(0, version, &request);
        only(answer)
    }

    /// The code of [`produce`](Self::produce).
    pub(crate) fn code(&mut self, batch: impl Into<Bytes>) -> i16 {
        self.produce(batch).error_code
    }

    /// Code and base offset of [`produce`](Self::produce).
    pub(crate) fn result(&mut self, batch: impl Into<Bytes>) -> (i16, i64) {
        let answer = self.produce(batch);
        (answer.error_code, answer.base_offset)
    }

    /// A request for partitions of the topic.
    pub(crate) fn request(
        &self,
        version: i16,
        acks: i16,
        batches: impl IntoIterator<Item = (i32, Bytes)>,
    ) -> ProduceRequest {
        let partitions = batches.into_iter().map(|(index, records)| {
            PartitionProduceData::default().with_index(index).with_records(Some(records))
        });
        let mut topic = TopicProduceData::default().with_partition_data(partitions.collect());
        if version >= 13 {
            topic.topic_id = Uuid::from_bytes(self.cluster.topic_id(TOPIC).unwrap_or_default());
        } else {
            topic.name = name(TOPIC);
        }
        ProduceRequest::default()
            .with_acks(acks)
            .with_timeout_ms(30_000)
            .with_topic_data(vec![topic])
    }

    /// Metadata for topics by name.
    pub(crate) fn metadata(&mut self, version: i16, topics: &[&str]) -> MetadataResponse {
        let topics = topics
            .iter()
            .map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))))
            .collect();
        let request = MetadataRequest::default()
            .with_topics(Some(topics))
            .with_allow_auto_topic_creation(true);
        self.ask(3, version, &request)
    }

    pub(crate) fn advance(&mut self, micros: u64) {
        self.now += micros;
        self.cluster.handle_timeout(self.now);
    }

    /// Values in partition 0.
    pub(crate) fn values(&self) -> Vec<String> {
        let text = |bytes: Option<Bytes>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        self.cluster.log(TOPIC, 0).map(|record| text(record.value)).collect()
    }
}

/// What an idempotent producer asks for.
pub(crate) fn init_producer_id() -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
}

pub(crate) fn name(text: &str) -> TopicName {
    TopicName(StrBytes::from_string(text.to_string()))
}

/// The one partition of an answer.
pub(crate) fn only(answer: ProduceResponse) -> PartitionProduceResponse {
    assert_eq!(answer.responses.len(), 1);
    assert_eq!(answer.responses[0].partition_responses.len(), 1);
    answer.responses[0].partition_responses[0].clone()
}

/// A batch to be: change what is to be wrong.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) base_offset: i64,
    /// Added to the right length.
    pub(crate) length_error: i32,
    pub(crate) magic: i8,
    pub(crate) crc_error: u32,
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: Option<i32>,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    pub(crate) count: Option<i32>,
    pub(crate) records: Vec<TestRecord>,
    /// Stands for the records, compressed or broken.
    pub(crate) data: Option<Vec<u8>>,
}

type Nullable = Option<Vec<u8>>;

#[derive(Clone)]
pub(crate) struct TestRecord {
    pub(crate) attributes: u8,
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Nullable, Nullable)>,
}

/// The time at which the model's clock shows 0.
pub(crate) const START_MS: i64 = 1_700_000_000_000;

/// `n` records of an idempotent producer.
pub(crate) fn idempotent(epoch: i16, sequence: i32, n: i32) -> Batch {
    Batch { producer_id: PID, epoch, sequence, ..plain(n) }
}

/// `n` records without a producer id, with values `v0`, `v1`, …
pub(crate) fn plain(n: i32) -> Batch {
    let record = |i| TestRecord {
        attributes: 0,
        timestamp_delta: 0,
        offset_delta: i,
        key: Some(vec![b'k']),
        value: Some(format!("v{i}").into_bytes()),
        headers: Vec::new(),
    };
    Batch {
        base_offset: 0,
        length_error: 0,
        magic: 2,
        crc_error: 0,
        attributes: 0,
        last_offset_delta: None,
        base_timestamp: START_MS,
        max_timestamp: START_MS,
        producer_id: -1,
        epoch: -1,
        sequence: -1,
        count: None,
        records: (0..n).map(record).collect(),
        data: None,
    }
}

impl Batch {
    pub(crate) fn value(mut self, text: &str) -> Self {
        self.records[0].value = Some(text.as_bytes().to_vec());
        self
    }

    /// The records as they are before compression.
    pub(crate) fn plain_records(&self) -> Vec<u8> {
        self.records.iter().flat_map(TestRecord::encode).collect()
    }

    pub(crate) fn compressed(mut self, codec: i16, data: Vec<u8>) -> Self {
        self.attributes |= codec;
        self.data = Some(data);
        self
    }
}

impl From<Batch> for Bytes {
    fn from(batch: Batch) -> Self {
        let data = batch.data.clone().unwrap_or_else(|| batch.plain_records());
        let count = i32::try_from(batch.records.len()).unwrap();
        let mut checked = Vec::new();
        checked.put_i16(batch.attributes);
        checked.put_i32(batch.last_offset_delta.unwrap_or(count - 1));
        checked.put_i64(batch.base_timestamp);
        checked.put_i64(batch.max_timestamp);
        checked.put_i64(batch.producer_id);
        checked.put_i16(batch.epoch);
        checked.put_i32(batch.sequence);
        checked.put_i32(batch.count.unwrap_or(count));
        checked.put_slice(&data);
        let mut out = Vec::new();
        out.put_i64(batch.base_offset);
        out.put_i32(i32::try_from(checked.len() + 9).unwrap() + batch.length_error);
        out.put_i32(-1);
        out.put_i8(batch.magic);
        out.put_u32(crc32c::crc32c(&checked) ^ batch.crc_error);
        out.put_slice(&checked);
        out.into()
    }
}

impl TestRecord {
    fn encode(&self) -> Vec<u8> {
        let mut body = vec![self.attributes];
        varint(&mut body, self.timestamp_delta);
        varint(&mut body, self.offset_delta.into());
        nullable(&mut body, self.key.as_deref());
        nullable(&mut body, self.value.as_deref());
        varint(&mut body, i64::try_from(self.headers.len()).unwrap());
        for (key, value) in &self.headers {
            nullable(&mut body, key.as_deref());
            nullable(&mut body, value.as_deref());
        }
        let mut out = Vec::new();
        varint(&mut out, i64::try_from(body.len()).unwrap());
        out.extend(body);
        out
    }
}

fn nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint(out, -1),
        Some(bytes) => {
            varint(out, i64::try_from(bytes.len()).unwrap());
            out.extend_from_slice(bytes);
        }
    }
}

fn varint(out: &mut Vec<u8>, n: i64) {
    let mut n = ((n << 1) ^ (n >> 63)).cast_unsigned();
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}
