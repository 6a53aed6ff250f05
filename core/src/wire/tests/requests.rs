//! Requests as `kafka-protocol` reads them.

use core::iter::empty;
use std::string::ToString;
use std::vec;

use bytes::Bytes;
use hex_literal::hex;
use kafka_protocol::messages::{
    ApiVersionsRequest, FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest,
    ProduceRequest, RequestHeader as TheirHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request};

use super::super::api::ApiKey;
use super::super::metadata::Ask;
use super::super::prepend::Prepend;
use super::super::writer::RequestHeader;
use super::super::{api_versions, find_coordinator, init_producer_id, metadata, produce};
use super::vectors::produce_frame;
use crate::id::TopicUuid;

const ID: TopicUuid = TopicUuid(hex!("101112131415161718191a1b1c1d1e1f"));

fn header(api: ApiKey, version: i16) -> RequestHeader<'static> {
    RequestHeader { api, version, correlation: -77, client_id: b"client" }
}

/// Writes a request with klamm and reads all of it with `kafka-protocol`.
fn read<R: Request>(version: i16, write: impl Fn(&mut [u8]) -> Option<usize>) -> R {
    let mut out = [0xee; 512];
    let len = write(&mut out).expect("room");
    let (size, frame) = out[..len].split_first_chunk().expect("a size");
    assert_eq!(usize::try_from(i32::from_be_bytes(*size)), Ok(frame.len()));
    let mut frame = Bytes::copy_from_slice(frame);
    let header = TheirHeader::decode(&mut frame, R::header_version(version)).expect("a header");
    assert_eq!(header.request_api_key, R::KEY);
    assert_eq!(header.request_api_version, version);
    assert_eq!(header.correlation_id, -77);
    assert_eq!(header.client_id.as_deref(), Some("client"));
    let request = R::decode(&mut frame, version).expect("a body");
    assert!(frame.is_empty(), "{} bytes left", frame.len());
    request
}

#[test]
fn api_versions_requests() {
    for version in 0..=3 {
        let header = header(ApiKey::ApiVersions, version);
        let request: ApiVersionsRequest = read(version, |out| api_versions::write(&header, out));
        let (name, of) = if version == 3 { ("klamm", env!("CARGO_PKG_VERSION")) } else { ("", "") };
        assert_eq!(&*request.client_software_name, name);
        assert_eq!(&*request.client_software_version, of);
    }
}

#[test]
fn metadata_requests() {
    for version in 4..=13 {
        for create in [false, true] {
            let header = header(ApiKey::Metadata, version);
            let names = [Ask::Name(b"one"), Ask::Name(b"two")];
            let request: MetadataRequest =
                read(version, |out| metadata::write(&header, names.into_iter(), create, out));
            let topics = request.topics.expect("not null: that would ask for all topics");
            let found = topics.iter().map(|t| t.name.as_ref().expect("a name").to_string());
            assert!(found.eq(["one", "two"]));
            assert!(topics.iter().all(|topic| topic.topic_id.is_nil()));
            assert_eq!(request.allow_auto_topic_creation, create);
            assert!(!request.include_cluster_authorized_operations);
            assert!(!request.include_topic_authorized_operations);

            let none: MetadataRequest =
                read(version, |out| metadata::write(&header, empty(), create, out));
            assert_eq!(none.topics.map(|topics| topics.len()), Some(0), "brokers only");
        }
    }
}

#[test]
fn metadata_requests_by_id() {
    for version in 4..=13 {
        let header = header(ApiKey::Metadata, version);
        let by_id = [Ask::Id(ID)];
        let mixed = [Ask::Id(ID), Ask::Name(b"one")];
        assert_eq!(metadata::write(&header, mixed.into_iter(), false, &mut [0; 512]), None);
        if version < 12 {
            assert_eq!(metadata::write(&header, by_id.into_iter(), false, &mut [0; 512]), None);
            continue;
        }
        let request: MetadataRequest =
            read(version, |out| metadata::write(&header, by_id.into_iter(), false, out));
        let topics = request.topics.expect("topics");
        assert_eq!(topics.len(), 1);
        assert_eq!(topics[0].name, None);
        assert_eq!(topics[0].topic_id.into_bytes(), ID.0);
    }
}

