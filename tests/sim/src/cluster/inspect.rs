//! What tests see of the cluster.

use super::batch::{self, Record, add_sequence};
use super::compression::decompress;
use super::log::{Entry, ReplicaLog};
use super::state::Cluster;
use super::{Api, PeerId, stamp};
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

impl Cluster {
    /// The records of a partition in its leader's log (committed or not; without a leader: in the
    /// log of the last one), in offset order, decompressed. Empty if there is no such partition.
    pub fn log(&self, topic: &str, partition: i32) -> impl Iterator<Item = LoggedRecord> + '_ {
        self.log_from(topic, partition, 0)
    }

    /// The same from this offset on: for who reads a log as it grows.
    pub fn log_from(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> impl Iterator<Item = LoggedRecord> + '_ {
        let log = self.partition(topic, partition).and_then(|partition| partition.leader_log());
        self.records(log, offset).filter(move |record| record.offset >= offset)
    }

    /// The same as `log` for the replica on `node`.
    pub fn log_of(
        &self,
        topic: &str,
        partition: i32,
        node: i32,
    ) -> impl Iterator<Item = LoggedRecord> + '_ {
        let log = self.partition(topic, partition).and_then(|partition| partition.log(node));
        self.records(log, 0)
    }

    /// The offset behind the last committed record.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        self.partition(topic, partition).map(|partition| partition.high_watermark)
    }

    /// First and next offset of the replica on `node`.
    pub fn offsets_of(&self, topic: &str, partition: i32, node: i32) -> Option<(i64, i64)> {
        let log = self.partition(topic, partition)?.log(node)?;
        Some((log.start(), log.end()))
    }

    /// The node that leads the partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition)?.leader
    }

    /// The partition's leader epoch.
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> Option<i32> {
        self.partition(topic, partition).map(|partition| partition.leader_epoch)
    }

    /// Nodes with a replica, in order of preference.
    pub fn replicas(&self, topic: &str, partition: i32) -> Vec<i32> {
        self.partition(topic, partition).map_or_else(Vec::new, |p| p.replicas.clone())
    }

    /// Replicas in sync, the leader among them.
    pub fn isr(&self, topic: &str, partition: i32) -> Vec<i32> {
        self.partition(topic, partition)
            .map_or_else(Vec::new, |partition| partition.in_sync.iter().copied().collect())
    }

    /// Ids of all nodes, up or down.
    pub fn node_ids(&self) -> impl Iterator<Item = i32> + '_ {
        self.nodes.keys().copied()
    }

    /// The topic's id; changes when it is deleted and created again.
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        self.topics.get(topic).map(|topic| topic.id.into_bytes())
    }

    /// Names of all topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// Number of partitions; 0 if there is no such topic.
    pub fn partitions(&self, topic: &str) -> i32 {
        self.topics.get(topic).map_or(0, |topic| topic.config.partitions)
    }

    /// What the cluster counted since the start.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Every batch of every produce request that arrived (in the order of arrival, whether it was
    /// processed or not) since the last call. Kept only with
    /// [`Config::trace_produced`](super::Config::trace_produced).
    pub fn take_produced(&mut self) -> Vec<Produced> {
        core::mem::take(&mut self.produced)
    }

    /// Every batch a leader appended since the last call, for a caller that keeps them on a disk.
    /// Kept only with [`Config::trace_appended`](super::Config::trace_appended).
    pub fn take_appended(&mut self) -> Vec<Appended> {
        core::mem::take(&mut self.appended)
    }

    fn records<'a>(
        &self,
        log: Option<&'a ReplicaLog>,
        offset: i64,
    ) -> impl Iterator<Item = LoggedRecord> + use<'a> {
        let limit = self.config.max_decompressed;
        log.into_iter()
            .flat_map(move |log| log.from(log.start().max(offset)))
            .flat_map(move |(number, entry)| records_of(number, entry, limit))
    }
}

/// The records of a batch that a producer sent; `None` if they cannot all be read.
pub(crate) fn decode_batch(bytes: &Bytes, limit: usize) -> Option<Vec<LoggedRecord>> {
    let header = batch::Header::read(bytes)?;
    let entry = Entry { base_offset: 0, leader_epoch: -1, header, batch: bytes.clone() };
    let records = records_of(0, &entry, limit);
    (i32::try_from(records.len()) == Ok(header.count)).then_some(records)
}

/// The batch was checked before it was appended: nothing is left out here.
fn records_of(number: usize, entry: &Entry, limit: usize) -> Vec<LoggedRecord> {
    let header = &entry.header;
    let data = entry.batch.slice(batch::HEADER..);
    let plain = decompress(header.codec(), &data, limit).unwrap_or_default();
    let mut rest = &plain[..];
    let record = |_| {
        let record = Record::take(&mut rest).ok()?;
        let owned = |bytes: &[u8]| plain.slice_ref(bytes);
        let timestamp = if stamp::is_log_append(header) {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(record.timestamp_delta)
        };
        let sequence = match header.base_sequence {
            -1 => -1,
            base => add_sequence(base, record.offset_delta),
        };
        Some(LoggedRecord {
            offset: entry.base_offset + i64::from(record.offset_delta),
            timestamp,
            key: record.key.map(owned),
            value: record.value.map(owned),
            headers: record.headers().map(|(key, value)| (owned(key), value.map(owned))).collect(),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            sequence,
            batch: number,
            leader_epoch: entry.leader_epoch,
        })
    };
    (0..header.count).map_while(record).collect()
}
