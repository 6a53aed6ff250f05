//! S18, S19: crafted batches.

use std::io::Write;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestHeader};
use kafka_protocol::protocol::Decodable;
use kafka_protocol::records::{Compression, RecordBatchDecoder, RecordSet};

use super::forge::{
    NOW_MS, OWNED, altered, batch, batch_with, compressed, produce, produce_frame, request,
};
use super::{Page, assert_closed, assert_refused, forwarded};
use crate::config::PolicyConfig;
use crate::gate::Verdict;
use crate::kafka::Code;
use crate::kafka::batch::Batch;
use crate::kafka::inflate::inflate;

fn send(batch: Bytes) -> crate::gate::Judgement {
    Page::new().judge(&produce_frame(9, &[("events", 3, batch)]))
}

/// The request that a broker would get, by kafka-protocol's decoder.
fn decode(frame: &[u8], version: i16) -> ProduceRequest {
    let mut bytes = Bytes::copy_from_slice(&frame[4..]);
    assert_eq!(frame[..4], i32::try_from(bytes.len()).expect("length").to_be_bytes());
    let head = if version >= 9 { 2 } else { 1 };
    let header = RequestHeader::decode(&mut bytes, head).expect("header");
    assert_eq!(header.correlation_id, 7);
    assert_eq!(header.client_id.as_deref(), Some("bridge"));
    assert_eq!((header.request_api_key, header.request_api_version), (0, version));
    let request = ProduceRequest::decode(&mut bytes, version).expect("body");
    assert!(bytes.is_empty());
    request
}

fn records(request: &ProduceRequest) -> Bytes {
    request.topic_data[0].partition_data[0].records.clone().expect("records")
}

fn decoded(batch: &Bytes) -> RecordSet {
    RecordBatchDecoder::decode(&mut batch.clone()).expect("batch")
}

#[test]
fn a_good_batch_is_passed_on_as_it_is() {
    for version in 3..=12 {
        let batch = batch(5);
        let judged = Page::new().judge(&produce_frame(version, &[("events", 3, batch.clone())]));
        assert_eq!(judged.records, 5);
        let request = decode(&forwarded(judged), version);
        assert_eq!((request.acks, request.timeout_ms), (-1, 30_000));
        assert_eq!(&*request.topic_data[0].name.0, "events");
        assert_eq!(records(&request), batch);
    }
}

#[test]
fn limits_of_the_request_are_the_bridges() {
    let body = produce(&[("events", 3, batch(1))]).with_timeout_ms(i32::MAX);
    let judged = Page::new().judge(&request(ApiKey::Produce, 9, &body));
    assert_eq!(decode(&forwarded(judged), 9).timeout_ms, 60_000);
    let body = produce(&[("events", 3, batch(1))]).with_acks(2);
    let judged = Page::new().judge(&request(ApiKey::Produce, 9, &body));
    assert_refused(&judged, Code::INVALID_REQUIRED_ACKS);
}

