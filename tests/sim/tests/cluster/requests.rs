//! Requests, row by row of what live brokers answered.

use crate::kit::{Kit, TOPIC, idempotent, only, plain};
use bytes::{BufMut, Bytes};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, BrokerId, InitProducerIdResponse, ProduceRequest,
    ProduceResponse, ProducerId,
};
use kafka_protocol::protocol::StrBytes;
use klamm_sim::cluster::{ApiVersions, Config, TopicConfig};
use uuid::Uuid;

fn named(name: &'static str, version: &'static str) -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str(name))
        .with_client_software_version(StrBytes::from_static_str(version))
}

/// The body of an `ApiVersions` request of a version nobody knows.
fn too_new(version: i16) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_i16(18);
    body.put_i16(version);
    body.put_i32(77);
    body.put_i16(-1);
    body
}

#[test]
fn api_versions_above_the_maximum_is_35_in_version_0() {
    for (versions, key) in [
        (ApiVersions::KAFKA_2_1, None),
        (ApiVersions::KAFKA_2_8, Some((18, 0, 3))),
        (ApiVersions::KAFKA_4_3, Some((18, 0, 4))),
    ] {
        for version in [versions.api_versions.1 + 1, 99] {
            let mut kit = Kit::one_node();
            kit.cluster.set_versions(1, versions);
            kit.send_frame(&too_new(version));
            let (correlation_id, answer) = kit.answer::<ApiVersionsResponse>(0);
            assert_eq!((correlation_id, answer.error_code), (77, 35));
            let keys = answer.api_keys.iter().map(|k| (k.api_key, k.min_version, k.max_version));
            assert_eq!(keys.collect::<Vec<_>>(), key.into_iter().collect::<Vec<_>>());
            let again: ApiVersionsResponse = kit.ask(18, 0, &ApiVersionsRequest::default());
            assert_eq!(again.error_code, 0, "the connection stays usable");
        }
    }
}

#[test]
fn api_versions_lists_what_the_node_speaks() {
    for version in 0..=4 {
        let mut kit = Kit::one_node();
        let request = if version < 3 { ApiVersionsRequest::default() } else { named("k", "1.0") };
        let answer: ApiVersionsResponse = kit.ask(18, version, &request);
        let produce = answer.api_keys.iter().find(|key| key.api_key == 0).unwrap();
        assert_eq!((produce.min_version, produce.max_version), (0, 13), "KAFKA-18659");
    }
}

#[test]
fn what_the_model_does_not_know_is_not_offered() {
    let mut kit = Kit::one_node();
    let all = ApiVersions { list_offsets: (0, 99), metadata: (-3, 99), ..ApiVersions::KAFKA_4_3 };
    kit.cluster.set_versions(1, all);
    let answer: ApiVersionsResponse = kit.ask(18, 0, &ApiVersionsRequest::default());
    let offered = |key| {
        let api = answer.api_keys.iter().find(|api| api.api_key == key).unwrap();
        (api.min_version, api.max_version)
    };
    assert_eq!((offered(2), offered(3)), ((1, 10), (0, 13)));
}

#[test]
fn software_name_empty_or_illegal_is_42_and_usable() {
    let mut kit = Kit::one_node();
    for name in ["", "kl amm", "klamm-"] {
        let answer: ApiVersionsResponse = kit.ask(18, 3, &named(name, "1.0"));
        assert_eq!((answer.error_code, answer.api_keys.len()), (42, 0));
    }
    let answer: ApiVersionsResponse = kit.ask(18, 3, &named("klamm", "1.0"));
    assert_eq!(answer.error_code, 0);
}

#[test]
fn every_produce_version_is_answered() {
    for version in 3..=13 {
        let answer = Kit::one_node().produce_as(version, idempotent(0, 0, 2));
        assert_eq!((answer.error_code, answer.base_offset), (0, 0), "version {version}");
    }
}

