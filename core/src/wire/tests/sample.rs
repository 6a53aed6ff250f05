//! Random responses: bytes by `kafka-protocol`, and the events that klamm must read in them.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use bytes::BytesMut;
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, FindCoordinatorResponse, InitProducerIdResponse,
    MetadataResponse, ProduceResponse, ProducerId, ResponseHeader, TopicName,
    api_versions_response as av, find_coordinator_response as fc, metadata_response as md,
    produce_response as pr,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

use super::super::{api_versions, find_coordinator, init_producer_id, metadata, produce};
use super::Rng;
use crate::error_code::ErrorCode;
use crate::id::TopicUuid;

/// The bytes after the correlation id, and the events in them as text.
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
    pub(super) events: Vec<String>,
}

fn text(rng: &mut Rng, max: u64) -> String {
    (0..rng.below(max + 1)).map(|at| if at % 9 == 4 { '\u{e4}' } else { 'x' }).collect()
}

/// A string that is now and then longer than `limit`, and its text if it is not.
fn name(rng: &mut Rng, limit: usize) -> (String, Option<String>) {
    let len = match rng.below(10) {
        0 => limit,
        1 => limit + 1,
        2 => limit + 1 + rng.below(2_000),
        _ => rng.below(30),
    };
    let name = "n".repeat(len);
    (name.clone(), (len <= limit).then_some(name))
}

fn str_bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

fn maybe(rng: &mut Rng) -> Option<StrBytes> {
    rng.chance(60).then(|| StrBytes::from_string(text(rng, 400)))
}

/// A tagged field from the future.
macro_rules! tagged {
    ($rng:expr, $flexible:expr, $message:expr) => {{
        let message = $message;
        if $flexible && $rng.chance(30) {
            let bytes = "t".repeat($rng.below(300)).into_bytes();
            message.with_unknown_tagged_field(40 + $rng.i16().abs() as i32, bytes.into())
        } else {
            message
        }
    }};
}

fn encode<R: Encodable + HeaderVersion>(rng: &mut Rng, response: &R, version: i16) -> Vec<u8> {
    let header_version = R::header_version(version);
    let header = tagged!(rng, header_version > 0, ResponseHeader::default());
    let mut out = BytesMut::new();
    header.encode(&mut out, header_version).expect("encodable header");
    response.encode(&mut out, version).expect("encodable response");
    out.to_vec().split_off(4)
}

fn uuid(rng: &mut Rng) -> [u8; 16] {
    (u128::from(rng.next()) << 64 | u128::from(rng.next())).to_be_bytes()
}

fn event(events: &mut Vec<String>, event: impl core::fmt::Debug) {
    events.push(format!("{event:?}"));
}

fn brokers(rng: &mut Rng) -> Vec<BrokerId> {
    (0..rng.below(5)).map(|_| BrokerId(rng.i32())).collect()
}

pub(super) fn metadata(rng: &mut Rng, version: i16) -> Sample {
    use metadata::Event;

    let flexible = version >= 9;
    let mut events = Vec::new();
    let throttle = rng.i32();
    event(&mut events, Event::Throttle(throttle));
    let mut response = MetadataResponse::default()
        .with_throttle_time_ms(throttle)
        .with_cluster_id(maybe(rng))
        .with_controller_id(BrokerId(rng.i32()));
    for _ in 0..rng.below(4) {
        let (host, read) = name(rng, 255);
        let (node, port) = (rng.i32(), rng.i32());
        let broker = md::MetadataResponseBroker::default()
            .with_node_id(BrokerId(node))
            .with_host(str_bytes(&host))
            .with_port(port)
            .with_rack(maybe(rng));
        response.brokers.push(tagged!(rng, flexible, broker));
        event(&mut events, Event::Broker { node, host: read.as_deref().map(str::as_bytes), port });
    }
    for _ in 0..rng.below(4) {
        response.topics.push(metadata_topic(rng, version, &mut events));
    }
    if version >= 13 {
        response.error_code = rng.i16();
        event(&mut events, Event::Error(ErrorCode(response.error_code)));
    }
    event(&mut events, Event::End);
    let response = tagged!(rng, flexible, response);
    Sample { bytes: encode(rng, &response, version), events }
}

