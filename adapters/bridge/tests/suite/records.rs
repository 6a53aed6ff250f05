//! Produce requests, by kafka-protocol's encoder.

use std::io::Write;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::records::{
    Compression as Codec, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::common::now_s;

/// One record of this producer, for partition 0 of a topic.
pub(crate) fn request(topic: &str, producer_id: i64, sequence: i32, value: &str) -> ProduceRequest {
    let record = Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id,
        producer_epoch: if producer_id < 0 { -1 } else { 0 },
        timestamp_type: TimestampType::Creation,
        offset: 0,
        sequence: if producer_id < 0 { -1 } else { sequence },
        timestamp: i64::try_from(now_s() * 1_000).unwrap(),
        key: None,
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: Default::default(),
    };
    let options = RecordEncodeOptions { version: 2, compression: Codec::None };
    let mut batch = BytesMut::new();
    RecordBatchEncoder::encode(&mut batch, [&record], &options).expect("batch");
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.freeze()));
    let topic = TopicProduceData::default()
        .with_name(TopicName(topic.to_owned().into()))
        .with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

/// The same, its one batch compressed.
pub(crate) fn gzipped(mut request: ProduceRequest) -> ProduceRequest {
    let records = &mut request.topic_data[0].partition_data[0].records;
    let plain = records.take().expect("records");
    let mut encoder = GzEncoder::new(plain[..61].to_vec(), Compression::best());
    encoder.write_all(&plain[61..]).expect("written");
    let mut batch = encoder.finish().expect("finished");
    let length = i32::try_from(batch.len() - 12).expect("length");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[22] |= 1;
    let checksum = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    *records = Some(batch.into());
    request
}
