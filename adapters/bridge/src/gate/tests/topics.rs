//! S17: other topics under every disguise; and what a page may ask at all.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, InitProducerIdRequest,
    MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, TopicName, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::BrokerId;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::protocol::Encodable;

use super::forge::{CORRELATION, batch, produce_frame, request};
use super::{Page, assert_closed, forwarded};
use crate::gate::{Verdict, translate};
use crate::kafka::Code;

/// Names that are not on the list, and look as if they were.
const DISGUISES: &[&str] = &[
    "",
    "Events",
    "EVENTS",
    "events ",
    " events",
    "events\0",
    "events\n",
    "event",
    "eventss",
    "events.",
    "./events",
    "events/../secret",
    "%65vents",
    "events%00",
    "e\u{200b}vents",
    "\u{ff45}vents",
    "\u{435}vents",
    "events,secret",
    "*",
    "e*",
    ".",
    "..",
    "__consumer_offsets",
    "_schemas",
    "secret",
];

fn ask(names: Option<&[&str]>) -> MetadataRequest {
    let topic = |name: &&str| {
        let name = TopicName(StrBytes::from_string((*name).to_owned()));
        MetadataRequestTopic::default().with_name(Some(name))
    };
    let topics = names.map(|names| names.iter().map(topic).collect());
    MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(true)
}

fn asked(frame: &[u8], version: i16) -> (Vec<String>, bool) {
    let mut bytes = Bytes::copy_from_slice(&frame[4..]);
    let head = if version >= 9 { 2 } else { 1 };
    RequestHeader::decode(&mut bytes, head).expect("header");
    let request = MetadataRequest::decode(&mut bytes, version).expect("body");
    let topics = request.topics.expect("never all topics");
    let names = topics.iter().map(|topic| topic.name.as_ref().expect("a name").to_string());
    (names.collect(), request.allow_auto_topic_creation)
}

#[test]
fn no_disguise_reaches_another_topic() {
    let page = Page::new();
    for name in DISGUISES {
        for version in 3..=12 {
            let judged = page.judge(&produce_frame(version, &[(name, 0, batch(1))]));
            assert!(matches!(judged.verdict, Verdict::Answer(_)), "{name:?}: {judged:?}");
            let [code] = judged.refused[..] else { panic!("{name:?}") };
            assert!([Code::INVALID_TOPIC, Code::TOPIC_AUTHORIZATION_FAILED].contains(&code));
        }
        for version in 7..=9 {
            let frame = request(ApiKey::Metadata, version, &ask(Some(&[*name, "events"])));
            let judged = page.judge(&frame);
            assert_eq!(judged.refused, [Code::TOPIC_AUTHORIZATION_FAILED], "{name:?}");
            assert_eq!(asked(&forwarded(judged), version).0, ["events"], "{name:?}");
        }
    }
}

#[test]
fn asking_for_all_topics_asks_for_the_allowed_ones_and_creates_none() {
    for version in 7..=9 {
        let judged = Page::new().judge(&request(ApiKey::Metadata, version, &ask(None)));
        let (names, create) = asked(&forwarded(judged), version);
        assert_eq!(names, ["events", "other"]);
        assert!(!create);
    }
}

#[test]
fn asking_for_a_thousand_topics_of_others_is_no_request() {
    let judge = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Page::new().judge(&request(ApiKey::Metadata, 9, &ask(Some(&names))))
    };
    assert_eq!(judge(1_000).refused.len(), 1_000);
    assert_closed(&judge(1_001));
}