#[test]
fn unsupported_version_and_unknown_api_close() {
    for (versions, last) in [(ApiVersions::KAFKA_2_1, 7), (ApiVersions::KAFKA_3_9, 11)] {
        let mut kit = Kit::one_node();
        kit.cluster.set_versions(1, versions);
        assert_eq!(kit.produce_as(last, plain(1)).error_code, 0);
        let request = kit.request(last + 1, -1, [(0, plain(1).into())]);
        kit.send(0, last + 1, &request);
        assert!(kit.closed());
        assert_eq!(kit.cluster.log(TOPIC, 0).count(), 1);
    }
    let mut kit = Kit::one_node();
    kit.send_frame(&[0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
    assert!(kit.closed());
}

#[test]
fn impossible_frame_sizes_close() {
    for size in [-1, 0, 3, 104_857_601] {
        let mut kit = Kit::one_node();
        kit.cluster.receive(kit.peer, &i32::to_be_bytes(size), 0);
        assert!(kit.closed(), "size {size}");
    }
}

#[test]
fn null_client_id_unknown_header_tag_and_extra_bytes_are_accepted() {
    let mut kit = Kit::one_node();
    kit.send_frame(&[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 1, 2, 3]);
    assert_eq!(kit.answer::<ApiVersionsResponse>(0).1.error_code, 0);
    kit.send_frame(&[0, 18, 0, 3, 0, 0, 0, 2, 0xff, 0xff, 1, 99, 1, 7, 2, b'k', 2, b'1', 0]);
    assert_eq!(kit.answer::<ApiVersionsResponse>(3).1.error_code, 0);
}

#[test]
fn unknown_topic_partition_or_name_is_3() {
    let mut kit = Kit::one_node();
    for topic in ["nothing", "no good name", ""] {
        let mut request = kit.request(9, -1, [(0, plain(1).into())]);
        request.topic_data[0].name = crate::kit::name(topic);
        assert_eq!(only(kit.ask(0, 9, &request)).error_code, 3);
    }
    for partition in [3, -1] {
        let request = kit.request(9, -1, [(partition, plain(1).into())]);
        assert_eq!(only(kit.ask(0, 9, &request)).error_code, 3);
    }
}

#[test]
fn unknown_or_zero_topic_id_is_100() {
    let mut kit = Kit::one_node();
    for id in [Uuid::nil(), Uuid::from_u128(7)] {
        let mut request = kit.request(13, -1, [(0, plain(1).into())]);
        request.topic_data[0].topic_id = id;
        let answer: ProduceResponse = kit.ask(0, 13, &request);
        assert_eq!(answer.responses[0].topic_id, id);
        assert_eq!(only(answer).error_code, 100);
    }
}

#[test]
fn follower_as_target_is_6_with_a_hint_from_version_10_on() {
    for version in [9, 10, 13] {
        let mut kit = Kit::three_nodes();
        kit.connect(2);
        let request = kit.request(version, -1, [(0, plain(1).into())]);
        let answer: ProduceResponse = kit.ask(0, version, &request);
        let endpoints = answer.node_endpoints.clone();
        let partition = only(answer);
        assert_eq!((partition.error_code, partition.base_offset), (6, -1));
        if version >= 10 {
            let hint = (partition.current_leader.leader_id, partition.current_leader.leader_epoch);
            assert_eq!(hint, (BrokerId(1), 0));
            assert_eq!(endpoints.len(), 1);
            assert_eq!((endpoints[0].node_id, &*endpoints[0].host), (BrokerId(1), "node1"));
        } else {
            assert!(endpoints.is_empty());
        }
    }
}

#[test]
fn partition_without_leader_is_6_without_endpoint() {
    let mut kit = Kit::three_nodes();
    kit.cluster.depose(TOPIC, 0, 0).unwrap();
    let request = kit.request(10, -1, [(0, plain(1).into())]);
    let answer: ProduceResponse = kit.ask(0, 10, &request);
    assert!(answer.node_endpoints.is_empty());
    let partition = only(answer);
    assert_eq!(partition.error_code, 6);
    let hint = (partition.current_leader.leader_id, partition.current_leader.leader_epoch);
    assert_eq!(hint, (BrokerId(-1), 1));
}

#[test]
fn acks_0_success_is_silent_and_any_error_closes() {
    let mut kit = Kit::one_node();
    let request = kit.request(9, 0, [(0, plain(1).into())]);
    kit.send(0, 9, &request);
    assert!(kit.read().is_none());
    assert_eq!(kit.result(plain(1)), (0, 1), "the next answer belongs to the next request");
    let request = kit.request(9, 0, [(9, plain(1).into())]);
    kit.send(0, 9, &request);
    assert!(kit.closed());
}

#[test]
fn acks_1_and_0_with_idempotent_batches_are_accepted_and_2_is_21() {
    let mut kit = Kit::one_node();
    let request = kit.request(9, 1, [(0, idempotent(0, 0, 1).into())]);
    assert_eq!(only(kit.ask(0, 9, &request)).error_code, 0);
    let request = kit.request(9, 0, [(0, idempotent(0, 1, 1).into())]);
    kit.send(0, 9, &request);
    assert_eq!(kit.cluster.log(TOPIC, 0).count(), 2);
    for acks in [2, -2] {
        let request = kit.request(9, acks, [(0, plain(1).into())]);
        assert_eq!(only(kit.ask(0, 9, &request)).error_code, 21);
    }
}

#[test]
fn same_partition_twice_last_one_kept_one_answer() {
    let entry = |batch: Bytes| {
        TopicProduceData::default().with_name(crate::kit::name(TOPIC)).with_partition_data(vec![
            PartitionProduceData::default().with_index(0).with_records(Some(batch)),
        ])
    };
    let (first, second): (Bytes, Bytes) =
        (plain(1).value("first").into(), plain(1).value("second").into());
    let mut kit = Kit::one_node();
    let request = kit.request(9, -1, [(0, first.clone()), (0, second.clone())]);
    assert_eq!(only(kit.ask(0, 9, &request)).error_code, 0);
    assert_eq!(kit.values(), ["second"]);

    let mut kit = Kit::one_node();
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1_000)
        .with_topic_data(vec![entry(first), entry(second)]);
    assert_eq!(only(kit.ask(0, 9, &request)).error_code, 0, "in two topic entries");
    assert_eq!(kit.values(), ["second"]);
}

#[test]
fn no_topics_and_topic_without_partitions_get_an_empty_answer() {
    let mut kit = Kit::one_node();
    let none = ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000);
    let answer: ProduceResponse = kit.ask(0, 9, &none);
    assert!(answer.responses.is_empty());
    let request = kit.request(9, -1, []);
    let answer: ProduceResponse = kit.ask(0, 9, &request);
    assert!(answer.responses.iter().all(|topic| topic.partition_responses.is_empty()));
}

