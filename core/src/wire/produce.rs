//! `Produce` (0): the heads around the batches, and the response. Versions 3 to 13.

use super::api::{ApiKey, FLEXIBLE, is_flexible};
use super::pass::Pass;
use super::prepend::Prepend;
use super::reader::{Reader, Text};
use super::{Decode, MAX_HOST, MAX_TOPIC_NAME, Need};
use crate::error_code::ErrorCode;
use crate::id::TopicUuid;

/// Puts the head of a partition in front of its batch.
pub(crate) fn partition_head(p: &mut Prepend<'_>, version: i16, index: i32, records_len: u32) {
    p.put_count(records_len, is_flexible(ApiKey::Produce, version));
    p.put_i32(index);
}

/// Puts the head of a topic in front of its first partition: the name up to version 12, then the id.
pub(crate) fn topic_head(
    p: &mut Prepend<'_>,
    version: i16,
    name: &[u8],
    id: &TopicUuid,
    partitions: u32,
) {
    let flexible = is_flexible(ApiKey::Produce, version);
    p.put_count(partitions, flexible);
    if version >= 13 {
        p.put_bytes(&id.0);
    } else {
        p.put_string(name, flexible);
    }
}

/// What a request says once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHead<'h> {
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    pub(crate) client_id: &'h [u8],
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) topics: u32,
}

/// Puts the head of the frame in front of the first topic, all but the size of the frame.
pub(crate) fn frame_head(p: &mut Prepend<'_>, head: &FrameHead<'_>) {
    let flexible = is_flexible(ApiKey::Produce, head.version);
    p.put_count(head.topics, flexible);
    p.put_i32(head.timeout_ms);
    p.put_i16(head.acks);
    if flexible {
        // From the back: transactional id null, then the header's tags.
        p.put_u8(0);
        p.put_u8(0);
    } else {
        p.put_i16(-1);
    }
    p.put_string(head.client_id, false);
    p.put_i32(head.correlation);
    p.put_i16(head.version);
    p.put_i16(ApiKey::Produce as i16);
}

/// What follows a batch: the empty tags of its partition, of its topic if it is the last one there, of the request
/// if it is the last one at all.
pub(crate) const fn tail(version: i16, last_of_topic: bool, last: bool) -> &'static [u8] {
    match (is_flexible(ApiKey::Produce, version), last_of_topic, last) {
        (false, _, _) => &[],
        (true, false, false) => &[0],
        (true, true, false) => &[0; 2],
        (true, _, true) => &[0; 3],
    }
}

/// Elements of the response, in this order; topics and what is in them repeat, and so does `Node`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event<'b> {
    /// Up to version 12 by name (`None`: longer than [`MAX_TOPIC_NAME`]), then by id. There is no end of a topic:
    /// the next `Topic` or `Throttle` is it.
    Topic {
        name: Option<&'b [u8]>,
        id: TopicUuid,
    },
    Partition {
        index: i32,
        error: ErrorCode,
        base_offset: i64,
        log_append_time: i64,
    },
    /// A record that caused the error, by its place in the batch (KIP-467).
    BadRecord {
        batch_index: i32,
    },
    /// The leader as this broker knows it (KIP-951).
    Leader {
        leader_id: i32,
        leader_epoch: i32,
    },
    PartitionEnd,
    Throttle(i32),
    /// Where a leader named above can be reached; `host` is `None` when null or longer than [`MAX_HOST`].
    Node {
        node: i32,
        host: Option<&'b [u8]>,
        port: i32,
    },
    End,
}

/// Where the decoder is: named for what comes next.
#[derive(Clone, Copy, Debug)]
enum At {
    Header,
    Topics,
    Topic,
    /// After a name too long to be read.
    TopicRest,
    Partition,
    BadRecord,
    ErrorMessage,
    PartitionTags,
    PartitionTag,
    Throttle,
    Tags,
    Tag,
    Node,
    /// After a host too long to be read.
    NodeRest,
    End,
}

/// The decoder of a response.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // `pass` first in each, so that one instruction finds any
pub(crate) struct Decoder {
    pass: Pass,
    version: i16,
    at: At,
    /// Topics left, then nodes left.
    outer: u32,
    /// Partitions left in this topic, then tagged fields left at the end of the response.
    inner: u32,
    /// Bad records left, then tagged fields left of this partition.
    list: u32,
    /// The node whose host was too long.
    held: i32,
}

impl Decoder {
    /// A decoder of the answer to a request of this version.
    pub(crate) const fn new(version: i16) -> Self {
        Self { version, at: At::Header, pass: Pass::NOTHING, outer: 0, inner: 0, list: 0, held: 0 }
    }

    const fn version(&self) -> i16 {
        ApiKey::Produce.spoken(self.version)
    }

