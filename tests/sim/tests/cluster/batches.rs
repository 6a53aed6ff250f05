//! What is wrong with a batch, row by row of what live brokers answered.

use crate::kit::{Batch, Kit, START_MS, TOPIC, TestRecord, idempotent, only, plain};
use bytes::Bytes;
use klamm_sim::cluster::{Config, TimestampKind, TopicConfig};
use std::io::Write;

fn code(change: impl FnOnce(&mut Batch)) -> i16 {
    let mut batch = plain(2);
    change(&mut batch);
    Kit::one_node().code(batch)
}

fn two_nodes_with(topic: TopicConfig) -> Kit {
    Kit::new(Config::new(1), topic)
}

#[test]
fn bad_crc_magic_3_and_length_1_too_small_are_2() {
    assert_eq!(code(|batch| batch.crc_error = 1), 2);
    assert_eq!(code(|batch| batch.magic = 3), 2);
    assert_eq!(code(|batch| batch.length_error = -1), 2);
}

#[test]
fn what_does_not_fit_together_is_87() {
    assert_eq!(code(|batch| batch.count = Some(3)), 87);
    assert_eq!(code(|batch| batch.last_offset_delta = Some(5)), 87);
    assert_eq!(code(|batch| (batch.count, batch.last_offset_delta) = (Some(3), Some(2))), 87);
    assert_eq!(code(|batch| batch.records.clear()), 87, "count 0");
    assert_eq!(code(|batch| batch.attributes = 1 << 5), 87, "control");
    assert_eq!(code(|batch| batch.base_offset = 1), 87);
    assert_eq!(code(|batch| batch.magic = 1), 87);
    assert_eq!(code(|batch| batch.length_error = 1), 87);
    assert_eq!(code(|batch| batch.records[0].headers.push((None, None))), 87, "null header key");
    let no_sequence = |batch: &mut Batch| {
        (batch.producer_id, batch.epoch, batch.sequence) = (1, 0, -1);
    };
    assert_eq!(code(no_sequence), 87);
}

#[test]
fn two_batches_empty_records_and_garbage_are_87() {
    let mut kit = Kit::one_node();
    let one: Bytes = plain(1).into();
    assert_eq!(kit.code([&one[..], &one[..]].concat()), 87);
    assert_eq!(kit.code(Bytes::new()), 87);
    assert_eq!(kit.code(vec![0xa5; 10]), 87);
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 0);
}

#[test]
fn unused_bits_and_fields_are_accepted() {
    assert_eq!(code(|batch| batch.attributes = 1 << 3), 0, "log append time bit");
    assert_eq!(code(|batch| batch.attributes = 1 << 6), 0, "delete horizon bit");
    assert_eq!(code(|batch| batch.attributes = 1 << 7), 0, "bit 7");
    assert_eq!(code(|batch| batch.records[1].attributes = 1), 0);
    assert_eq!(code(|batch| batch.max_timestamp = 5), 0, "wrong max_timestamp");
    let mut trailing = Bytes::from(plain(1)).to_vec();
    trailing.push(0);
    let mut kit = Kit::one_node();
    assert_eq!(kit.code(trailing), 0, "trailing byte");
    let mut epoch = Bytes::from(plain(1)).to_vec();
    epoch[15] = 9;
    assert_eq!(kit.code(epoch), 0, "partition_leader_epoch 9");
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 2);
}

#[test]
fn offset_deltas_are_trusted_if_uncompressed_and_checked_if_compressed() {
    let deltas = |a: i32, b: i32| {
        let mut batch = plain(2);
        (batch.records[0].offset_delta, batch.records[1].offset_delta) = (a, b);
        batch
    };
    for (a, b) in [(0, 2), (1, 0)] {
        assert_eq!(Kit::one_node().code(deltas(a, b)), 0);
    }
    let gap = deltas(0, 2);
    let data = gzip(&gap.plain_records());
    assert_eq!(Kit::one_node().code(gap.compressed(1, data)), -1);
}