#[test]
fn one_bad_and_one_good_partition_are_independent() {
    let mut kit = Kit::one_node();
    let mut bad = plain(1);
    bad.crc_error = 1;
    let request = kit.request(9, -1, [(0, bad.into()), (1, plain(1).into())]);
    let answer: ProduceResponse = kit.ask(0, 9, &request);
    let codes: Vec<i16> =
        answer.responses[0].partition_responses.iter().map(|answer| answer.error_code).collect();
    assert_eq!(codes, [2, 0]);
}

#[test]
fn records_null_are_never_answered() {
    for version in [3, 9] {
        let mut kit = Kit::one_node();
        let mut request = kit.request(version, -1, [(0, Bytes::new())]);
        request.topic_data[0].partition_data[0].records = None;
        kit.send(0, version, &request);
        kit.send(18, 0, &ApiVersionsRequest::default());
        kit.advance(600_000_000);
        assert!(kit.read().is_none());
        assert!(!kit.cluster.wants_close(kit.peer));
    }
}

#[test]
fn six_requests_in_flight_and_pipelined_gaps() {
    let mut kit = Kit::one_node();
    let send = |kit: &mut Kit, sequence| {
        let request = kit.request(9, -1, [(0, idempotent(0, sequence, 1).into())]);
        kit.send(0, 9, &request);
    };
    let codes = |kit: &mut Kit, n| -> Vec<i16> {
        (0..n).map(|_| only(kit.answer::<ProduceResponse>(9).1).error_code).collect()
    };
    (0..6).for_each(|sequence| send(&mut kit, sequence));
    assert_eq!(codes(&mut kit, 6), [0; 6]);
    [6, 8, 9, 7].into_iter().for_each(|sequence| send(&mut kit, sequence));
    assert_eq!(codes(&mut kit, 4), [0, 45, 45, 0]);
}

