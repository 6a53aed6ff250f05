//! Golden bytes: made by an independent encoder and compared with, or decoded by, kafka-clients 4.3.0; live brokers
//! 2.8.2 and 4.3.0 stored the batches.

use std::vec;
use std::vec::Vec;

use hex_literal::hex;

use super::super::api::ApiKey;
use super::super::batch_header::{BATCH_HEADER, BatchHeader, set_crc, stamp};
use super::super::crc::crc32c;
use super::super::metadata::Ask;
use super::super::prepend::Prepend;
use super::super::record::write_record;
use super::super::writer::RequestHeader;
use super::super::{api_versions, find_coordinator, init_producer_id, metadata, produce};
use super::{check, texts};
use crate::batch::record::{Header, Record};
use crate::error_code::ErrorCode;
use crate::id::TopicUuid;

const BASE: i64 = 1_700_000_000_000;

/// Idempotent: producer id 4711, epoch 0, sequence 0, records `a` and `b` (+1 ms).
const B3: [u8; 77] = hex!(
    "000000000000000000000041ffffffff02ea930d280000000000010000018bcfe568000000018bcfe568010000"
    "000000001267000000000000000000020e000000010261000e00020201026200"
);

/// A batch of these records with these time deltas.
fn batch(records: &[(i64, Record<'_>)], producer_id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    let mut bytes = vec![0; 1_000];
    let mut len = BATCH_HEADER;
    for (index, (ts_delta, record)) in (0..).zip(records) {
        len += write_record(&mut bytes[len..], record, *ts_delta, index).expect("room");
    }
    bytes.truncate(len);
    let count = i32::try_from(records.len()).expect("few");
    let header = BatchHeader {
        length: i32::try_from(len - 12).expect("short"),
        attributes: 0,
        last_offset_delta: count - 1,
        base_timestamp: BASE,
        max_timestamp: BASE + records.iter().map(|(delta, _)| *delta).max().unwrap_or(0),
        producer_id,
        epoch,
        base_sequence: sequence,
        count,
    };
    header.write(bytes.first_chunk_mut().expect("61 bytes"));
    set_crc(&mut bytes, crc32c);
    let (parsed, _crc) = BatchHeader::parse(&bytes).expect("a header");
    assert_eq!(parsed, header);
    bytes
}

#[test]
fn batches_have_the_bytes_of_the_java_client() {
    assert_eq!(
        batch(&[(0, Record::value(b"hello"))], -1, -1, -1),
        hex!(
            "00000000000000000000003dffffffff02e641a44b0000000000000000018bcfe568000000018bcfe56800"
            "ffffffffffffffffffffffffffff0000000116000000010a68656c6c6f00"
        )
    );
    let headers = [Header::new("h1", b"x"), Header { key: "h2", value: None }];
    let records = [
        (0, Record::value(b"v").with_key(b"k").with_headers(&headers)),
        (5, Record::null().with_key(b"k2")),
        (-3, Record::value(b"").with_key(b"")),
    ];
    assert_eq!(
        batch(&records, -1, -1, -1),
        hex!(
            "000000000000000000000053ffffffff02e1723ede0000000000020000018bcfe568000000018bcfe56805"
            "ffffffffffffffffffffffffffff0000000322000000026b02760404683102780468320110000a02046b32"
            "01000c000504000000"
        )
    );
}

#[test]
fn a_retry_may_change_only_producer_and_checksum() {
    let records = [(0, Record::value(b"a")), (1, Record::value(b"b"))];
    let mut bytes = batch(&records, 4711, 0, 0);
    assert_eq!(bytes, B3);

    for (epoch, sequence, crc) in [(0, 5, 0xd3b0_8771_u32), (1, 0, 0xc4a7_c6b5)] {
        stamp(bytes.first_chunk_mut().expect("61 bytes"), 4711, epoch, sequence);
        set_crc(&mut bytes, crc32c);
        assert_eq!(bytes[17..21], crc.to_be_bytes());
        assert_eq!(bytes[..17], B3[..17]);
        assert_eq!(bytes[21..51], B3[21..51]);
        assert_eq!(bytes[57..], B3[57..]);
    }
}

fn header(api: ApiKey, version: i16, correlation: i32) -> RequestHeader<'static> {
    RequestHeader { api, version, correlation, client_id: b"klamm" }
}

/// Checks the bytes, and that every shorter buffer is refused.
fn wrote(expected: &[u8], write: impl Fn(&mut [u8]) -> Option<usize>) {
    let mut out = [0xee; 256];
    assert_eq!(write(&mut out), Some(expected.len()));
    assert_eq!(&out[..expected.len()], expected);
    for short in 0..expected.len() {
        assert_eq!(write(&mut out[..short]), None, "in {short} bytes");
    }
}

#[test]
fn api_versions_requests() {
    wrote(&hex!("0000001d001200030000000100056b6c616d6d00066b6c616d6d06302e312e3000"), |out| {
        api_versions::write(&header(ApiKey::ApiVersions, 3, 1), out)
    });
    wrote(&hex!("0000000f001200000000000100056b6c616d6d"), |out| {
        api_versions::write(&header(ApiKey::ApiVersions, 0, 1), out)
    });
}

#[test]
fn metadata_requests() {
    let topics = [Ask::Name(b"events")];
    wrote(
        &hex!(
            "0000002c0003000c0000000200056b6c616d6d000200000000000000000000000000000000"
            "076576656e747300000000"
        ),
        |out| metadata::write(&header(ApiKey::Metadata, 12, 2), topics.into_iter(), false, out),
    );
    wrote(&hex!("0000001c000300040000000200056b6c616d6d0000000100066576656e747300"), |out| {
        metadata::write(&header(ApiKey::Metadata, 4, 2), topics.into_iter(), false, out)
    });
}

#[test]
fn init_producer_id_and_find_coordinator_requests() {
    let transactional = init_producer_id::Request {
        transactional_id: Some("tx-1"),
        timeout_ms: 60_000,
        ..init_producer_id::Request::FRESH
    };
    wrote(
        &hex!("00000024001600040000000400056b6c616d6d000574782d310000ea60ffffffffffffffffffff00"),
        |out| init_producer_id::write(&header(ApiKey::InitProducerId, 4, 4), &transactional, out),
    );
    wrote(&hex!("00000015001600010000000400056b6c616d6dffff7fffffff"), |out| {
        let fresh = &init_producer_id::Request::FRESH;
        init_producer_id::write(&header(ApiKey::InitProducerId, 1, 4), fresh, out)
    });
    wrote(&hex!("00000018000a00040000000500056b6c616d6d0001020574782d3100"), |out| {
        let key_type = find_coordinator::KeyType::Transaction;
        find_coordinator::write(&header(ApiKey::FindCoordinator, 4, 5), key_type, "tx-1", out)
    });
}

/// B3 for partition 0 of `events` as a whole frame, built around the batch as the producer does.
pub(super) fn produce_frame(version: i16, room: usize) -> Option<Vec<u8>> {
    let id = TopicUuid(hex!("101112131415161718191a1b1c1d1e1f"));
    let mut bytes = vec![0xee; room];
    let mut p = Prepend::new(&mut bytes);
    p.put_bytes(produce::tail(version, true, true));
    p.put_bytes(&B3);
    produce::partition_head(&mut p, version, 0, 77);
    produce::topic_head(&mut p, version, b"events", &id, 1);
    let head = produce::FrameHead {
        version,
        correlation: 3,
        client_id: b"klamm",
        acks: -1,
        timeout_ms: 30_000,
        topics: 1,
    };
    produce::frame_head(&mut p, &head);
    p.put_i32(i32::try_from(p.len()).expect("short"));
    let (len, overflow) = (p.len(), p.overflow());
    (!overflow).then(|| bytes.split_off(room - len))
}

#[test]
fn produce_requests() {
    let head = hex!("0000000300056b6c616d6d0000ffff0000753002");
    let v9 =
        [&hex!("0000007500000009")[..], &head, &hex!("076576656e747302000000004e"), &B3, &[0; 3]]
            .concat();
    let v13 = [
        &hex!("0000007e0000000d")[..],
        &head,
        &hex!("101112131415161718191a1b1c1d1e1f02000000004e"),
        &B3,
        &[0; 3],
    ]
    .concat();
    let v3 = [
        &hex!("0000007c000000030000000300056b6c616d6dffffffff0000753000000001")[..],
        &hex!("00066576656e747300000001000000000000004d"),
        &B3,
    ]
    .concat();
    for (version, expected) in [(3, v3), (9, v9), (13, v13)] {
        assert_eq!(produce_frame(version, 1_000).as_ref(), Some(&expected));
        for room in 0..expected.len() {
            assert_eq!(produce_frame(version, room), None, "in {room} bytes");
        }
    }
}

#[test]
fn produce_response_with_leader_hint() {
    use produce::Event;

    let frame = hex!(
        "00000050000000030002076576656e747302000000000006ffffffffffffffffffffffffffffffffffffffff"
        "ffffffff0100010009000000020000000700000000000001000e0200000002036232000023840000"
    );
    let expected = texts(&[
        Event::Topic { name: Some(b"events"), id: TopicUuid::ZERO },
        Event::Partition {
            index: 0,
            error: ErrorCode::NOT_LEADER_OR_FOLLOWER,
            base_offset: -1,
            log_append_time: -1,
        },
        Event::Leader { leader_id: 2, leader_epoch: 7 },
        Event::PartitionEnd,
        Event::Throttle(0),
        Event::Node { node: 2, host: Some(b"b2"), port: 9092 },
        Event::End,
    ]);
    check(produce::Decoder::new(10), &frame[8..], &expected, 1);
}

#[test]
fn api_versions_responses() {
    use api_versions::Event;

    let unsupported = hex!("0000001000000001002300000001001200000003");
    let expected = texts(&[
        Event::Error(ErrorCode::UNSUPPORTED_VERSION),
        Event::Range { key: 18, min: 0, max: 3 },
        Event::End,
    ]);
    check(api_versions::Decoder::new(3), &unsupported[8..], &expected, 1);

    let v3 = hex!(
        "000000390000000100000200000000000d00000000000201080000000000000005021a02147472616e736163"
        "74696f6e2e76657273696f6e0002000200"
    );
    let expected = texts(&[
        Event::Error(ErrorCode::NONE),
        Event::Range { key: 0, min: 0, max: 13 },
        Event::Throttle(0),
        Event::End,
    ]);
    check(api_versions::Decoder::new(3), &v3[8..], &expected, 1);
}
