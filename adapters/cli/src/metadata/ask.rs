//! One metadata request, on a connection of its own. The producer's core passes over what a
//! producer does not need: replicas, racks, other people's topics.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes, encode_request_header_into_buffer};
use klamm_std::ErrorCode;
use serde::Serialize;

use crate::failure::Failure;

/// Every broker since 1.0 has it, and it tells all that is shown here.
const VERSION: i16 = 5;
const CORRELATION_ID: i32 = 0x6b6c_616d;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(15);
/// A cluster of 1,000,000 partitions fits; a peer that is no broker would ask for more.
const MAX_ANSWER: usize = 256 << 20;

/// A cluster, as a broker sees it.
#[derive(Debug, Serialize)]
pub(crate) struct Cluster {
    pub(crate) cluster: Option<String>,
    pub(crate) controller: Option<i32>,
    pub(crate) brokers: Vec<Broker>,
    pub(crate) topics: Vec<Topic>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) rack: Option<String>,
}

impl Broker {
    /// `host:port`, as one connects to it.
    pub(crate) fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) internal: bool,
    pub(crate) error: Option<String>,
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Partition {
    pub(crate) partition: i32,
    /// A broker's id; `None` while there is none.
    pub(crate) leader: Option<i32>,
    pub(crate) replicas: Vec<i32>,
    pub(crate) in_sync: Vec<i32>,
    pub(crate) offline: Vec<i32>,
    pub(crate) error: Option<String>,
}

/// The addresses in a list separated by commas.
pub(crate) fn servers(list: &str) -> Result<Vec<String>, Failure> {
    let servers: Vec<&str> =
        list.split(',').map(str::trim).filter(|server| !server.is_empty()).collect();
    let is_server = |server: &&str| {
        let parts = server.rsplit_once(':');
        parts.is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    if servers.is_empty() || !servers.iter().all(is_server) {
        return Err(Failure::Usage(format!("-b {list}: expected host:port, separated by commas")));
    }
    Ok(servers.into_iter().map(str::to_owned).collect())
}

/// Asks one server after the other, until one answers: for this topic, or for all.
///
/// A topic that is not there is not created.
pub(crate) fn ask(servers: &[String], topic: Option<&str>) -> Result<Cluster, Failure> {
    let mut errors = Vec::new();
    for server in servers {
        match ask_one(server, topic) {
            Ok(response) => return Ok(cluster(response)),
            Err(error) => errors.push(format!("{server}: {}", words(&error))),
        }
    }
    Err(Failure::Run(format!("no broker answered: {}", errors.join("; "))))
}

/// Does anyone listen there? If not, why not.
pub(crate) fn reach(server: &str) -> Result<(), String> {
    connect(server).map(drop).map_err(|error| words(&error))
}

fn ask_one(server: &str, topic: Option<&str>) -> io::Result<MetadataResponse> {
    let mut stream = connect(server)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.write_all(&request(topic).map_err(io::Error::other)?)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size).map_err(in_words)?;
    let size = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
    if size > MAX_ANSWER {
        return Err(io::Error::other("the peer is not a Kafka broker, or it speaks TLS"));
    }
    // The memory grows with what comes, not with what was announced.
    let mut answer = Vec::new();
    stream.take(size as u64).read_to_end(&mut answer).map_err(in_words)?;
    if answer.len() < size {
        return Err(in_words(io::ErrorKind::UnexpectedEof.into()));
    }
    response(answer).map_err(|_| io::Error::other("the answer cannot be read"))
}

/// The first of the server's addresses that takes a connection.
fn connect(server: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in server.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// An error without the number that the system has for it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The errors of a read that the system has numbers for, and people have words.
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::other(format!("no answer within {} s", ANSWER.as_secs()))
        }
        io::ErrorKind::UnexpectedEof => {
            io::Error::other("the peer closed the connection without an answer")
        }
        _ => error,
    }
}

fn request(topic: Option<&str>) -> Result<BytesMut, Box<dyn core::error::Error + Send + Sync>> {
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Metadata as i16)
        .with_request_api_version(VERSION)
        .with_correlation_id(CORRELATION_ID)
        .with_client_id(Some(StrBytes::from_static_str("klamm")));
    let name = |topic: &str| TopicName(StrBytes::from_string(topic.to_owned()));
    let asked = |topic| vec![MetadataRequestTopic::default().with_name(Some(name(topic)))];
    let request = MetadataRequest::default()
        .with_topics(topic.map(asked))
        .with_allow_auto_topic_creation(false);
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    encode_request_header_into_buffer(&mut frame, &header)?;
    request.encode(&mut frame, VERSION)?;
    let size = u32::try_from(frame.len() - 4).unwrap_or_default();
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame)
}

fn response(answer: Vec<u8>) -> Result<MetadataResponse, Unreadable> {
    let mut answer = bytes::Bytes::from(answer);
    let header = ResponseHeader::decode(&mut answer, 0).map_err(|_| Unreadable)?;
    if header.correlation_id != CORRELATION_ID {
        return Err(Unreadable);
    }
    let response = MetadataResponse::decode(&mut answer, VERSION).map_err(|_| Unreadable)?;
    if answer.is_empty() { Ok(response) } else { Err(Unreadable) }
}

struct Unreadable;

fn cluster(response: MetadataResponse) -> Cluster {
    let brokers = response.brokers.iter().map(|broker| Broker {
        id: *broker.node_id,
        host: broker.host.to_string(),
        port: broker.port,
        rack: broker.rack.as_ref().map(ToString::to_string),
    });
    let mut brokers: Vec<_> = brokers.collect();
    brokers.sort_by_key(|broker| broker.id);
    let mut topics: Vec<_> = response.topics.iter().map(one_topic).collect();
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    Cluster {
        cluster: response.cluster_id.as_ref().map(ToString::to_string),
        controller: known(*response.controller_id),
        brokers,
        topics,
    }
}

fn one_topic(topic: &MetadataResponseTopic) -> Topic {
    let mut partitions: Vec<_> = topic.partitions.iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    Topic {
        name: topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        internal: topic.is_internal,
        error: error(topic.error_code),
        partitions,
    }
}

fn partition(partition: &MetadataResponsePartition) -> Partition {
    let ids = |nodes: &[kafka_protocol::messages::BrokerId]| nodes.iter().map(|id| **id).collect();
    Partition {
        partition: partition.partition_index,
        leader: known(*partition.leader_id),
        replicas: ids(&partition.replica_nodes),
        in_sync: ids(&partition.isr_nodes),
        offline: ids(&partition.offline_replicas),
        error: error(partition.error_code),
    }
}

fn known(id: i32) -> Option<i32> {
    (id >= 0).then_some(id)
}

fn error(code: i16) -> Option<String> {
    (code != 0).then(|| ErrorCode(code).to_string())
}
