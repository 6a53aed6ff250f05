//! The dev broker on real sockets and a real disk.
#![cfg(feature = "dev-broker")]
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

use bytes::{BufMut, Bytes, BytesMut};
use core::net::SocketAddr;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use klamm_sim::dev_broker::{DevBroker, Options};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

fn options() -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        topics: vec![("events".to_string(), 2)],
        ..Options::default()
    }
}

fn send<Q: Encodable + HeaderVersion>(to: &mut TcpStream, key: i16, version: i16, request: &Q) {
    let mut body = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(1);
    header.encode(&mut body, Q::header_version(version)).unwrap();
    request.encode(&mut body, version).unwrap();
    let mut frame = BytesMut::new();
    frame.put_i32(i32::try_from(body.len()).unwrap());
    frame.extend_from_slice(&body);
    to.write_all(&frame).unwrap();
}

fn answer<A: Decodable + HeaderVersion>(from: &mut TcpStream, version: i16) -> A {
    let mut size = [0; 4];
    from.read_exact(&mut size).unwrap();
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    from.read_exact(&mut frame).unwrap();
    let mut frame = Bytes::from(frame);
    ResponseHeader::decode(&mut frame, A::header_version(version)).unwrap();
    A::decode(&mut frame, version).unwrap()
}

/// One record with this value, of producer `producer_id`.
fn batch(value: &[u8], producer_id: i64, sequence: i32) -> Bytes {
    let mut record = vec![0, 0, 0, 1];
    varint(&mut record, value.len());
    record.extend_from_slice(value);
    record.push(0);
    let mut checked = BytesMut::new();
    checked.put_i16(0);
    checked.put_i32(0);
    checked.put_i64(0);
    checked.put_i64(0);
    checked.put_i64(producer_id);
    checked.put_i16(if producer_id < 0 { -1 } else { 0 });
    checked.put_i32(sequence);
    checked.put_i32(1);
    let mut length = Vec::new();
    varint(&mut length, record.len());
    checked.put_slice(&length);
    checked.put_slice(&record);
    let mut out = BytesMut::new();
    out.put_i64(0);
    out.put_i32(i32::try_from(checked.len() + 9).unwrap());
    out.put_i32(-1);
    out.put_i8(2);
    out.put_u32(crc32c::crc32c(&checked));
    out.extend_from_slice(&checked);
    out.freeze()
}

fn varint(out: &mut Vec<u8>, n: usize) {
    let mut n = n << 1;
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}

fn request(acks: i16, partition: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default()
        .with_name(TopicName(StrBytes::from_static_str("events")))
        .with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000).with_topic_data(vec![topic])
}

/// Code and base offset.
fn produce(to: &mut TcpStream, partition: i32, batch: Bytes) -> (i16, i64) {
    send(to, 0, 9, &request(-1, partition, batch));
    let answer: ProduceResponse = answer(to, 9);
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

fn values(broker: &DevBroker, partition: i32) -> Vec<Bytes> {
    broker.with(|cluster, _| {
        cluster.log("events", partition).filter_map(|record| record.value).collect()
    })
}

/// A directory of this test, empty at the start and removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn it_advertises_where_it_listens() {
    let broker = DevBroker::start(options()).unwrap();
    let mut socket = TcpStream::connect(broker.address()).unwrap();
    let topics = vec![
        MetadataRequestTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("events")))),
    ];
    send(&mut socket, 3, 9, &MetadataRequest::default().with_topics(Some(topics)));
    let metadata: MetadataResponse = answer(&mut socket, 9);
    assert_eq!(&*metadata.brokers[0].host, "127.0.0.1");
    assert_eq!(metadata.brokers[0].port, i32::from(broker.address().port()));
    assert_eq!(metadata.topics[0].partitions.len(), 2);
}