#[test]
fn control_and_transactional_batches_are_refused() {
    let control = altered(&batch(2), |bytes| bytes[22] |= 1 << 5);
    assert_refused(&send(control), Code::INVALID_RECORD);
    let transactional = altered(&batch(2), |bytes| bytes[22] |= 1 << 4);
    assert_refused(&send(transactional), Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    for bit in [3, 6, 7, 8, 15] {
        let odd = altered(&batch(2), |bytes| {
            let attributes = 1_u16 << bit;
            bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
        });
        assert_refused(&send(odd), Code::INVALID_RECORD);
    }
    let id = kafka_protocol::messages::TransactionalId("tx".into());
    let body = produce(&[("events", 3, batch(1))]).with_transactional_id(Some(id));
    let judged = Page::new().judge(&request(ApiKey::Produce, 9, &body));
    assert_refused(&judged, Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
}

#[test]
fn a_batch_that_does_not_add_up_is_refused() {
    let set = |at: usize, value: &'static [u8]| {
        altered(&batch(3), move |bytes| bytes[at..at + value.len()].copy_from_slice(value))
    };
    for (what, wrong) in [
        ("base offset", set(0, &[0, 0, 0, 0, 0, 0, 0, 1])),
        ("length", set(8, &[0, 0, 0, 9])),
        ("negative length", set(8, &[0xff; 4])),
        ("magic", set(16, &[1])),
        ("last offset delta", set(23, &[0, 0, 0, 3])),
        ("max timestamp", set(35, &[0; 8])),
        ("producer id without an epoch", set(51, &[0xff, 0xff])),
        ("producer id below -1", set(43, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe])),
        ("sequence", set(53, &[0xff; 4])),
        ("count", set(57, &[0, 0, 0, 2])),
        ("no records", set(57, &[0; 4])),
        ("count below 0", set(57, &[0x80, 0, 0, 0])),
        ("length of a record", set(61, &[0x7f])),
        ("attributes of a record", set(62, &[1])),
        ("offset of a record", set(64, &[2])),
        ("one byte more", altered(&batch(3), |bytes| bytes.push(0))),
        ("two batches", [&batch(1)[..], &batch(1)[..]].concat().into()),
        ("nothing", Bytes::new()),
        ("a head alone", batch(1).slice(..61)),
        ("garbage", Bytes::from(vec![7; 200])),
    ] {
        let judged = send(wrong);
        assert!(matches!(judged.verdict, Verdict::Answer(_)), "{what}: {judged:?}");
        assert_eq!(judged.refused.len(), 1, "{what}");
    }
    let fewer = altered(&batch(3), |bytes| {
        bytes[23..27].copy_from_slice(&1_i32.to_be_bytes());
        bytes[57..61].copy_from_slice(&2_i32.to_be_bytes());
    });
    assert_refused(&send(fewer), Code::INVALID_RECORD);
}

#[test]
fn a_wrong_checksum_is_a_corrupt_message() {
    let good = batch(2);
    for at in 21..good.len() {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x40;
        assert_refused(&send(bytes.into()), Code::CORRUPT_MESSAGE);
    }
}

#[test]
fn a_producer_id_of_somebody_else_is_refused() {
    let judged = send(batch_with(1, |record| record.producer_id = OWNED + 1));
    assert_refused(&judged, Code::CLUSTER_AUTHORIZATION_FAILED);
    let judged = send(batch_with(1, |record| {
        (record.producer_id, record.producer_epoch, record.sequence) = (-1, -1, -1);
    }));
    assert_eq!(judged.records, 1);
}

#[test]
fn records_from_far_in_the_future_are_refused() {
    let ahead = |ms: i64| send(batch_with(1, move |record| record.timestamp = NOW_MS + ms));
    assert_eq!(ahead(3_600_000).records, 1);
    assert_refused(&ahead(3_600_001), Code::INVALID_TIMESTAMP);
    assert_refused(&send(batch_with(1, |record| record.timestamp = -5)), Code::INVALID_TIMESTAMP);
}

#[test]
fn a_bad_partition_does_not_harm_a_good_one() {
    let parts =
        [("events", 0, batch(2)), ("events", 1, Bytes::from(vec![0; 80])), ("secret", 0, batch(1))];
    let judged = Page::new().judge(&produce_frame(9, &parts));
    assert_eq!(judged.refused, [Code::INVALID_RECORD, Code::TOPIC_AUTHORIZATION_FAILED]);
    assert_eq!(judged.records, 2);
    let request = decode(&forwarded(judged), 9);
    assert_eq!(request.topic_data.len(), 1);
    assert_eq!(request.topic_data[0].partition_data[0].index, 0);
}

#[test]
fn with_acks_0_a_refusal_closes_and_nothing_is_passed_on() {
    let body = produce(&[("events", 0, batch(1)), ("secret", 0, batch(1))]).with_acks(0);
    assert_closed(&Page::new().judge(&request(ApiKey::Produce, 9, &body)));
    let body = produce(&[("events", 0, batch(1))]).with_acks(0);
    let judged = Page::new().judge(&request(ApiKey::Produce, 9, &body));
    assert!(matches!(judged.verdict, Verdict::Forward(_, None)), "{judged:?}");
}