#[test]
fn quota_is_answered_at_once_and_then_mutes_the_connection() {
    let mut config = Config::new(1);
    config.produce_quota = Some(1_000);
    let mut kit = Kit::new(config, TopicConfig::new(1, 1));
    let request = kit.request(9, -1, [(0, plain(1).value(&"x".repeat(1_900)).into())]);
    let answer: ProduceResponse = kit.ask(0, 9, &request);
    assert!((900..1_100).contains(&answer.throttle_time_ms), "{}", answer.throttle_time_ms);
    kit.send(18, 0, &ApiVersionsRequest::default());
    assert!(kit.read().is_none(), "the next request is not read");
    assert!(!kit.cluster.wants_read(kit.peer));
    let until = u64::from(answer.throttle_time_ms.unsigned_abs()) * 1_000;
    assert_eq!(kit.cluster.next_deadline(), Some(until));
    kit.advance(until);
    assert!(kit.read().is_some());
}

#[test]
fn init_producer_id_gives_new_ids_and_14_just_after_a_start() {
    for version in 0..=5 {
        let mut config = Config::new(1);
        config.producer_id_delay = 300_000;
        let mut kit = Kit::new(config, TopicConfig::new(1, 1));
        let request = crate::kit::init_producer_id();
        let first: InitProducerIdResponse = kit.ask(22, version, &request);
        let second: InitProducerIdResponse = kit.ask(22, version, &request);
        assert_eq!((first.error_code, first.producer_epoch), (0, 0));
        assert_ne!(first.producer_id, second.producer_id);
        kit.cluster.restart(1, 0).unwrap();
        kit.connect(1);
        let early: InitProducerIdResponse = kit.ask(22, version, &request);
        assert_eq!((early.error_code, early.producer_id), (14, ProducerId(-1)));
        kit.advance(300_000);
        let late: InitProducerIdResponse = kit.ask(22, version, &request);
        assert_eq!(late.error_code, 0);
    }
}

#[test]
fn null_id_with_pid_and_epoch_is_a_new_pid_and_only_one_of_them_is_42() {
    let mut kit = Kit::one_node();
    let request = crate::kit::init_producer_id();
    let both = request.clone().with_producer_id(ProducerId(7)).with_producer_epoch(3);
    let answer: InitProducerIdResponse = kit.ask(22, 4, &both);
    assert_eq!((answer.error_code, answer.producer_epoch), (0, 0));
    assert_ne!(answer.producer_id, ProducerId(7));
    let one = request.with_producer_id(ProducerId(7));
    let answer: InitProducerIdResponse = kit.ask(22, 4, &one);
    assert_eq!(answer.error_code, 42);
    let nameless = crate::kit::init_producer_id().with_transactional_id(Some(Default::default()));
    let answer: InitProducerIdResponse = kit.ask(22, 4, &nameless);
    assert_eq!(answer.error_code, 42, "empty transactional id");
}