#[test]
fn init_producer_id_requests() {
    for version in 1..=5 {
        for id in [None, Some("tx-1")] {
            let header = header(ApiKey::InitProducerId, version);
            let ask = init_producer_id::Request {
                transactional_id: id,
                timeout_ms: 60_000,
                producer_id: 4711,
                epoch: 3,
            };
            let request: InitProducerIdRequest =
                read(version, |out| init_producer_id::write(&header, &ask, out));
            assert_eq!(request.transactional_id.as_deref().map(|id| &**id), id);
            assert_eq!(request.transaction_timeout_ms, 60_000);
            let (producer, epoch) = if version >= 3 { (4711, 3) } else { (-1, -1) };
            assert_eq!(request.producer_id.0, producer);
            assert_eq!(request.producer_epoch, epoch);
        }
    }
}

#[test]
fn find_coordinator_requests() {
    use find_coordinator::KeyType;

    for version in 2..=6 {
        for (key_type, number) in [(KeyType::Group, 0), (KeyType::Transaction, 1)] {
            let header = header(ApiKey::FindCoordinator, version);
            let request: FindCoordinatorRequest =
                read(version, |out| find_coordinator::write(&header, key_type, "key", out));
            assert_eq!(request.key_type, number);
            if version >= 4 {
                assert_eq!(request.coordinator_keys.len(), 1);
                assert_eq!(&*request.coordinator_keys[0], "key");
            } else {
                assert_eq!(&*request.key, "key");
            }
        }
    }
}

#[test]
fn produce_requests() {
    for version in 3..=13 {
        let mut frame = Bytes::from(produce_frame(version, 500).expect("room")).slice(4..);
        let header_version = ProduceRequest::header_version(version);
        let header = TheirHeader::decode(&mut frame, header_version).expect("a header");
        assert_eq!((header.request_api_key, header.request_api_version), (0, version));
        assert_eq!(header.correlation_id, 3);
        assert_eq!(header.client_id.as_deref(), Some("klamm"));
        let request = ProduceRequest::decode(&mut frame, version).expect("a body");
        assert!(frame.is_empty());
        assert_eq!(request.transactional_id, None);
        assert_eq!((request.acks, request.timeout_ms), (-1, 30_000));
        let topic = &request.topic_data[0];
        if version >= 13 {
            assert_eq!(topic.topic_id.into_bytes(), ID.0);
        } else {
            assert_eq!(topic.name.to_string(), "events");
        }
        assert_eq!(topic.partition_data[0].index, 0);
        assert_eq!(topic.partition_data[0].records.as_ref().map(Bytes::len), Some(77));
    }
}

/// Topics 0 to 2 with 1 to 3 partitions each, and the batch of partition `i` of topic `t` is `[t, i]` 40 times.
#[test]
fn produce_requests_with_many_partitions() {
    for version in 3..=13 {
        let mut out = vec![0xee; 2_000];
        let room = out.len();
        let mut p = Prepend::new(&mut out);
        for topic in (0..3_u8).rev() {
            for index in (0..=topic).rev() {
                let last_of_topic = index == topic;
                p.put_bytes(produce::tail(version, last_of_topic, last_of_topic && topic == 2));
                p.put_bytes(&[topic, index].repeat(40));
                produce::partition_head(&mut p, version, i32::from(index), 80);
            }
            let (name, id) = (std::format!("topic-{topic}"), TopicUuid([topic + 1; 16]));
            produce::topic_head(&mut p, version, name.as_bytes(), &id, u32::from(topic) + 1);
        }
        let head = produce::FrameHead {
            version,
            correlation: 9,
            client_id: b"client",
            acks: 1,
            timeout_ms: 5,
            topics: 3,
        };
        produce::frame_head(&mut p, &head);
        assert!(!p.overflow());
        let len = p.len();

        let mut frame = Bytes::from(out.split_off(room - len));
        let header_version = ProduceRequest::header_version(version);
        TheirHeader::decode(&mut frame, header_version).expect("a header");
        let request = ProduceRequest::decode(&mut frame, version).expect("a body");
        assert!(frame.is_empty(), "version {version}: {} bytes left", frame.len());
        assert_eq!(request.topic_data.len(), 3);
        for (number, topic) in (0..3_u8).zip(&request.topic_data) {
            if version >= 13 {
                assert_eq!(topic.topic_id.into_bytes(), [number + 1; 16]);
            } else {
                assert_eq!(topic.name.to_string(), std::format!("topic-{number}"));
            }
            assert_eq!(topic.partition_data.len(), usize::from(number) + 1);
            for (index, partition) in (0..3_u8).zip(&topic.partition_data) {
                assert_eq!(partition.index, i32::from(index));
                let records = partition.records.as_deref();
                assert_eq!(records, Some(&[number, index].repeat(40)[..]));
            }
        }
    }
}