#[test]
fn transactional_bit_without_transactional_id_is_53_for_all_partitions() {
    let mut kit = Kit::one_node();
    let mut batch = plain(1);
    batch.attributes = 1 << 4;
    let request = kit.request(9, -1, [(0, plain(1).into()), (1, batch.into())]);
    let answer: kafka_protocol::messages::ProduceResponse = kit.ask(0, 9, &request);
    let codes: Vec<i16> =
        answer.responses[0].partition_responses.iter().map(|answer| answer.error_code).collect();
    assert_eq!(codes, [53, 53]);
}

#[test]
fn transactional_id_with_a_plain_or_idempotent_batch_is_accepted() {
    let mut kit = Kit::one_node();
    for batch in [plain(1), idempotent(0, 0, 1)] {
        let mut request = kit.request(9, -1, [(0, batch.into())]);
        request.transactional_id = Some(kafka_protocol::messages::TransactionalId(
            kafka_protocol::protocol::StrBytes::from_static_str("tx"),
        ));
        assert_eq!(only(kit.ask(0, 9, &request)).error_code, 0);
    }
}

#[test]
fn producer_id_with_epoch_minus_1_is_accepted_without_state_and_47_with() {
    let mut kit = Kit::one_node();
    assert_eq!(kit.code(idempotent(-1, 0, 1)), 0);
    let mut kit = Kit::one_node();
    assert_eq!(kit.code(idempotent(0, 0, 1)), 0);
    assert_eq!(kit.code(idempotent(-1, 0, 1)), 47);
}

#[test]
fn old_timestamps_are_accepted() {
    for timestamp in [-1, -2, 0, START_MS - 60 * 365 * 86_400_000] {
        assert_eq!(code(|batch| batch.base_timestamp = timestamp), 0);
    }
}

#[test]
fn timestamp_more_than_an_hour_ahead_is_32_and_names_the_record() {
    let mut batch = plain(3);
    batch.records[1].timestamp_delta = 3_600_001;
    let answer = Kit::one_node().produce(batch.clone());
    assert_eq!(answer.error_code, 32);
    assert_eq!(answer.record_errors.len(), 1);
    assert_eq!(answer.record_errors[0].batch_index, 1);
    let any = TopicConfig { max_ahead_ms: None, ..TopicConfig::new(1, 1) };
    assert_eq!(two_nodes_with(any).code(batch.clone()), 0, "Kafka 3.9 has no limit");
    batch.records[1].timestamp_delta = 3_600_000;
    assert_eq!(Kit::one_node().code(batch), 0);
}

#[test]
fn log_append_time_returns_the_append_time_and_checks_no_timestamps() {
    let topic = TopicConfig { timestamps: TimestampKind::LogAppend, ..TopicConfig::new(1, 1) };
    let mut kit = two_nodes_with(topic);
    kit.advance(5_000_000);
    let mut batch = idempotent(0, 0, 1);
    batch.base_timestamp = START_MS + 7_200_000;
    let answer = kit.produce(batch.clone());
    assert_eq!((answer.error_code, answer.log_append_time_ms), (0, START_MS + 5_000));
    let stored: Vec<i64> = kit.cluster.log(TOPIC, 0).map(|record| record.timestamp).collect();
    assert_eq!(stored, [START_MS + 5_000]);
    kit.advance(1_000_000);
    assert_eq!(kit.produce(batch).log_append_time_ms, START_MS + 5_000, "of the stored one");
}

#[test]
fn compacted_topic_refuses_a_null_key_but_not_an_empty_one() {
    let topic = || TopicConfig { compacted: true, ..TopicConfig::new(1, 1) };
    let mut batch = plain(2);
    batch.records[1].key = None;
    let answer = two_nodes_with(topic()).produce(batch.clone());
    assert_eq!(answer.error_code, 87);
    assert_eq!(answer.record_errors[0].batch_index, 1);
    batch.records[1].key = Some(Vec::new());
    assert_eq!(two_nodes_with(topic()).code(batch), 0);
}