#[test]
fn a_partition_twice_is_no_request() {
    assert_closed(
        &Page::new().judge(&produce_frame(9, &[("events", 0, batch(1)), ("events", 0, batch(1))])),
    );
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("write");
    encoder.finish().expect("finish")
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).expect("write");
    encoder.finish().expect("finish")
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).expect("snappy")
}

/// As Java's producer frames it.
fn xerial(plain: &[u8]) -> Vec<u8> {
    let mut out = vec![0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
    for piece in plain.chunks(50) {
        let block = snappy(piece);
        out.extend_from_slice(&i32::try_from(block.len()).expect("length").to_be_bytes());
        out.extend_from_slice(&block);
    }
    out
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 3).expect("zstd")
}

type Compress = fn(&[u8]) -> Vec<u8>;
const CODECS: [(Compression, Compress); 5] = [
    (Compression::Gzip, gzip),
    (Compression::Snappy, snappy),
    (Compression::Snappy, xerial),
    (Compression::Lz4, lz4),
    (Compression::Zstd, zstd),
];

#[test]
fn compressed_batches_are_looked_into_and_passed_on_as_they_are() {
    for (codec, compress) in CODECS {
        let good = compressed(5, codec, |_| (), compress);
        let judged = send(good.clone());
        assert_eq!(judged.records, 5, "{codec:?}");
        assert_eq!(records(&decode(&forwarded(judged), 9)), good);
        // The count says 5, and there are 4.
        let short = compressed(
            5,
            codec,
            |_| (),
            |plain| {
                let first = usize::from(plain[0] / 2) + 1;
                compress(&plain[first..])
            },
        );
        assert_refused(&send(short), Code::INVALID_RECORD);
        let truncated = compressed(
            5,
            codec,
            |_| (),
            |plain| {
                let bytes = compress(plain);
                bytes[..bytes.len() / 2].to_vec()
            },
        );
        assert_refused(&send(truncated), Code::INVALID_RECORD);
    }
}

#[test]
fn a_bomb_is_given_up_at_the_bound() {
    // 64 MiB of zeros in a few kilobytes, against a bound of 1 MiB.
    let zeros = vec![0; 64 << 20];
    for (codec, compress) in CODECS {
        let small = compress(&zeros);
        let judged = send(compressed(1, codec, |_| (), |_| small.clone()));
        let too_large = small.len() > 1 << 20 || judged.refused == [Code::MESSAGE_TOO_LARGE];
        assert!(too_large, "{codec:?}: {judged:?}");
        let codec =
            Batch::read(&compressed(1, codec, |_| (), |_| small.clone())).expect("head").codec;
        assert!(inflate(codec, &small, 1 << 20).is_err());
    }
}

#[test]
fn many_small_bombs_are_no_more_than_a_large_one() {
    // Each half the bound, which is for all of a request.
    let zeros = vec![0; 1 << 19];
    for (codec, compress) in CODECS {
        let bomb = compressed(1, codec, |_| (), |_| compress(&zeros));
        let parts: Vec<_> = (0..20).map(|index| ("events", index, bomb.clone())).collect();
        let judged = Page::new().judge(&produce_frame(9, &parts));
        assert!(judged.inflated <= 1 << 20, "{codec:?}: {}", judged.inflated);
        assert_eq!(judged.refused[..2], [Code::INVALID_RECORD; 2], "{codec:?}");
        // What by itself would have been looked at is not refused for ever.
        assert_eq!(judged.refused[2..], [Code::NOT_ENOUGH_REPLICAS; 18], "{codec:?}");
        // And what needs no room is not refused at all.
        let with_plain = [&parts[..3], &[("other", 0, batch(2))]].concat();
        assert_eq!(Page::new().judge(&produce_frame(9, &with_plain)).records, 2);
    }
    let good = compressed(5, Compression::Zstd, |_| (), zstd);
    let judged = send(good);
    assert!(judged.inflated > 100 && judged.inflated < 10_000, "{}", judged.inflated);
}