    fn topic<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        if self.version() >= 13 {
            let id = r.uuid();
            return self.topic_rest(r, None, id);
        }
        let name = r.text(MAX_TOPIC_NAME);
        match name {
            Text::Whole(name) => self.topic_rest(r, name, TopicUuid::ZERO),
            Text::Long(len) => self.go_over(At::TopicRest, Pass::over(len, false)),
        }
    }

    fn topic_rest<'b>(
        &mut self,
        r: &mut Reader<'b>,
        name: Option<&'b [u8]>,
        id: TopicUuid,
    ) -> Option<Event<'b>> {
        self.inner = r.count();
        self.outer -= 1;
        self.go(At::Partition);
        Some(Event::Topic { name, id })
    }

    fn partition<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let index = r.i32();
        let error = r.i16();
        let base_offset = r.i64();
        let log_append_time = r.i64();
        let _log_start = if self.version() >= 5 { r.i64() } else { -1 };
        let bad = if self.version() >= 8 { r.count() } else { 0 };
        self.list = bad;
        self.inner -= 1;
        let error = ErrorCode(error);
        let event = Event::Partition { index, error, base_offset, log_append_time };
        self.go(At::BadRecord);
        Some(event)
    }

    fn bad_record<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let batch_index = r.i32();
        let message = r.unwanted();
        self.list -= 1;
        let pass = Pass::over(message, self.flexible());
        self.go_over(At::BadRecord, pass);
        Some(Event::BadRecord { batch_index })
    }

    /// A tagged field of a partition; 0 is its leader.
    fn partition_tag<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let tag = r.uvarint();
        let size = r.uvarint();
        let (skip, event) = if tag == 0 && self.version() >= 10 {
            let leader_id = r.i32();
            let leader_epoch = r.i32();
            let skip = size.checked_sub(8).unwrap_or_else(|| {
                r.fail(Need::Bad);
                0
            });
            (skip, Some(Event::Leader { leader_id, leader_epoch }))
        } else {
            (size, None)
        };
        self.list -= 1;
        self.go_over(At::PartitionTag, Pass::over(skip, false));
        event
    }

    /// A tagged field of the response; 0 is where the leaders are.
    fn tag<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let tag = r.uvarint();
        let size = r.uvarint();
        if tag == 0 && self.version() >= 10 {
            self.outer = r.count();
            self.inner -= 1;
            self.go(At::Node)
        } else {
            self.inner -= 1;
            self.go_over(At::Tag, Pass::over(size, false))
        }
    }

    fn node<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let node = r.i32();
        let host = r.text(MAX_HOST);
        match host {
            Text::Whole(host) => self.node_rest(r, node, host),
            Text::Long(len) => {
                self.held = node;
                self.go_over(At::NodeRest, Pass::over(len, false))
            }
        }
    }

    fn node_rest<'b>(
        &mut self,
        r: &mut Reader<'b>,
        node: i32,
        host: Option<&'b [u8]>,
    ) -> Option<Event<'b>> {
        let port = r.i32();
        let rack = r.unwanted();
        self.outer -= 1;
        self.go_over(At::Node, Pass::over(rack, true));
        Some(Event::Node { node, host, port })
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
        is_flexible(ApiKey::Produce, self.version())
    }

    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let flexible = self.flexible();
        match self.at {
            At::Header => self.go_over(At::Topics, Pass::over(0, flexible)),
            At::Topics => {
                self.outer = r.count();
                self.go(At::Topic)
            }
            At::Topic if self.outer > 0 => self.topic(r),
            At::Topic => self.go(At::Throttle),
            At::TopicRest => self.topic_rest(r, None, TopicUuid::ZERO),
            At::Partition if self.inner > 0 => self.partition(r),
            At::Partition => self.go_over(At::Topic, Pass::over(0, flexible)),
            At::BadRecord if FLEXIBLE && self.list > 0 => self.bad_record(r),
            At::BadRecord if self.version() >= 8 => self.go(At::ErrorMessage),
            At::BadRecord => self.go(At::PartitionTag),
            At::ErrorMessage if FLEXIBLE => {
                let len = r.unwanted();
                self.go_over(At::PartitionTags, Pass::over(len, false))
            }
            At::PartitionTags if flexible => {
                self.list = r.uvarint();
                self.go(At::PartitionTag)
            }
            At::PartitionTag if FLEXIBLE && self.list > 0 => self.partition_tag(r),
            At::ErrorMessage | At::PartitionTags | At::PartitionTag => {
                self.go(At::Partition);
                Some(Event::PartitionEnd)
            }
            At::Throttle => {
                let millis = r.i32();
                self.go(At::Tags);
                Some(Event::Throttle(millis))
            }
            At::Tags if flexible => {
                self.inner = r.uvarint();
                self.go(At::Tag)
            }
            At::Tag if FLEXIBLE && self.inner > 0 => self.tag(r),
            At::Node if FLEXIBLE && self.outer > 0 => self.node(r),
            At::Node => self.go(At::Tag),
            At::NodeRest if FLEXIBLE => self.node_rest(r, self.held, None),
            At::Tags | At::Tag | At::NodeRest | At::End => {
                self.go(At::End);
                Some(Event::End)
            }
        }
    }
}
