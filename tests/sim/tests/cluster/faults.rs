//! Faults on demand.

use crate::kit::{Kit, TOPIC, idempotent, plain};
use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, InitProducerIdResponse, ProduceResponse,
};
use klamm_sim::cluster::{Api, Config, Fault, MetadataFault, Rule, TopicConfig};

fn with(fault: Fault) -> Kit {
    let mut kit = Kit::one_node();
    kit.cluster.inject(Rule::once(Api::Produce, fault));
    kit
}

fn send(kit: &mut Kit) {
    let request = kit.request(9, -1, [(0, plain(1).into())]);
    kit.send(0, 9, &request);
}

fn stored(kit: &Kit) -> usize {
    kit.cluster.log(TOPIC, 0).count()
}

#[test]
fn lost_requests_and_answers() {
    for (fault, stored_then) in [(Fault::DropRequest, 0), (Fault::DropResponse, 1)] {
        let mut kit = with(fault);
        send(&mut kit);
        kit.send(18, 0, &ApiVersionsRequest::default());
        assert!(kit.read().is_none());
        assert!(!kit.closed());
        assert_eq!(stored(&kit), stored_then);
    }
    for (fault, stored_then) in [(Fault::CloseBefore, 0), (Fault::CloseAfter, 1)] {
        let mut kit = with(fault);
        send(&mut kit);
        assert!(kit.closed());
        assert_eq!(stored(&kit), stored_then);
    }
}

#[test]
fn broken_answers() {
    let mut kit = with(Fault::WrongCorrelationId);
    let request = kit.request(9, -1, [(0, plain(1).into())]);
    let sent = kit.send(0, 9, &request);
    assert_ne!(kit.answer::<ProduceResponse>(9).0, sent);

    let mut kit = with(Fault::Garbage(vec![1, 2, 3]));
    send(&mut kit);
    assert_eq!(kit.cluster.readable(kit.peer), [1, 2, 3]);

    let mut kit = with(Fault::TruncateFrame(7));
    send(&mut kit);
    assert_eq!(kit.cluster.readable(kit.peer).len(), 7);
    assert!(kit.cluster.wants_close(kit.peer));
}

#[test]
fn late_and_throttled_answers() {
    let mut kit = with(Fault::Delay(9_000));
    send(&mut kit);
    kit.advance(8_999);
    assert!(kit.read().is_none());
    kit.advance(1);
    assert!(kit.read().is_some());

    let mut kit = with(Fault::Throttle(50));
    send(&mut kit);
    assert_eq!(kit.answer::<ProduceResponse>(9).1.throttle_time_ms, 50);
    send(&mut kit);
    assert!(kit.read().is_none());
    kit.advance(50_000);
    assert!(kit.read().is_some());
}

#[test]
fn errors_without_and_after_an_append() {
    let mut kit = with(Fault::Error(6));
    assert_eq!(kit.result(plain(1)), (6, -1));
    assert_eq!(stored(&kit), 0);
    for (keep_offset, offset) in [(true, 0), (false, -1)] {
        let mut kit = with(Fault::AppendThenError { code: 7, keep_offset });
        assert_eq!(kit.result(idempotent(0, 0, 1)), (7, offset));
        assert_eq!(kit.result(idempotent(0, 0, 1)), (0, 0), "the retry is a duplicate");
        assert_eq!(stored(&kit), 1);
    }
}

#[test]
fn partitions_left_out_doubled_and_made_up() {
    for (fault, indexes) in [
        (Fault::OmitPartition, vec![1]),
        (Fault::DuplicatePartition, vec![0, 0, 1]),
        (Fault::ExtraPartition, vec![1_000_000, 0, 1]),
        (Fault::AnothersPartition(1), vec![0, 1, 1]),
    ] {
        let mut kit = with(fault);
        let batch: Bytes = plain(1).into();
        let request = kit.request(9, -1, [(0, batch.clone()), (1, batch)]);
        let answer: ProduceResponse = kit.ask(0, 9, &request);
        let answers = answer.responses[0].partition_responses.iter();
        assert_eq!(answers.map(|answer| answer.index).collect::<Vec<_>>(), indexes);
        assert_eq!(stored(&kit), 1);
    }
}

#[test]
fn a_rule_skips_counts_and_looks_at_its_place() {
    let mut kit = Kit::one_node();
    let rule = Rule::once(Api::Produce, Fault::Error(6));
    kit.cluster.inject(Rule { partition: Some(1), ..rule.clone() });
    kit.cluster.inject(Rule { topic: Some("other".to_string()), ..rule.clone() });
    kit.cluster.inject(Rule { node: Some(2), ..rule.clone() });
    kit.cluster.inject(Rule { skip: 1, times: 2, partition: Some(0), ..rule });
    let codes: Vec<i16> = (0..5).map(|_| kit.code(plain(1))).collect();
    assert_eq!(codes, [0, 6, 6, 0, 0]);
    kit.cluster.clear_faults();
    let request = kit.request(9, -1, [(1, plain(1).into())]);
    assert_eq!(crate::kit::only(kit.ask(0, 9, &request)).error_code, 0);
}