fn metadata_topic(
    rng: &mut Rng,
    version: i16,
    events: &mut Vec<String>,
) -> md::MetadataResponseTopic {
    use metadata::Event;

    let (error, id) = (rng.i16(), if version >= 10 { uuid(rng) } else { [0; 16] });
    let (full, read) = name(rng, 249);
    let null = version >= 12 && rng.chance(20);
    let mut topic = md::MetadataResponseTopic::default()
        .with_error_code(error)
        .with_topic_id(uuid::Uuid::from_bytes(id))
        .with_name((!null).then(|| TopicName(str_bytes(&full))))
        .with_is_internal(rng.chance(50));
    if version >= 8 {
        topic.topic_authorized_operations = rng.i32();
    }
    let name = read.as_deref().map(str::as_bytes).filter(|_| !null);
    event(events, Event::Topic { error: ErrorCode(error), name, id: TopicUuid(id) });
    for _ in 0..rng.below(5) {
        let (error, index, leader) = (rng.i16(), rng.i32(), rng.i32());
        let leader_epoch = if version >= 7 { rng.i32() } else { -1 };
        let partition = md::MetadataResponsePartition::default()
            .with_error_code(error)
            .with_partition_index(index)
            .with_leader_id(BrokerId(leader))
            .with_leader_epoch(leader_epoch)
            .with_replica_nodes(brokers(rng))
            .with_isr_nodes(brokers(rng))
            .with_offline_replicas(if version >= 5 { brokers(rng) } else { Vec::new() });
        topic.partitions.push(tagged!(rng, version >= 9, partition));
        let error = ErrorCode(error);
        event(events, Event::Partition { error, index, leader, leader_epoch });
    }
    event(events, Event::TopicEnd::<'_>);
    tagged!(rng, version >= 9, topic)
}

pub(super) fn produce(rng: &mut Rng, version: i16) -> Sample {
    use produce::Event;

    let mut events = Vec::new();
    let mut response = ProduceResponse::default().with_throttle_time_ms(rng.i32());
    for _ in 0..rng.below(4) {
        let mut topic = pr::TopicProduceResponse::default();
        if version >= 13 {
            let id = uuid(rng);
            topic.topic_id = uuid::Uuid::from_bytes(id);
            event(&mut events, Event::Topic { name: None, id: TopicUuid(id) });
        } else {
            let (full, read) = name(rng, 249);
            topic.name = TopicName(str_bytes(&full));
            event(
                &mut events,
                Event::Topic { name: read.as_deref().map(str::as_bytes), id: TopicUuid::ZERO },
            );
        }
        for _ in 0..rng.below(4) {
            topic.partition_responses.push(produce_partition(rng, version, &mut events));
        }
        response.responses.push(tagged!(rng, version >= 9, topic));
    }
    event(&mut events, Event::Throttle(response.throttle_time_ms));
    if version >= 10 {
        for _ in 0..rng.below(3) {
            let (full, read) = name(rng, 255);
            let (node, port) = (rng.i32(), rng.i32());
            let endpoint = pr::NodeEndpoint::default()
                .with_node_id(BrokerId(node))
                .with_host(str_bytes(&full))
                .with_port(port)
                .with_rack(maybe(rng));
            response.node_endpoints.push(tagged!(rng, true, endpoint));
            event(
                &mut events,
                Event::Node { node, host: read.as_deref().map(str::as_bytes), port },
            );
        }
    }
    event(&mut events, Event::End);
    let response = tagged!(rng, version >= 9, response);
    Sample { bytes: encode(rng, &response, version), events }
}

fn produce_partition(
    rng: &mut Rng,
    version: i16,
    events: &mut Vec<String>,
) -> pr::PartitionProduceResponse {
    use produce::Event;

    let (index, error) = (rng.i32(), rng.i16());
    let (base_offset, log_append_time) = (rng.i64(), rng.i64());
    let mut partition = pr::PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error)
        .with_base_offset(base_offset)
        .with_log_append_time_ms(log_append_time);
    let error = ErrorCode(error);
    event(events, Event::Partition { index, error, base_offset, log_append_time });
    if version >= 5 {
        partition.log_start_offset = rng.i64();
    }
    if version >= 8 {
        partition.error_message = maybe(rng);
        for _ in 0..rng.below(4) {
            let bad = pr::BatchIndexAndErrorMessage::default()
                .with_batch_index(rng.i32())
                .with_batch_index_error_message(maybe(rng));
            event(events, Event::BadRecord { batch_index: bad.batch_index });
            partition.record_errors.push(tagged!(rng, version >= 9, bad));
        }
    }
    if version >= 10 && rng.chance(40) {
        let (leader_id, leader_epoch) = (rng.i32(), rng.i32());
        let leader = pr::LeaderIdAndEpoch::default()
            .with_leader_id(BrokerId(leader_id))
            .with_leader_epoch(leader_epoch);
        partition.current_leader = tagged!(rng, true, leader);
        event(events, Event::Leader { leader_id, leader_epoch });
    }
    event(events, Event::PartitionEnd);
    tagged!(rng, version >= 9, partition)
}

