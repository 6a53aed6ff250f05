//! `Metadata` (3): brokers, topics, leaders. Versions 4 to 13.

use super::api::{ApiKey, is_flexible};
use super::pass::Pass;
use super::reader::{Reader, Text};
use super::writer::{RequestHeader, Writer};
use super::{Decode, MAX_HOST, MAX_TOPIC_NAME};
use crate::error_code::ErrorCode;
use crate::id::TopicUuid;

/// A topic to ask for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ask<'t> {
    /// By its name: any version.
    Name(&'t [u8]),
    /// By its id: from version 12 on.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for producers that are bound to one incarnation of a topic")
    )]
    Id(TopicUuid),
}

/// Writes the whole frame; `None`: it does not fit, or the request cannot be said: names and ids in one request (a
/// broker would ignore the names), or an id below version 12 (it would answer 42 and no brokers).
pub(crate) fn write<'t>(
    header: &RequestHeader<'_>,
    topics: impl Iterator<Item = Ask<'t>> + Clone,
    allow_auto_create: bool,
    out: &mut [u8],
) -> Option<usize> {
    let flexible = header.flexible();
    let mut w = Writer::request(out, header);
    let (mut names, mut ids) = (false, false);
    w.put_count(topics.clone().count(), flexible);
    for topic in topics {
        let (name, id) = match topic {
            Ask::Name(name) => (Some(name), TopicUuid::ZERO),
            Ask::Id(id) => (None, id),
        };
        names |= name.is_some();
        ids |= name.is_none();
        if header.version >= 10 {
            w.put_uuid(&id);
        }
        w.put_string(name, flexible);
        w.put_tags(flexible);
    }
    if ids && (names || header.version < 12) {
        w.fail();
    }
    w.put_bool(allow_auto_create);
    if (8..=10).contains(&header.version) {
        w.put_bool(false);
    }
    if header.version >= 8 {
        w.put_bool(false);
    }
    w.put_tags(flexible);
    w.finish_request()
}

/// Elements of the response, in this order; `Broker`, `Topic` and what is in a topic repeat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event<'b> {
    Throttle(i32),
    /// `host` is `None` when it is null or longer than [`MAX_HOST`].
    Broker {
        node: i32,
        host: Option<&'b [u8]>,
        port: i32,
    },
    /// `name` is `None` when it is null (an unknown id) or longer than [`MAX_TOPIC_NAME`]; `id` is zero below 10.
    Topic {
        error: ErrorCode,
        name: Option<&'b [u8]>,
        id: TopicUuid,
    },
    /// `leader` is -1 when there is none; `leader_epoch` is -1 below version 7, and unreliable below 9.
    Partition {
        error: ErrorCode,
        index: i32,
        leader: i32,
        leader_epoch: i32,
    },
    TopicEnd,
    /// The error of the whole response, from version 13 on (KIP-1102).
    Error(ErrorCode),
    End,
}

/// Where the decoder is: named for what comes next.
#[derive(Clone, Copy, Debug)]
enum At {
    Header,
    Throttle,
    Broker,
    /// After a host too long to be read.
    BrokerRest,
    ClusterId,
    Controller,
    Topic,
    /// After a name too long to be read.
    TopicRest,
    Partition,
    /// In sync and offline replicas.
    Replicas,
    TopicEnd,
    Error,
    End,
}

/// The decoder of a response.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // `pass` first in each, so that one instruction finds any
pub(crate) struct Decoder {
    pass: Pass,
    version: i16,
    at: At,
    /// Lists of replicas left in this partition.
    lists: u8,
    /// Brokers left, then topics left.
    outer: u32,
    /// Partitions left in this topic.
    inner: u32,
    /// Node or error of an element whose string was too long.
    held: i32,
}

impl Decoder {
    /// A decoder of the answer to a request of this version.
    pub(crate) const fn new(version: i16) -> Self {
        Self { version, at: At::Header, lists: 0, pass: Pass::NOTHING, outer: 0, inner: 0, held: 0 }
    }

    const fn version(&self) -> i16 {
        ApiKey::Metadata.spoken(self.version)
    }

