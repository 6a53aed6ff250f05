//! What tests see of the cluster.

use super::{Api, PeerId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A record in a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoggedRecord {
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
    /// The producer id, -1 if it was not idempotent.
    pub producer_id: i64,
    /// The producer epoch, -1 if it was not idempotent.
    pub producer_epoch: i16,
    /// The record's own sequence number, -1 if it was not idempotent.
    pub sequence: i32,
    /// Number of the batch in the log, from 0 on.
    pub batch: usize,
    /// Leader epoch under which it was appended.
    pub leader_epoch: i32,
}

/// One batch of a produce request as it arrived.
#[derive(Clone, Debug)]
pub struct Produced {
    /// When the request was complete, in microseconds.
    pub at: u64,
    /// On which connection.
    pub peer: PeerId,
    /// At which node.
    pub node: i32,
    /// Version of the request.
    pub version: i16,
    /// Its correlation id.
    pub correlation_id: i32,
    /// Its acks.
    pub acks: i16,
    /// The topic's name; empty if the request had an id that is not known.
    pub topic: String,
    /// The topic's id, if the request had one.
    pub topic_id: Option<[u8; 16]>,
    /// The partition.
    pub partition: i32,
    /// The producer id; -1 also if the batch is shorter than its header.
    pub producer_id: i64,
    /// The producer epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records the header states.
    pub count: i32,
    /// The batch.
    pub batch: Bytes,
}

/// A batch a leader has appended.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The topic's name.
    pub topic: String,
    /// The topic's id.
    pub topic_id: [u8; 16],
    /// The partition.
    pub partition: i32,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Leader epoch it was appended under.
    pub leader_epoch: i32,
    /// The batch as it is read back, offset and leader epoch filled in.
    pub batch: Bytes,
}

/// Counters.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Requests processed, by API.
    pub requests: BTreeMap<Api, u64>,
    /// Answers to Produce partitions, by error code (0 among them).
    pub produce_codes: BTreeMap<i16, u64>,
    /// Batches answered as duplicates.
    pub duplicates: u64,
    /// Records appended by leaders.
    pub records: u64,
    /// Bytes of batches appended by leaders.
    pub bytes: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections the cluster closed.
    pub closed: u64,
}