#[test]
fn batch_of_max_message_bytes_is_accepted_and_one_more_is_10() {
    let size = Bytes::from(plain(2)).len();
    let topic = |max| TopicConfig { max_message_bytes: max, ..TopicConfig::new(1, 1) };
    assert_eq!(two_nodes_with(topic(size)).code(plain(2)), 0);
    assert_eq!(two_nodes_with(topic(size - 1)).code(plain(2)), 10);
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

fn lz4(data: &[u8], info: lz4_flex::frame::FrameInfo) -> Vec<u8> {
    let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A batch of many records, and what a codec makes of them.
fn coded(codec: i16, encode: impl FnOnce(&[u8]) -> Vec<u8>) -> i16 {
    let batch = plain(500);
    let data = encode(&batch.plain_records());
    let mut kit = Kit::one_node();
    let code = kit.code(batch.compressed(codec, data));
    let read_back: Vec<String> = if code == 0 { kit.values() } else { Vec::new() };
    let expected = if code == 0 { 500 } else { 0 };
    assert_eq!(read_back.len(), expected);
    assert!(read_back.iter().enumerate().all(|(i, value)| *value == format!("v{i}")));
    code
}

#[test]
fn gzip_members_and_trailing_bytes() {
    assert_eq!(coded(1, gzip), 0);
    let members = |data: &[u8]| [gzip(&data[..100]), gzip(&data[100..])].concat();
    assert_eq!(coded(1, members), 0, "several members");
    assert_eq!(coded(1, |data| [gzip(data), vec![1, 2, 3]].concat()), 0, "trailing bytes");
    assert_eq!(
        coded(1, |data| {
            let z = gzip(data);
            z[..z.len() - 9].to_vec()
        }),
        -1,
        "truncated"
    );
    let wrong_trailer = |data: &[u8]| {
        let mut z = gzip(data);
        let at = z.len() - 8;
        z[at] ^= 1;
        z
    };
    assert_eq!(coded(1, wrong_trailer), -1);
    let zlib = |data: &[u8]| {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(data).unwrap();
        out.finish().unwrap()
    };
    assert_eq!(coded(1, zlib), -1);
}

#[test]
fn snappy_bare_and_xerial() {
    let bare = |data: &[u8]| snap::raw::Encoder::new().compress_vec(data).unwrap();
    assert_eq!(coded(2, bare), 0);
    for chunk in [1_000, 32_768] {
        let xerial = |data: &[u8]| {
            let mut out = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            for block in data.chunks(chunk).map(bare) {
                out.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
                out.extend(block);
            }
            out
        };
        assert_eq!(coded(2, xerial), 0);
    }
    let google = |data: &[u8]| {
        let mut out = snap::write::FrameEncoder::new(Vec::new());
        out.write_all(data).unwrap();
        out.into_inner().unwrap()
    };
    assert_eq!(coded(2, google), -1);
    assert_eq!(coded(2, |_| vec![0xff; 50]), -1, "garbage");
}

#[test]
fn lz4_frames() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
    let info = || FrameInfo::new().block_mode(BlockMode::Independent);
    assert_eq!(coded(3, |data| lz4(data, info())), 0);
    assert_eq!(coded(3, |data| lz4(data, info().block_size(BlockSize::Max4MB))), 0);
    assert_eq!(coded(3, |data| lz4(data, info().block_checksums(true))), 0);
    assert_eq!(coded(3, |data| lz4(data, info().content_checksum(true))), 0);
    let sized = |data: &[u8]| lz4(data, info().content_size(Some(data.len() as u64)));
    assert_eq!(coded(3, sized), 0);
    let linked = |data: &[u8]| lz4(data, FrameInfo::new().block_mode(BlockMode::Linked));
    assert_eq!(coded(3, linked), -1);
    let wrong_header_checksum = |data: &[u8]| {
        let mut frame = lz4(data, info());
        frame[6] ^= 1;
        frame
    };
    assert_eq!(coded(3, wrong_header_checksum), -1);
    let no_end_mark = |data: &[u8]| {
        let frame = lz4(data, info());
        frame[..frame.len() - 4].to_vec()
    };
    assert_eq!(coded(3, no_end_mark), -1);
    let skippable = |data: &[u8]| [vec![0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], lz4(data, info())];
    assert_eq!(coded(3, |data| skippable(data).concat()), -1);
    assert_eq!(coded(3, lz4_flex::block::compress), -1, "raw block");
    let two = |data: &[u8]| [lz4(&data[..100], info()), lz4(&data[100..], info())].concat();
    assert_eq!(coded(3, two), 87, "a second frame is not read");
}

#[test]
fn zstd_frames() {
    assert_eq!(coded(4, zstd), 0);
    let two = |data: &[u8]| [zstd(&data[..100]), zstd(&data[100..])].concat();
    assert_eq!(coded(4, two), 0, "two frames");
    let skippable = |data: &[u8]| [vec![0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7], zstd(data)];
    assert_eq!(coded(4, |data| skippable(data).concat()), 0, "skippable frame");
    assert_eq!(
        coded(4, |data| {
            let z = zstd(data);
            z[..z.len() - 9].to_vec()
        }),
        -1,
        "truncated"
    );
    assert_eq!(coded(4, |data| [zstd(data), vec![1, 2, 3]].concat()), -1, "trailing bytes");
}

#[test]
fn zstd_below_version_7_is_76_and_codecs_5_to_7_are_unknown() {
    let batch = plain(1);
    let data = zstd(&batch.plain_records());
    let batch = batch.compressed(4, data);
    assert_eq!(Kit::one_node().produce_as(6, batch.clone()).error_code, 76);
    assert_eq!(Kit::one_node().produce_as(7, batch).error_code, 0);
    for codec in 5..8 {
        assert_eq!(Kit::one_node().code(plain(1).compressed(codec, vec![0; 9])), -1);
    }
}

#[test]
fn a_bomb_is_refused_at_the_limit() {
    let mut config = Config::new(1);
    config.max_decompressed = 100_000;
    let mut kit = Kit::new(config, TopicConfig::new(1, 1));
    let batch = plain(1);
    for codec in [1, 2, 3, 4] {
        let zeros = vec![0; 1_000_000];
        let data = match codec {
            1 => gzip(&zeros),
            2 => snap::raw::Encoder::new().compress_vec(&zeros).unwrap(),
            3 => lz4(
                &zeros,
                lz4_flex::frame::FrameInfo::new()
                    .block_mode(lz4_flex::frame::BlockMode::Independent),
            ),
            _ => zstd(&zeros),
        };
        assert_eq!(kit.code(batch.clone().compressed(codec, data)), -1);
    }
}

#[test]
fn headers_keys_and_nulls_are_read_back() {
    let record = TestRecord {
        attributes: 0,
        timestamp_delta: -7,
        offset_delta: 0,
        key: None,
        value: None,
        headers: vec![(Some(b"h".to_vec()), None), (Some(b"h".to_vec()), Some(b"2".to_vec()))],
    };
    let mut kit = Kit::one_node();
    let batch = Batch { records: vec![record], ..plain(1) };
    assert_eq!(kit.code(batch), 0);
    let record = kit.cluster.log(TOPIC, 0).next().unwrap();
    assert_eq!((record.key, record.value, record.timestamp), (None, None, START_MS - 7));
    let header = |value: Option<&'static [u8]>| (Bytes::from("h"), value.map(Bytes::from));
    assert_eq!(record.headers, [header(None), header(Some(b"2"))]);
    assert_eq!((record.producer_id, record.sequence), (-1, -1));
}
