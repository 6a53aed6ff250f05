//! Metadata, coordinators, and reading back.

use crate::kit::{Kit, TOPIC, name, plain};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;
use klamm_sim::cluster::{Config, TopicConfig};
use uuid::Uuid;

#[test]
fn every_metadata_version_names_brokers_and_leaders() {
    for version in 0..=13 {
        let mut kit = Kit::three_nodes();
        let answer = kit.metadata(version, &[TOPIC]);
        let hosts: Vec<&str> = answer.brokers.iter().map(|broker| &*broker.host).collect();
        assert_eq!(hosts, ["node1", "node2", "node3"], "version {version}");
        let leaders = answer.topics[0].partitions.iter().map(|partition| partition.leader_id.0);
        assert_eq!(leaders.collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(version >= 10, !answer.topics[0].topic_id.is_nil());
    }
}

#[test]
fn all_topics_and_no_topics() {
    let mut kit = Kit::one_node();
    for (version, topics, count) in
        [(0, Some(vec![]), 1), (1, None, 1), (1, Some(vec![]), 0), (12, None, 1)]
    {
        let request = MetadataRequest::default().with_topics(topics);
        let answer: MetadataResponse = kit.ask(3, version, &request);
        assert_eq!((answer.topics.len(), answer.brokers.len()), (count, 1));
    }
}

#[test]
fn unknown_topic_is_3_and_then_there_with_auto_create() {
    let mut config = Config::new(1);
    config.auto_create = Some(TopicConfig::new(2, 1));
    let mut kit = Kit::new(config, TopicConfig::new(1, 1));
    assert_eq!(kit.metadata(12, &["new"]).topics[0].error_code, 3);
    let answer = kit.metadata(12, &["new"]);
    assert_eq!((answer.topics[0].error_code, answer.topics[0].partitions.len()), (0, 2));
    let no = MetadataRequest::default()
        .with_allow_auto_topic_creation(false)
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name("other")))]));
    for _ in 0..2 {
        let answer: MetadataResponse = kit.ask(3, 12, &no);
        assert_eq!(answer.topics[0].error_code, 3);
    }
}

#[test]
fn invalid_or_empty_name_is_17() {
    let mut kit = Kit::one_node();
    for topic in ["", "..", "no good", &"x".repeat(250)] {
        assert_eq!(kit.metadata(9, &[topic]).topics[0].error_code, 17, "{topic:?}");
    }
}

fn by_id(id: Uuid, name: Option<&str>) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_topic_id(id).with_name(name.map(crate::kit::name))
}

#[test]
fn by_id_needs_version_12() {
    let mut kit = Kit::one_node();
    let id = Uuid::from_bytes(kit.cluster.topic_id(TOPIC).unwrap());
    let ask = |kit: &mut Kit, version, topics: Vec<MetadataRequestTopic>| {
        let request = MetadataRequest::default().with_topics(Some(topics));
        kit.ask::<_, MetadataResponse>(3, version, &request)
    };
    for version in [10, 11] {
        let answer = ask(&mut kit, version, vec![by_id(id, Some(TOPIC))]);
        assert_eq!((answer.topics[0].error_code, answer.brokers.len()), (42, 0));
    }
    let answer = ask(&mut kit, 12, vec![by_id(id, None)]);
    assert_eq!(answer.topics[0].name, Some(name(TOPIC)));
    let answer = ask(&mut kit, 12, vec![by_id(Uuid::from_u128(7), None)]);
    assert_eq!((answer.topics[0].error_code, answer.topics[0].name.clone()), (100, None));
    let answer = ask(&mut kit, 12, vec![by_id(Uuid::nil(), None)]);
    assert_eq!((answer.topics[0].error_code, answer.brokers.len()), (-1, 0));
    let answer = ask(&mut kit, 12, vec![by_id(id, None), by_id(Uuid::nil(), Some("other"))]);
    assert_eq!(answer.topics.len(), 1, "an entry by name next to one by id is ignored");
}

#[test]
fn partition_without_leader_is_5_and_the_dead_broker_is_missing() {
    let topic = TopicConfig::new(3, 1);
    let mut kit = Kit::new(Config::new(3), topic);
    kit.cluster.kill(2, 0).unwrap();
    let answer = kit.metadata(9, &[TOPIC]);
    let partition = &answer.topics[0].partitions[1];
    assert_eq!((partition.error_code, partition.leader_id), (5, BrokerId(-1)));
    assert_eq!(answer.brokers.iter().map(|broker| broker.node_id.0).collect::<Vec<_>>(), [1, 3]);
    kit.cluster.start(2, 0).unwrap();
    let answer = kit.metadata(9, &[TOPIC]);
    let partition = &answer.topics[0].partitions[1];
    assert_eq!((partition.error_code, partition.leader_id), (0, BrokerId(2)));
    assert!(partition.leader_epoch > 0);
}