#[test]
fn a_request_of_refusals_is_no_request() {
    // Six bytes of a request would be sixty of an answer.
    let parts =
        |count| -> Vec<_> { (0..count).map(|index| ("secret", index, Bytes::new())).collect() };
    let judged = Page::new().judge(&produce_frame(9, &parts(1_000)));
    assert_eq!(judged.refused.len(), 1_000);
    assert_closed(&Page::new().judge(&produce_frame(9, &parts(1_001))));
}

#[test]
fn headers_of_the_bridge_do_not_make_batches_longer_than_the_bound() {
    let long = format!("by={}", "x".repeat(600_000));
    let page = Page::with(&PolicyConfig { add_headers: vec![long], ..Default::default() });
    let judge = |count| page.judge(&produce_frame(9, &[("events", 0, batch(count))]));
    assert_eq!(judge(1).records, 1);
    assert_refused(&judge(2), Code::MESSAGE_TOO_LARGE);
}

#[test]
fn compressions_can_be_forbidden() {
    let page = Page::with(&PolicyConfig { codecs: vec!["none".to_owned()], ..Default::default() });
    for (codec, compress) in CODECS {
        let frame = produce_frame(9, &[("events", 0, compressed(2, codec, |_| (), compress))]);
        assert_refused(&page.judge(&frame), Code::UNSUPPORTED_COMPRESSION_TYPE);
    }
    for codec in 5..8 {
        let odd = altered(&batch(1), |bytes| bytes[22] |= codec);
        assert_refused(&send(odd), Code::UNSUPPORTED_COMPRESSION_TYPE);
    }
}

#[test]
fn headers_by_policy_are_the_same_at_every_retry() {
    let page = Page::with(&PolicyConfig {
        add_headers: vec!["subject={sub}".to_owned(), "via=bridge".to_owned()],
        remove_headers: vec!["own".to_owned(), "x-*".to_owned()],
        ..Default::default()
    });
    let forge = |record: &mut kafka_protocol::records::Record| {
        record.headers.insert("subject".into(), Some(Bytes::from_static(b"mallory")));
        record.headers.insert("x-internal".into(), None);
        record.headers.insert("kept".into(), None);
    };
    let plain = batch_with(3, forge);
    for (batch, what) in [
        (plain.clone(), "plain"),
        (compressed(3, Compression::Zstd, forge, zstd), "zstd"),
        (compressed(3, Compression::Gzip, forge, gzip), "gzip"),
    ] {
        let judge = || page.judge(&produce_frame(9, &[("events", 0, batch.clone())]));
        let frame = forwarded(judge());
        assert_eq!(frame, forwarded(judge()), "{what}");
        let written = records(&decode(&frame, 9));
        let (before, after) = (decoded(&plain), decoded(&written));
        assert_eq!(after.compression, Compression::None);
        for (before, after) in before.records.iter().zip(&after.records) {
            let headers: Vec<_> = after.headers.iter().map(|(k, v)| (&**k, v.as_deref())).collect();
            let expected: [(&str, Option<&[u8]>); 3] =
                [("kept", None), ("subject", Some(b"alice")), ("via", Some(b"bridge"))];
            assert_eq!(headers, expected, "{what}");
            let mut after = after.clone();
            after.headers = before.headers.clone();
            assert_eq!(&after, before, "{what}");
        }
        assert_eq!(before.records.len(), after.records.len());
    }
}

#[test]
fn too_many_headers_are_refused() {
    let judged = send(batch_with(1, |record| {
        for number in 0..64 {
            record.headers.insert(number.to_string().into(), None);
        }
    }));
    assert_refused(&judged, Code::INVALID_RECORD);
}
