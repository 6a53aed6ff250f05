//! Metadata: only topics of the allow-list, and brokers under names that lead to the bridge alone.

use super::{Api, Code, Malformed, Reader, Writer, header};

/// Nobody asked which operations are allowed.
const NO_OPERATIONS: i32 = i32::MIN;
/// The port of every virtual broker. It leads nowhere.
const VIRTUAL_PORT: i32 = 9092;

/// What a page asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Request<'a> {
    /// `None`: all topics.
    pub(crate) topics: Option<Vec<&'a str>>,
    pub(crate) create: bool,
}

/// Reads the request's body.
pub(crate) fn read(mut body: Reader<'_>, version: i16) -> Result<Request<'_>, Malformed> {
    let topics = match body.count(2)? {
        None => None,
        Some(count) => {
            let mut topics = Vec::new();
            for _ in 0..count {
                topics.push(body.string()?);
                body.tags()?;
            }
            Some(topics)
        }
    };
    let create = body.bool()?;
    if version >= 8 {
        body.bool()?;
        body.bool()?;
    }
    body.tags()?;
    body.end()?;
    Ok(Request { topics, create })
}

/// The request to the broker.
pub(crate) fn request<'a>(
    version: i16,
    correlation: i32,
    client_id: &str,
    topics: impl ExactSizeIterator<Item = &'a str>,
    create: bool,
) -> Option<Vec<u8>> {
    let mut writer = header::request(Api::Metadata, version, correlation, client_id);
    writer.count(topics.len());
    for topic in topics {
        writer.string(topic);
        writer.no_tags();
    }
    writer.bool(create);
    if version >= 8 {
        writer.bool(false);
        writer.bool(false);
    }
    writer.no_tags();
    writer.frame()
}

/// A broker's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer<'a> {
    throttle_ms: i32,
    pub(crate) brokers: Vec<Broker<'a>>,
    controller: i32,
    topics: Vec<Topic<'a>>,
}

/// A real broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broker<'a> {
    pub(crate) id: i32,
    pub(crate) host: &'a str,
    pub(crate) port: i32,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Topic<'a> {
    error: Code,
    name: &'a str,
    internal: bool,
    partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Partition {
    error: Code,
    index: i32,
    leader: i32,
    leader_epoch: i32,
    /// Replicas, those in sync, those offline.
    nodes: [Vec<i32>; 3],
}

impl<'a> Answer<'a> {
    /// Reads the body of a broker's answer.
    pub(crate) fn read(mut body: Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let throttle_ms = body.i32()?;
        let mut brokers = Vec::new();
        for _ in 0..body.count(11)?.ok_or(Malformed)? {
            brokers.push(read_broker(&mut body)?);
        }
        body.nullable_string()?;
        let controller = body.i32()?;
        let mut topics = Vec::new();
        for _ in 0..body.count(8)?.ok_or(Malformed)? {
            topics.push(read_topic(&mut body, version)?);
        }
        if version >= 8 {
            body.i32()?;
        }
        body.tags()?;
        body.end()?;
        Ok(Self { throttle_ms, brokers, controller, topics })
    }

    /// The answer to the page: of the broker's topics those that `allows`, and the `refused` ones
    /// with the error that says so.
    pub(crate) fn answer(
        &self,
        version: i16,
        correlation: i32,
        allows: impl Fn(&str) -> bool,
        refused: &[String],
    ) -> Option<Vec<u8>> {
        let mut writer = header::answer(Api::Metadata, version, correlation);
        writer.i32(self.throttle_ms);
        writer.count(self.brokers.len());
        for broker in &self.brokers {
            write_broker(&mut writer, broker.id);
        }
        writer.nullable_string(None);
        writer.i32(self.controller);
        let shown = || self.topics.iter().filter(|topic| allows(topic.name));
        writer.count(shown().count() + refused.len());
        for topic in shown() {
            write_topic(&mut writer, version, topic);
        }
        for name in refused {
            let error = Code::TOPIC_AUTHORIZATION_FAILED;
            let topic = Topic { error, name, internal: false, partitions: Vec::new() };
            write_topic(&mut writer, version, &topic);
        }
        if version >= 8 {
            writer.i32(NO_OPERATIONS);
        }
        writer.no_tags();
        writer.frame()
    }
}

/// The name under which a page knows a broker: the last part of the bridge's path to it.
pub(crate) fn virtual_host(id: i32) -> String {
    id.to_string()
}

fn read_broker<'a>(body: &mut Reader<'a>) -> Result<Broker<'a>, Malformed> {
    let broker = Broker { id: body.i32()?, host: body.string()?, port: body.i32()? };
    body.nullable_string()?;
    body.tags()?;
    Ok(broker)
}

fn write_broker(writer: &mut Writer, id: i32) {
    writer.i32(id);
    writer.string(&virtual_host(id));
    writer.i32(VIRTUAL_PORT);
    writer.nullable_string(None);
    writer.no_tags();
}

fn read_topic<'a>(body: &mut Reader<'a>, version: i16) -> Result<Topic<'a>, Malformed> {
    let (error, name, internal) = (Code(body.i16()?), body.string()?, body.bool()?);
    let mut partitions = Vec::new();
    for _ in 0..body.count(18)?.ok_or(Malformed)? {
        partitions.push(read_partition(body)?);
    }
    if version >= 8 {
        body.i32()?;
    }
    body.tags()?;
    Ok(Topic { error, name, internal, partitions })
}

fn write_topic(writer: &mut Writer, version: i16, topic: &Topic<'_>) {
    writer.i16(topic.error.0);
    writer.string(topic.name);
    writer.bool(topic.internal);
    writer.count(topic.partitions.len());
    for partition in &topic.partitions {
        writer.i16(partition.error.0);
        writer.i32(partition.index);
        writer.i32(partition.leader);
        writer.i32(partition.leader_epoch);
        for nodes in &partition.nodes {
            writer.count(nodes.len());
            for node in nodes {
                writer.i32(*node);
            }
        }
        writer.no_tags();
    }
    if version >= 8 {
        writer.i32(NO_OPERATIONS);
    }
    writer.no_tags();
}

fn read_partition(body: &mut Reader<'_>) -> Result<Partition, Malformed> {
    let (error, index, leader) = (Code(body.i16()?), body.i32()?, body.i32()?);
    let leader_epoch = body.i32()?;
    let mut nodes = [const { Vec::new() }; 3];
    for list in &mut nodes {
        for _ in 0..body.count(4)?.unwrap_or(0) {
            list.push(body.i32()?);
        }
    }
    body.tags()?;
    Ok(Partition { error, index, leader, leader_epoch, nodes })
}
