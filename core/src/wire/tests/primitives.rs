//! Varints, cursors, version choice.

use proptest::prelude::*;

use super::super::api::{ApiKey, is_flexible, usable};
use super::super::crc::crc32c;
use super::super::prepend::Prepend;
use super::super::reader::{uvarint, varint, varlong};
use super::super::varint::{encode, uvarint_len, varint_len, varlong_len, zigzag64};
use super::super::writer::Writer;
use super::Need;

fn written(put: impl Fn(&mut Writer<'_>)) -> std::vec::Vec<u8> {
    let mut out = [0; 16];
    let mut w = Writer::new(&mut out);
    put(&mut w);
    let len = w.finish().expect("room");
    out[..len].to_vec()
}

#[test]
fn golden_varints() {
    for (value, bytes) in [
        (0, &[0][..]),
        (-1, &[1]),
        (1, &[2]),
        (63, &[0x7e]),
        (64, &[0x80, 1]),
        (-64, &[0x7f]),
        (-65, &[0x81, 1]),
        (8192, &[0x80, 0x80, 1]),
        (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        assert_eq!(written(|w| w.put_varint(value)), bytes);
    }
    for (value, bytes) in [
        (0, &[0][..]),
        (127, &[0x7f]),
        (128, &[0x80, 1]),
        (300, &[0xac, 2]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 1]),
        (0x7fff_ffff, &[0xff, 0xff, 0xff, 0xff, 7]),
    ] {
        assert_eq!(written(|w| w.put_uvarint(value)), bytes);
    }
}

#[test]
fn golden_crcs() {
    assert_eq!(crc32c(b""), 0);
    assert_eq!(crc32c(b"a"), 0xc1d0_4330);
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    let up: std::vec::Vec<u8> = (0..32).collect();
    assert_eq!(crc32c(&up), 0x46dd_794e);
}

#[test]
fn too_long_varints_are_bad() {
    let need = |error: nom::Err<()>| Need::from(error);
    assert_eq!(uvarint(&[0xff; 4]).map_err(need), Err(Need::More));
    assert_eq!(uvarint(&[0xff; 5]).map_err(need), Err(Need::Bad));
    assert_eq!(uvarint(&[0x80, 0x80, 0x80, 0x80, 0x10]).map_err(need), Err(Need::Bad));
    assert_eq!(varlong(&[0xff; 9]).map_err(need), Err(Need::More));
    assert_eq!(varlong(&[0xff; 10]).map_err(need), Err(Need::Bad));
}

proptest! {
    #[test]
    fn varints_come_back(small: i32, large: i64, unsigned: u32) {
        let bytes = written(|w| w.put_varint(small));
        prop_assert_eq!(bytes.len(), varint_len(small));
        prop_assert_eq!(varint(&bytes), Ok((&[][..], small)));

        // Spread over all lengths: most random numbers are long.
        let large = large >> (unsigned % 64);
        let bytes = written(|w| w.put_varlong(large));
        prop_assert_eq!(bytes.len(), varlong_len(large));
        prop_assert_eq!(varlong(&bytes), Ok((&[][..], large)));
        let mut buf = [0; 10];
        prop_assert_eq!(encode(zigzag64(large), &mut buf), &bytes[..]);

        let unsigned = unsigned >> (small & 31);
        let bytes = written(|w| w.put_uvarint(unsigned));
        prop_assert_eq!(bytes.len(), uvarint_len(unsigned));
        prop_assert_eq!(uvarint(&bytes), Ok((&[][..], unsigned)));
    }

    #[test]
    fn writing_back_to_front_gives_the_same(a: i16, b: i32, c: u32, text in "[a-z]{0,200}", flexible: bool) {
        let (mut front, mut back) = ([0; 300], [0; 300]);
        let mut w = Writer::new(&mut front);
        w.put_i16(a);
        w.put_string(Some(text.as_bytes()), flexible);
        w.put_i32(b);
        w.put_uvarint(c);
        let len = w.finish().expect("room");

        let mut p = Prepend::new(&mut back);
        p.put_uvarint(c);
        p.put_i32(b);
        p.put_string(text.as_bytes(), flexible);
        p.put_i16(a);
        prop_assert!(!p.overflow());
        prop_assert_eq!(p.len(), len);
        prop_assert_eq!(&back[300 - len..], &front[..len]);
    }
}

#[test]
fn what_does_not_fit_is_remembered() {
    let mut out = [0; 3];
    let mut w = Writer::new(&mut out);
    w.put_i32(1);
    w.put_u8(1);
    assert_eq!(w.finish(), None);

    let mut p = Prepend::new(&mut out);
    p.put_i16(1);
    p.put_i16(1);
    p.put_u8(1);
    assert!(p.overflow());
    assert_eq!(p.len(), 3);

    let long = std::string::String::from_utf8(std::vec![b'x'; 40_000]).expect("ASCII");
    let mut out = std::vec![0; 50_000];
    let mut w = Writer::new(&mut out);
    w.put_string(Some(long.as_bytes()), false);
    assert_eq!(w.finish(), None, "longer than an int16 can say");
    let mut p = Prepend::new(&mut out);
    p.put_string(long.as_bytes(), false);
    assert!(p.overflow());
}

#[test]
fn the_highest_common_version_is_chosen() {
    assert_eq!(usable(3, 13, 0, 9), Some(9));
    assert_eq!(usable(3, 13, 3, 20), Some(13));
    assert_eq!(usable(3, 13, 0, 2), None);
    assert_eq!(usable(3, 13, 14, 20), None);
    // Kafka 4 advertises Produce from 0 (KAFKA-18659).
    assert_eq!(ApiKey::Produce.version(0, 13), Some(13));
    assert_eq!(ApiKey::Produce.version(0, 2), None);
    // Kafka 2.3 has Metadata up to 8, which klamm does not speak.
    assert_eq!(ApiKey::Metadata.version(0, 8), Some(7));
    assert_eq!(ApiKey::Metadata.version(8, 8), None);
    assert_eq!(ApiKey::Metadata.version(0, 9), Some(9));
    assert_eq!(ApiKey::ApiVersions.version(0, 4), Some(3));
    assert_eq!(ApiKey::InitProducerId.version(0, 6), Some(5));
    assert_eq!(ApiKey::FindCoordinator.version(0, 1), None);
}

#[test]
fn apis_have_the_numbers_and_forms_of_kafka() {
    use kafka_protocol::messages::{
        ApiVersionsRequest, FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest,
        ProduceRequest,
    };
    use kafka_protocol::protocol::{HeaderVersion, Request};

    fn same<R: Request>(api: ApiKey) {
        assert_eq!(ApiKey::of(R::KEY), Some(api));
        let (min, max) = api.range();
        for version in min..=max {
            let flexible = <R as HeaderVersion>::header_version(version) == 2;
            assert_eq!(is_flexible(api, version), flexible, "{api:?} {version}");
        }
    }
    same::<ProduceRequest>(ApiKey::Produce);
    same::<MetadataRequest>(ApiKey::Metadata);
    same::<FindCoordinatorRequest>(ApiKey::FindCoordinator);
    same::<ApiVersionsRequest>(ApiKey::ApiVersions);
    same::<InitProducerIdRequest>(ApiKey::InitProducerId);
    assert_eq!(ApiKey::of(1), None);
}