#[test]
fn every_find_coordinator_version_names_a_node() {
    for version in 0..=6 {
        let mut kit = Kit::one_node();
        let key = StrBytes::from_static_str("group");
        let request = if version >= 4 {
            FindCoordinatorRequest::default().with_coordinator_keys(vec![key])
        } else {
            FindCoordinatorRequest::default().with_key(key)
        };
        let answer: FindCoordinatorResponse = kit.ask(10, version, &request);
        let host = if version >= 4 { &answer.coordinators[0].host } else { &answer.host };
        assert_eq!(&**host, "node1", "version {version}");
    }
}

fn fetch(kit: &Kit, version: i16, offset: i64, wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(1 << 20);
    let mut topic = FetchTopic::default().with_partitions(vec![partition]);
    if version >= 13 {
        topic.topic_id = Uuid::from_bytes(kit.cluster.topic_id(TOPIC).unwrap());
    } else {
        topic.topic = name(TOPIC);
    }
    FetchRequest::default()
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic])
}

#[test]
fn every_fetch_version_reads_back_with_offsets_filled_in() {
    for version in 4..=18 {
        let mut kit = Kit::one_node();
        for _ in 0..3 {
            assert_eq!(kit.code(plain(2)), 0);
        }
        let request = fetch(&kit, version, 3, 0);
        let answer: FetchResponse = kit.ask(1, version, &request);
        let data = &answer.responses[0].partitions[0];
        assert_eq!((data.error_code, data.high_watermark), (0, 6));
        let records = data.records.as_ref().unwrap();
        assert_eq!(
            records[..8],
            2i64.to_be_bytes(),
            "the batch that contains offset 3 comes first"
        );
        assert_eq!(records[12..16], [0; 4], "leader epoch");
        assert_eq!(records.len(), 2 * bytes::Bytes::from(plain(2)).len());
    }
}

#[test]
fn a_fetch_waits_for_records_or_time() {
    let mut kit = Kit::one_node();
    let reader = kit.peer;
    let request = fetch(&kit, 11, 0, 500);
    kit.send(1, 11, &request);
    assert!(kit.read().is_none());
    assert_eq!(kit.cluster.next_deadline(), Some(500_000));
    kit.connect(1);
    assert_eq!(kit.code(plain(1)), 0);
    kit.peer = reader;
    let answer = kit.answer::<FetchResponse>(11).1;
    assert!(!answer.responses[0].partitions[0].records.as_ref().unwrap().is_empty());

    let request = fetch(&kit, 11, 1, 500);
    kit.send(1, 11, &request);
    kit.advance(499_999);
    assert!(kit.read().is_none());
    kit.advance(1);
    let answer = kit.answer::<FetchResponse>(11).1;
    assert!(answer.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

#[test]
fn fetch_out_of_range_is_1_and_from_a_follower_6() {
    let mut kit = Kit::three_nodes();
    let request = fetch(&kit, 16, 1, 500);
    let answer: FetchResponse = kit.ask(1, 16, &request);
    assert_eq!(answer.responses[0].partitions[0].error_code, 1);
    kit.connect(3);
    let request = fetch(&kit, 16, 0, 500);
    let answer: FetchResponse = kit.ask(1, 16, &request);
    let data = &answer.responses[0].partitions[0];
    assert_eq!((data.error_code, data.current_leader.leader_id), (6, BrokerId(1)));
    assert_eq!(answer.node_endpoints.len(), 1);
}

#[test]
fn every_list_offsets_version_finds_first_last_and_a_time() {
    for version in 1..=10 {
        let mut kit = Kit::one_node();
        for i in 0..3 {
            let mut batch = plain(2);
            batch.max_timestamp += i * 1_000;
            assert_eq!(kit.code(batch), 0);
        }
        let mut offset_at = |timestamp| {
            let request = ListOffsetsRequest::default().with_topics(vec![
                ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![
                    ListOffsetsPartition::default().with_timestamp(timestamp),
                ]),
            ]);
            let answer: ListOffsetsResponse = kit.ask(2, version, &request);
            answer.topics[0].partitions[0].offset
        };
        assert_eq!(offset_at(-2), 0);
        assert_eq!(offset_at(-1), 6);
        assert_eq!(offset_at(crate::kit::START_MS + 1), 2);
        assert_eq!(offset_at(crate::kit::START_MS + 10_000), -1);
    }
}