#[test]
fn other_requests_fail_on_demand() {
    let mut kit = Kit::one_node();
    kit.cluster.inject(Rule::once(Api::InitProducerId, Fault::Error(15)));
    let request = crate::kit::init_producer_id();
    let codes = [0; 2].map(|_| {
        let answer: InitProducerIdResponse = kit.ask(22, 1, &request);
        answer.error_code
    });
    assert_eq!(codes, [15, 0]);
}

#[test]
fn metadata_lies_once_and_then_tells_the_truth() {
    let mut kit = Kit::three_nodes();
    kit.cluster.elect(TOPIC, 0, 2, 0).unwrap();
    let truth = kit.metadata(12, &[TOPIC]);
    assert_eq!(truth.topics[0].partitions[0].leader_id, BrokerId(2));
    let mut lie = |lie| {
        kit.cluster.inject(Rule::once(Api::Metadata, Fault::Metadata(lie)));
        let answer = kit.metadata(12, &[TOPIC]);
        assert_eq!(kit.metadata(12, &[TOPIC]), truth);
        answer
    };
    let stale = lie(MetadataFault::StaleLeader);
    let partition = &stale.topics[0].partitions[0];
    assert_eq!((partition.leader_id, partition.leader_epoch), (BrokerId(1), 0));
    assert_eq!(lie(MetadataFault::OlderEpoch).topics[0].partitions[0].leader_epoch, 0);
    assert!(lie(MetadataFault::MissingTopic).topics.is_empty());
    assert_eq!(lie(MetadataFault::MissingPartition).topics[0].partitions.len(), 2);
    assert_eq!(lie(MetadataFault::ZeroPartitions).topics[0].partitions.len(), 0);
    let unknown = lie(MetadataFault::UnknownLeader);
    let leader = unknown.topics[0].partitions[0].leader_id;
    assert!(unknown.brokers.iter().all(|broker| broker.node_id != leader));
    assert!(lie(MetadataFault::NoBrokers).brokers.is_empty());
    assert_ne!(lie(MetadataFault::WrongTopicId).topics[0].topic_id, truth.topics[0].topic_id);
    assert!(lie(MetadataFault::ZeroTopicId).topics[0].topic_id.is_nil());
    let leaderless = lie(MetadataFault::NoLeader);
    let partition = &leaderless.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.leader_id), (5, BrokerId(-1)));
}

#[test]
fn topics_grow_and_come_again_under_another_id() {
    let mut kit = Kit::one_node();
    kit.cluster.add_partitions(TOPIC, 5).unwrap();
    assert_eq!(kit.metadata(12, &[TOPIC]).topics[0].partitions.len(), 5);
    assert!(kit.cluster.add_partitions(TOPIC, 4).is_err());
    let old = kit.cluster.topic_id(TOPIC).unwrap();
    kit.cluster.delete_topic(TOPIC, 0).unwrap();
    assert_eq!(kit.metadata(12, &[TOPIC]).topics[0].error_code, 3);
    kit.cluster.create_topic(TOPIC, TopicConfig::new(2, 1)).unwrap();
    assert_ne!(kit.cluster.topic_id(TOPIC).unwrap(), old);
    assert_eq!(kit.cluster.partitions(TOPIC), 2);
}

#[test]
fn the_trace_shows_what_arrived_and_what_was_appended() {
    let mut config = Config::new(1);
    (config.trace_produced, config.trace_appended) = (true, true);
    let mut kit = Kit::new(config, TopicConfig::new(1, 1));
    kit.cluster.inject(Rule::once(Api::Produce, Fault::CloseBefore));
    send(&mut kit);
    kit.connect(1);
    kit.now = 7;
    let batch: Bytes = idempotent(3, 9, 2).into();
    assert_eq!(kit.code(batch.clone()), 0);
    let produced = kit.cluster.take_produced();
    assert_eq!(produced.len(), 2, "also what was not processed");
    let last = &produced[1];
    assert_eq!((last.at, last.producer_epoch, last.base_sequence, last.count), (7, 3, 9, 2));
    assert_eq!((&*last.topic, last.partition, &last.batch), (TOPIC, 0, &batch));
    let appended = kit.cluster.take_appended();
    assert_eq!(appended.len(), 1);
    assert_eq!(appended[0].batch.len(), batch.len());
    assert!(kit.cluster.take_produced().is_empty());
}
