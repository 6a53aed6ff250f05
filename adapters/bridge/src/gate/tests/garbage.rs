//! Bytes that are no request: none panics, none gets through that is not understood to its end.

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, ProduceRequest, RequestHeader};
use kafka_protocol::protocol::Decodable;
use proptest::prelude::*;

use super::Page;
use super::forge::{batch, produce_frame, request};
use crate::access::Claims;
use crate::gate::{Expected, Pending, Verdict, translate};

/// A request that is passed on is one that a broker's decoder reads to the end, for allowed topics.
fn check(judged: crate::gate::Judgement) {
    let Verdict::Forward(frame, _) = judged.verdict else { return };
    let mut bytes = Bytes::copy_from_slice(&frame[4..]);
    if frame[4..6] != [0, 0] {
        return;
    }
    let version = i16::from_be_bytes([frame[6], frame[7]]);
    RequestHeader::decode(&mut bytes, if version >= 9 { 2 } else { 1 }).expect("header");
    let request = ProduceRequest::decode(&mut bytes, version).expect("body");
    assert!(bytes.is_empty());
    for topic in request.topic_data {
        assert!(["events", "other"].contains(&&*topic.name.0), "{:?}", topic.name);
    }
}

#[test]
fn every_byte_of_a_request_changed_in_every_bit() {
    let page = Page::new();
    for version in [3, 8, 9, 12] {
        let frame = produce_frame(version, &[("events", 3, batch(2)), ("other", 1, batch(1))]);
        for bit in 0..frame.len() * 8 {
            let mut frame = frame.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            check(page.judge(&frame));
        }
    }
}

#[test]
fn a_request_cut_anywhere_or_with_more_behind_it_is_closed() {
    let page = Page::new();
    for version in [3, 9, 12] {
        let frame = produce_frame(version, &[("events", 3, batch(2))]);
        for length in 0..frame.len() {
            super::assert_closed(&page.judge(&frame[..length]));
        }
        let mut longer = frame;
        longer.push(0);
        super::assert_closed(&page.judge(&longer));
    }
    let versions = kafka_protocol::messages::ApiVersionsRequest::default();
    let mut longer = request(ApiKey::ApiVersions, 2, &versions);
    longer.push(0);
    super::assert_closed(&page.judge(&longer));
}

#[test]
fn counts_of_what_cannot_be_there_cost_nothing() {
    let page = Page::new();
    let good = produce_frame(3, &[("events", 3, batch(1))]);
    // The number of topics stands behind the head, transactional id, acks and timeout.
    let at = 8 + 2 + 4 + 2 + 2 + 4;
    assert_eq!(good[at..at + 4], 1_i32.to_be_bytes());
    for count in [i32::MAX, i32::MIN, 1 << 24, 2] {
        let mut frame = good.clone();
        frame[at..at + 4].copy_from_slice(&count.to_be_bytes());
        super::assert_closed(&page.judge(&frame));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_bytes(frame in prop::collection::vec(any::<u8>(), 0..400)) {
        check(Page::new().judge(&frame));
    }

    #[test]
    fn random_bytes_behind_a_head(
        key in prop::sample::select(vec![0_u8, 3, 18, 22]),
        version in 0_u8..14,
        body in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let head = [0, key, 0, version, 0, 0, 0, 1, 0, 0];
        check(Page::new().judge(&[&head[..], &body].concat()));
    }

    #[test]
    fn pieces_of_requests(
        cuts in prop::collection::vec((0_usize..300, 0_usize..300), 1..6),
        version in prop::sample::select(vec![3_i16, 8, 9, 12]),
    ) {
        let good = produce_frame(version, &[("events", 3, batch(2)), ("other", 1, batch(1))]);
        let mut frame = Vec::new();
        for (from, length) in cuts {
            let from = from.min(good.len());
            frame.extend_from_slice(&good[from..(from + length).min(good.len())]);
        }
        check(Page::new().judge(&frame));
    }

    #[test]
    fn random_answers(
        kind in 0_u8..3,
        version in 3_i16..13,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let expected = match kind {
            0 => Expected::Produce(Vec::new()),
            1 => Expected::Metadata(Vec::new()),
            _ => Expected::InitProducerId,
        };
        let claims = Claims {
            subject: "alice".to_owned(),
            topics: vec!["events".to_owned()],
            expires_ms: 0,
            bytes_per_s: None,
            records_per_s: None,
        };
        let pending = Pending { version, page: 1, ours: 7, expected };
        let _ = translate(&pending, &[&7_i32.to_be_bytes()[..], &body].concat(), &claims);
    }
}