    fn broker<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let node = r.i32();
        let host = r.text(MAX_HOST);
        match host {
            Text::Whole(host) => self.broker_rest(r, node, host),
            Text::Long(len) => {
                self.pass = Pass::over(len, false);
                self.held = node;
                self.at = At::BrokerRest;
                None
            }
        }
    }

    fn broker_rest<'b>(
        &mut self,
        r: &mut Reader<'b>,
        node: i32,
        host: Option<&'b [u8]>,
    ) -> Option<Event<'b>> {
        let port = r.i32();
        let rack = r.unwanted();
        self.pass = Pass::over(rack, self.flexible());
        self.outer -= 1;
        self.at = At::Broker;
        Some(Event::Broker { node, host, port })
    }

    fn topic<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let error = r.i16();
        let name = r.text(MAX_TOPIC_NAME);
        match name {
            Text::Whole(name) => self.topic_rest(r, error, name),
            Text::Long(len) => {
                self.pass = Pass::over(len, false);
                self.held = i32::from(error);
                self.at = At::TopicRest;
                None
            }
        }
    }

    fn topic_rest<'b>(
        &mut self,
        r: &mut Reader<'b>,
        error: i16,
        name: Option<&'b [u8]>,
    ) -> Option<Event<'b>> {
        let id = if self.version() >= 10 { r.uuid() } else { TopicUuid::ZERO };
        let _is_internal = r.u8();
        self.inner = r.count();
        self.outer -= 1;
        self.at = At::Partition;
        Some(Event::Topic { error: ErrorCode(error), name, id })
    }

    fn partition<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let error = r.i16();
        let index = r.i32();
        let leader = r.i32();
        let leader_epoch = if self.version() >= 7 { r.i32() } else { -1 };
        let replicas = r.int32s();
        self.pass = Pass::over(replicas, false);
        self.lists = if self.version() >= 5 { 2 } else { 1 };
        self.inner -= 1;
        self.at = At::Replicas;
        let error = ErrorCode(error);
        Some(Event::Partition { error, index, leader, leader_epoch })
    }

    /// One more list of replicas; after the last one the partition's tags.
    fn replicas<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let replicas = r.int32s();
        self.lists -= 1;
        let last = self.lists == 0;
        self.pass = Pass::over(replicas, last && self.flexible());
        if last {
            self.at = At::Partition;
        }
        None
    }

    /// What is next. No event.
    const fn go<'b>(&mut self, at: At) -> Option<Event<'b>> {
        self.at = at;
        None
    }

    /// What is next, and what to pass over before it. No event.
    const fn go_over<'b>(&mut self, at: At, pass: Pass) -> Option<Event<'b>> {
        self.at = at;
        self.pass = pass;
        None
    }
}

impl Decode for Decoder {
    type Event<'b> = Event<'b>;

    fn pass(&mut self) -> &mut Pass {
        &mut self.pass
    }

    fn flexible(&self) -> bool {
        is_flexible(ApiKey::Metadata, self.version())
    }

    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let flexible = self.flexible();
        match self.at {
            At::Header => self.go_over(At::Throttle, Pass::over(0, flexible)),
            At::Throttle => {
                let millis = r.i32();
                self.outer = r.count();
                self.go(At::Broker);
                Some(Event::Throttle(millis))
            }
            At::Broker if self.outer > 0 => self.broker(r),
            At::Broker => self.go(At::ClusterId),
            At::BrokerRest => self.broker_rest(r, self.held, None),
            At::ClusterId => {
                let len = r.unwanted();
                self.go_over(At::Controller, Pass::over(len, false))
            }
            At::Controller => {
                let _controller = r.i32();
                self.outer = r.count();
                self.go(At::Topic)
            }
            At::Topic if self.outer > 0 => self.topic(r),
            At::Topic => {
                // The cluster's authorized operations.
                let skip = if (8..=10).contains(&self.version()) { 4 } else { 0 };
                self.go_over(At::Error, Pass::over(skip, false))
            }
            At::TopicRest => {
                let error = i16::try_from(self.held).unwrap_or_default();
                self.topic_rest(r, error, None)
            }
            At::Partition if self.inner > 0 => self.partition(r),
            At::Partition => {
                // The topic's authorized operations.
                let skip = if self.version() >= 8 { 4 } else { 0 };
                self.go_over(At::TopicEnd, Pass::over(skip, flexible))
            }
            At::Replicas => self.replicas(r),
            At::TopicEnd => {
                self.go(At::Topic);
                Some(Event::TopicEnd)
            }
            At::Error if self.version() >= 13 => {
                let code = r.i16();
                let event = Some(Event::Error(ErrorCode(code)));
                self.go_over(At::End, Pass::over(0, true));
                event
            }
            At::Error => self.go_over(At::End, Pass::over(0, flexible)),
            At::End => Some(Event::End),
        }
    }
}