pub(super) fn api_versions(rng: &mut Rng, version: i16) -> Sample {
    use api_versions::Event;

    let mut events = Vec::new();
    // Not 35, after which the form is that of version 0: see the golden bytes.
    let error = rng.below(35);
    let mut response =
        ApiVersionsResponse::default().with_error_code(i16::try_from(error).expect("small"));
    event(&mut events, Event::Error(ErrorCode(response.error_code)));
    for _ in 0..rng.below(70) {
        let (key, min, max) = (rng.i16(), rng.i16(), rng.i16());
        let range =
            av::ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max);
        response.api_keys.push(tagged!(rng, version >= 3, range));
        event(&mut events, Event::Range { key, min, max });
    }
    if version >= 1 {
        response.throttle_time_ms = rng.i32();
        event(&mut events, Event::Throttle(response.throttle_time_ms));
    }
    if version >= 3 {
        response.finalized_features_epoch = rng.i64();
        for _ in 0..rng.below(3) {
            let name = StrBytes::from_string(text(rng, 300));
            let feature = av::FinalizedFeatureKey::default().with_name(name);
            response.finalized_features.push(feature);
        }
    }
    event(&mut events, Event::End);
    let response = tagged!(rng, version >= 3, response);
    Sample { bytes: encode(rng, &response, version), events }
}

pub(super) fn init_producer_id(rng: &mut Rng, version: i16) -> Sample {
    use init_producer_id::Event;

    let (throttle, error, producer_id, epoch) = (rng.i32(), rng.i16(), rng.i64(), rng.i16());
    let response = InitProducerIdResponse::default()
        .with_throttle_time_ms(throttle)
        .with_error_code(error)
        .with_producer_id(ProducerId(producer_id))
        .with_producer_epoch(epoch);
    let error = ErrorCode(error);
    let events = super::texts(&[Event::Done { throttle, error, producer_id, epoch }, Event::End]);
    let response = tagged!(rng, version >= 2, response);
    Sample { bytes: encode(rng, &response, version), events }
}

pub(super) fn find_coordinator(rng: &mut Rng, version: i16) -> Sample {
    use find_coordinator::Event;

    let mut events = Vec::new();
    let mut response = FindCoordinatorResponse::default().with_throttle_time_ms(rng.i32());
    event(&mut events, Event::Throttle(response.throttle_time_ms));
    for _ in 0..if version >= 4 { rng.below(3) } else { 1 } {
        let (node, port, error) = (rng.i32(), rng.i32(), rng.i16());
        let (host, read) = name(rng, 255);
        let host = str_bytes(&host);
        if version >= 4 {
            let coordinator = fc::Coordinator::default()
                .with_key(StrBytes::from_string(text(rng, 400)))
                .with_node_id(BrokerId(node))
                .with_host(host)
                .with_port(port)
                .with_error_code(error)
                .with_error_message(maybe(rng));
            response.coordinators.push(tagged!(rng, true, coordinator));
        } else {
            response.error_code = error;
            response.error_message = maybe(rng);
            response.node_id = BrokerId(node);
            response.host = host;
            response.port = port;
        }
        let error = ErrorCode(error);
        event(
            &mut events,
            Event::Coordinator { error, node, host: read.as_deref().map(str::as_bytes), port },
        );
    }
    event(&mut events, Event::End);
    let response = tagged!(rng, version >= 3, response);
    Sample { bytes: encode(rng, &response, version), events }
}