#[test]
fn large_frames_and_many_connections() {
    let broker = DevBroker::start(options()).unwrap();
    let mut sockets: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(broker.address()).unwrap()).collect();
    let large = vec![b'x'; 1_000_000];
    for (i, socket) in (0..).zip(&mut sockets) {
        let value = if i % 10 == 0 { &large[..] } else { b"small" };
        assert_eq!(produce(socket, 0, batch(value, -1, -1)), (0, i));
    }
    drop(sockets);
    assert_eq!(values(&broker, 0).len(), 50);
}

#[test]
fn what_was_sent_before_the_end_of_the_stream_is_processed() {
    let broker = DevBroker::start(options()).unwrap();
    let mut socket = TcpStream::connect(broker.address()).unwrap();
    for _ in 0..100 {
        send(&mut socket, 0, 9, &request(0, 1, batch(b"v", -1, -1)));
    }
    // The broker closes when it has read to the end: then everything before it was processed.
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    assert_eq!(values(&broker, 1).len(), 100);
}

#[test]
fn a_restart_reads_everything_back_and_cuts_a_torn_tail() {
    let dir = Dir::new("dev_broker_restart");
    let with_dir = || Options { dir: Some(dir.0.clone()), ..options() };
    let broker = DevBroker::start(with_dir()).unwrap();
    let id = broker.with(|cluster, _| cluster.topic_id("events"));
    let mut socket = TcpStream::connect(broker.address()).unwrap();
    for i in 0..3 {
        let value = format!("v{i}");
        assert_eq!(produce(&mut socket, 0, batch(value.as_bytes(), 7, i)), (0, i.into()));
    }
    drop(broker);
    let file = dir.0.join("events-0.log");
    let sound = std::fs::read(&file).unwrap();
    let torn = [&sound[..], &sound[..40]].concat();
    std::fs::write(&file, torn).unwrap();

    let broker = DevBroker::start(with_dir()).unwrap();
    assert_eq!(broker.with(|cluster, _| cluster.topic_id("events")), id);
    assert_eq!(values(&broker, 0), ["v0", "v1", "v2"]);
    assert_eq!(std::fs::read(&file).unwrap(), sound);
    let mut socket = TcpStream::connect(broker.address()).unwrap();
    assert_eq!(produce(&mut socket, 0, batch(b"again", 7, 2)), (0, 2), "a duplicate");
    assert_eq!(produce(&mut socket, 0, batch(b"again", 7, 1)).0, 45, "only the last is known");
    assert_eq!(produce(&mut socket, 0, batch(b"v3", 7, 3)), (0, 3));
    drop(broker);

    let broker = DevBroker::start(with_dir()).unwrap();
    assert_eq!(values(&broker, 0), ["v0", "v1", "v2", "v3"]);
}

#[test]
fn several_nodes_lead_and_a_killed_one_refuses() {
    let broker = DevBroker::start(Options { nodes: 3, ..options() }).unwrap();
    assert_eq!(broker.addresses().len(), 3);
    let mut socket = TcpStream::connect(broker.addresses()[0]).unwrap();
    assert_eq!(produce(&mut socket, 0, batch(b"a", -1, -1)), (0, 0));
    assert_eq!(produce(&mut socket, 1, batch(b"a", -1, -1)).0, 6, "node 1 leads partition 1");
    broker.with(|cluster, now| cluster.kill(0, now)).unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "closed");
    let mut socket = TcpStream::connect(broker.addresses()[1]).unwrap();
    assert_eq!(produce(&mut socket, 0, batch(b"b", -1, -1)), (0, 1), "the new leader has it all");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let topics = vec![("no good name".to_string(), 1)];
    let error = DevBroker::start(Options { topics, ..options() }).unwrap_err();
    assert!(error.to_string().contains("no good name"), "{error}");
    let taken = DevBroker::start(options()).unwrap();
    let error = DevBroker::start(Options { listen: taken.address(), ..options() }).unwrap_err();
    assert!(error.to_string().contains("cannot listen"), "{error}");
}