#[test]
fn versions_with_topic_ids_are_neither_offered_nor_taken() {
    let page = Page::new();
    let versions = ApiVersionsRequest::default()
        .with_client_software_name("klamm".into())
        .with_client_software_version("1".into());
    let judged = page.judge(&request(ApiKey::ApiVersions, 3, &versions));
    let Verdict::Answer(frame) = judged.verdict else { panic!("{judged:?}") };
    let mut bytes = Bytes::copy_from_slice(&frame[4..]);
    let head = ResponseHeader::decode(&mut bytes, 0).expect("header");
    assert_eq!(head.correlation_id, CORRELATION);
    let answer = ApiVersionsResponse::decode(&mut bytes, 3).expect("body");
    let mut offered: Vec<_> =
        answer.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
    offered.sort_unstable();
    assert_eq!(offered, [(0, 3, 12), (3, 7, 9), (18, 0, 3), (22, 0, 5)]);
    for version in [10, 12, 13] {
        assert_closed(&page.judge(&request(ApiKey::Metadata, version, &ask(Some(&[])))));
    }
    let mut later = produce_frame(12, &[("events", 0, batch(1))]);
    later[3] = 13;
    assert_closed(&page.judge(&later));
    later[3] = 2;
    assert_closed(&page.judge(&later));
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0() {
    let mut frame = request(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default());
    frame[3] = 4;
    let Verdict::Answer(answer) = Page::new().judge(&frame).verdict else { panic!("no answer") };
    let mut bytes = Bytes::copy_from_slice(&answer[8..]);
    let answer = ApiVersionsResponse::decode(&mut bytes, 0).expect("body");
    assert_eq!(answer.error_code, 35);
    assert_eq!((answer.api_keys[0].api_key, answer.api_keys[0].max_version), (18, 3));
}

#[test]
fn no_other_api_gets_through() {
    let page = Page::new();
    assert_closed(&page.judge(&request(ApiKey::Fetch, 12, &FetchRequest::default())));
    for key in (-2..100).filter(|key| ![0, 3, 18, 22].contains(key)) {
        for version in 0..20_i16 {
            let mut frame = BytesMut::new();
            frame.put_i16(key);
            frame.put_i16(version);
            frame.put_slice(&[0; 40]);
            assert_closed(&page.judge(&frame));
        }
    }
}

#[test]
fn a_producer_id_is_never_transactional() {
    let page = Page::new();
    for version in 0..=5 {
        let plain = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(5);
        let judged = page.judge(&request(ApiKey::InitProducerId, version, &plain));
        let frame = forwarded(judged);
        let mut bytes = Bytes::copy_from_slice(&frame[4..]);
        RequestHeader::decode(&mut bytes, if version >= 2 { 2 } else { 1 }).expect("header");
        let sent = InitProducerIdRequest::decode(&mut bytes, version).expect("body");
        assert_eq!((sent.transactional_id, sent.transaction_timeout_ms), (None, i32::MAX));
        let id = TransactionalId("tx".into());
        let transactional = plain.with_transactional_id(Some(id));
        let judged = page.judge(&request(ApiKey::InitProducerId, version, &transactional));
        super::assert_refused(&judged, Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
}

#[test]
fn a_metadata_answer_names_no_broker_and_no_other_topic() {
    let page = Page::new();
    for version in 7..=9 {
        let names: &[&str] = &["events", "secret"];
        let judged = page.judge(&request(ApiKey::Metadata, version, &ask(Some(names))));
        let Verdict::Forward(_, Some(pending)) = judged.verdict else { panic!("not forwarded") };
        let answer = broker_answer(version);
        let translated = translate(&pending, &answer, &page.claims).expect("translated");
        let real = (5, "broker-5.kafka.internal".to_owned(), 9_093);
        assert_eq!(translated.brokers, [real]);
        let text = String::from_utf8_lossy(&translated.frame).into_owned();
        for hidden in ["kafka.internal", "cluster-name", "rack-1", "hidden"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
        let mut bytes = Bytes::copy_from_slice(&translated.frame[4..]);
        let head = ResponseHeader::decode(&mut bytes, i16::from(version >= 9)).expect("header");
        assert_eq!(head.correlation_id, CORRELATION);
        let shown = MetadataResponse::decode(&mut bytes, version).expect("body");
        assert_eq!(&*shown.brokers[0].host, "5");
        let topics: Vec<_> = shown
            .topics
            .iter()
            .map(|topic| (topic.name.as_ref().expect("name").to_string(), topic.error_code))
            .collect();
        assert_eq!(topics, [("events".to_owned(), 0), ("secret".to_owned(), 29)]);
        assert_eq!(shown.topics[0].partitions[0].leader_id.0, 5);
    }
}

/// A broker's answer: one topic of the list, and one that nobody asked for.
fn broker_answer(version: i16) -> Vec<u8> {
    let partition = MetadataResponsePartition::default()
        .with_leader_id(BrokerId(5))
        .with_leader_epoch(3)
        .with_replica_nodes(vec![BrokerId(5)])
        .with_isr_nodes(vec![BrokerId(5)]);
    let topic = |name: &'static str| {
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(name.into())))
            .with_partitions(vec![partition.clone()])
    };
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(5))
        .with_host("broker-5.kafka.internal".into())
        .with_port(9_093)
        .with_rack(Some("rack-1".into()));
    let answer = MetadataResponse::default()
        .with_brokers(vec![broker])
        .with_cluster_id(Some("cluster-name".into()))
        .with_controller_id(BrokerId(5))
        .with_topics(vec![topic("events"), topic("hidden")]);
    let mut frame = BytesMut::new();
    let head = ResponseHeader::default().with_correlation_id(7);
    head.encode(&mut frame, i16::from(version >= 9)).expect("header");
    answer.encode(&mut frame, version).expect("body");
    frame.to_vec()
}
