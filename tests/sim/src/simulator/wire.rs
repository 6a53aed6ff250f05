//! What the producer wrote and read, decoded by another codec than klamm's.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse, RequestHeader};
use kafka_protocol::messages::{ResponseHeader, TopicName};
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use super::record::Sample;
use crate::cluster::decode_batch;

/// `Produce`.
pub const PRODUCE: i16 = ApiKey::Produce as i16;
/// `Metadata`.
pub const METADATA: i16 = ApiKey::Metadata as i16;
/// `InitProducerId`.
pub const INIT_PRODUCER_ID: i16 = ApiKey::InitProducerId as i16;

/// Puts frames together from bytes that come in any pieces.
#[derive(Debug, Default)]
pub struct Frames(BytesMut);

impl Frames {
    /// Bytes, in order.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Is no frame begun?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whole frames, without their size.
impl Iterator for Frames {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let size = usize::try_from((&self.0[..]).try_get_i32().ok()?).ok()?;
        if self.0.len() - 4 < size {
            return None;
        }
        self.0.advance(4);
        Some(self.0.split_to(size).freeze())
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its API key.
    pub api: i16,
    /// Its version.
    pub version: i16,
    /// Its correlation id.
    pub correlation: i32,
    /// Of a Produce: are answers wanted?
    pub acks: i16,
    /// How long the broker may wait for replicas, in milliseconds; Produce only.
    pub timeout_ms: i32,
    /// The batches of a Produce.
    pub batches: Vec<SentBatch>,
}

/// How a request names a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    /// Up to Produce 12.
    Name(String),
    /// From Produce 13 on.
    Id([u8; 16]),
}

/// A batch in a Produce request.
#[derive(Clone, Debug)]
pub struct SentBatch {
    /// The topic.
    pub topic: TopicRef,
    /// The partition.
    pub partition: i32,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// The producer epoch.
    pub epoch: i16,
    /// Sequence of the first record.
    pub sequence: i32,
    /// Numbers of the records.
    pub numbers: Vec<u64>,
    /// The batch as it is.
    pub bytes: Bytes,
}

/// What a Produce answer says of a partition.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The topic.
    pub topic: TopicRef,
    /// The partition.
    pub partition: i32,
    /// The error code.
    pub code: i16,
    /// The offset of the first record, or -1.
    pub base_offset: i64,
}

/// Reads a request frame.
///
/// # Errors
/// When it is not what Kafka expects.
pub fn request(mut frame: Bytes) -> Result<Sent, String> {
    let mut head = frame.clone();
    let api = head.try_get_i16().map_err(|e| e.to_string())?;
    let version = head.try_get_i16().map_err(|e| e.to_string())?;
    let correlation = head.try_get_i32().map_err(|e| e.to_string())?;
    let mut sent = Sent { api, version, correlation, acks: -1, timeout_ms: 0, batches: Vec::new() };
    if api != PRODUCE {
        return Ok(sent);
    }
    RequestHeader::decode(&mut frame, ProduceRequest::header_version(version))
        .map_err(|e| format!("request header: {e}"))?;
    let body = ProduceRequest::decode(&mut frame, version).map_err(|e| format!("Produce: {e}"))?;
    if frame.has_remaining() {
        return Err(format!("Produce: {} bytes too many", frame.remaining()));
    }
    sent.acks = body.acks;
    sent.timeout_ms = body.timeout_ms;
    for topic in body.topic_data {
        let name = topic_ref(version, &topic.name, topic.topic_id.into_bytes());
        for data in topic.partition_data {
            let bytes = data.records.ok_or("Produce without records")?;
            sent.batches.push(batch(name.clone(), data.index, bytes)?);
        }
    }
    Ok(sent)
}

fn topic_ref(version: i16, name: &TopicName, id: [u8; 16]) -> TopicRef {
    if version >= 13 { TopicRef::Id(id) } else { TopicRef::Name(name.to_string()) }
}

fn batch(topic: TopicRef, partition: i32, bytes: Bytes) -> Result<SentBatch, String> {
    const HEADER: usize = 61;
    const LARGEST: usize = 64 << 20;
    if bytes.len() < HEADER {
        return Err(format!("a batch of {} bytes", bytes.len()));
    }
    let stated = (&bytes[17..]).get_u32();
    let computed = crc32c::crc32c(&bytes[21..]);
    if stated != computed {
        return Err(format!("the checksum of a batch is {stated:#x}, should be {computed:#x}"));
    }
    let records = decode_batch(&bytes, LARGEST).ok_or("a batch that cannot be read")?;
    Ok(SentBatch {
        topic,
        partition,
        producer_id: (&bytes[43..]).get_i64(),
        epoch: (&bytes[51..]).get_i16(),
        sequence: (&bytes[53..]).get_i32(),
        numbers: records.iter().map(Sample::number).collect(),
        bytes,
    })
}

/// The correlation id of an answer frame.
pub fn correlation(frame: &Bytes) -> Option<i32> {
    (&frame[..]).try_get_i32().ok()
}

/// Reads the answer to a Produce of this version: the partitions, and the throttle time in
/// milliseconds. `None` if it is not one.
pub fn answer(mut frame: Bytes, version: i16) -> Option<(Vec<Answered>, i32)> {
    ResponseHeader::decode(&mut frame, ProduceResponse::header_version(version)).ok()?;
    let body = ProduceResponse::decode(&mut frame, version).ok()?;
    let mut answers = Vec::new();
    for topic in body.responses {
        let name = topic_ref(version, &topic.name, topic.topic_id.into_bytes());
        answers.extend(topic.partition_responses.into_iter().map(|partition| Answered {
            topic: name.clone(),
            partition: partition.index,
            code: partition.error_code,
            base_offset: partition.base_offset,
        }));
    }
    Some((answers, body.throttle_time_ms))
}
