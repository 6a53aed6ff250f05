//! Requests as pages, and attackers, send them, by kafka-protocol's encoder.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestHeader, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::kafka::Reader;
use crate::kafka::api_versions::Offer;

/// Unix time in the tests.
pub(super) const NOW_MS: i64 = 1_790_000_000_000;
/// The page's producer id.
pub(super) const OWNED: i64 = 4_711;
/// What the page calls its request.
pub(super) const CORRELATION: i32 = 0x0a0b_0c0d;

/// What Kafka 4.3 offers of interest.
pub(super) fn offer() -> Offer {
    let mut answer = BytesMut::new();
    answer.put_i16(0);
    let ranges = [(0, 0, 13), (3, 0, 13), (18, 0, 4), (22, 0, 5), (1, 4, 17)];
    answer.put_i32(5);
    for (key, least, most) in ranges {
        answer.put_i16(key);
        answer.put_i16(least);
        answer.put_i16(most);
    }
    Offer::read(Reader::new(&answer, false)).expect("offer")
}

pub(super) fn request<T: Encodable>(key: ApiKey, version: i16, body: &T) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION)
        .with_client_id(Some(StrBytes::from_static_str("page")));
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).expect("header");
    body.encode(&mut frame, version).expect("body");
    frame.to_vec()
}

/// Produce of one batch each to some partitions.
pub(super) fn produce(parts: &[(&str, i32, Bytes)]) -> ProduceRequest {
    let topics = parts.iter().map(|(topic, index, records)| {
        let data =
            PartitionProduceData::default().with_index(*index).with_records(Some(records.clone()));
        TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string((*topic).to_owned())))
            .with_partition_data(vec![data])
    });
    let topics = topics.collect();
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(topics)
}

/// The frame of the same.
pub(super) fn produce_frame(version: i16, parts: &[(&str, i32, Bytes)]) -> Vec<u8> {
    request(ApiKey::Produce, version, &produce(parts))
}

/// A batch of the page's producer.
pub(super) fn batch(count: i32) -> Bytes {
    batch_with(count, |_| ())
}

pub(super) fn batch_with(count: i32, change: impl Fn(&mut Record)) -> Bytes {
    compressed(count, Compression::None, change, |plain| plain.to_vec())
}

pub(super) fn compressed(
    count: i32,
    compression: Compression,
    change: impl Fn(&mut Record),
    compress: impl Fn(&[u8]) -> Vec<u8>,
) -> Bytes {
    let records: Vec<Record> = (0..count)
        .map(|index| {
            let mut record = record(index);
            change(&mut record);
            record
        })
        .collect();
    let options = RecordEncodeOptions { version: 2, compression };
    let mut bytes = BytesMut::new();
    let compressor = |plain: &mut BytesMut, out: &mut BytesMut, _: Compression| {
        out.put_slice(&compress(plain));
        Ok(())
    };
    RecordBatchEncoder::encode_with_custom_compression(
        &mut bytes,
        records.iter(),
        &options,
        Some(compressor),
    )
    .expect("batch");
    bytes.freeze()
}

fn record(index: i32) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: OWNED,
        producer_epoch: 0,
        timestamp_type: TimestampType::Creation,
        offset: index.into(),
        sequence: 100 + index,
        timestamp: NOW_MS + i64::from(index),
        key: Some(Bytes::from(format!("key-{index}"))),
        value: Some(Bytes::from(vec![b'v'; 40])),
        headers: [(StrBytes::from_static_str("own"), Some(Bytes::from_static(b"1")))]
            .into_iter()
            .collect(),
    }
}

/// Changes bytes of a batch, and makes its checksum right again.
pub(super) fn altered(batch: &Bytes, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = batch.to_vec();
    change(&mut bytes);
    let sum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&sum.to_be_bytes());
    bytes.into()
}
