//! A model of a Kafka cluster that does no I/O and reads no clock.
//!
//! Bytes go in ([`Cluster::receive`]), bytes come out ([`Cluster::readable`], [`Cluster::consume`]),
//! time is handed in as microseconds since an epoch of the caller's choice. The same calls give the
//! same bytes. Brokers behave as live Apache Kafka brokers were seen to behave, including what a
//! producer must survive: a restart that forgets all but the last batch of a producer, leaders that
//! answer an error for a batch they keep, stale metadata.
//!
//! Two ways to drive it ([`Processing`]):
//! - *Automatic*: a request is processed when it has arrived, followers copy at once.
//! - *Manual*: a request waits until [`Cluster::process`], a follower copies on
//!   [`Cluster::replicate`], an answer leaves on [`Cluster::release`].
//!
//! As in Kafka a node works on one request of a connection at a time: while a produce waits for its
//! followers, the requests behind it wait too.

mod config;
mod fault;
mod inspect;

pub use config::{
    ApiVersions, Config, NodeConfig, Processing, TimestampKind, TopicConfig, UnknownProducer,
};
pub use fault::{Api, Fault, MetadataFault, Rule};
pub use inspect::{Appended, LoggedRecord, Produced, Stats};

/// A connection to a node. Never used again for another connection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(u64);

/// What becomes of requests that a node has received and not yet processed when a connection dies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pending {
    /// They are lost.
    Drop,
    /// They are kept, see [`Cluster::zombies`].
    Process,
}

/// Why a call that changes the cluster did nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ControlError {
    /// No node has this id.
    UnknownNode,
    /// No such topic, or no such partition of it.
    UnknownPartition,
    /// The node holds no replica of the partition.
    NotAReplica,
    /// The node is down.
    NodeDown,
    /// A clean election was asked for and the node is not in sync.
    NotInSync,
    /// A topic of that name exists.
    TopicExists,
    /// The arguments make no sense together (no partitions, fewer partitions than now).
    Invalid,
}

/// A cluster of nodes with their logs, connections and faults.
#[derive(Debug)]
pub struct Cluster {
    config: Config,
}

/// Connections.
impl Cluster {
    /// A cluster whose nodes are all up, without topics.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Opens a connection to `node`; `None` if it is down or unknown (connection refused).
    pub fn accept(&mut self, _node: i32, _now: u64) -> Option<PeerId> {
        todo!()
    }

    /// The node that listens on `host` and `port` (up or down).
    pub fn node_at(&self, _host: &str, _port: u16) -> Option<i32> {
        todo!()
    }

    /// Bytes from the client. Ignored for a connection that is closed.
    pub fn receive(&mut self, _peer: PeerId, _bytes: &[u8], _now: u64) {
        todo!()
    }

    /// Bytes for the client that were not yet consumed, in order. Empty for an unknown connection.
    pub fn readable(&self, _peer: PeerId) -> &[u8] {
        todo!()
    }

    /// Drops the first `n` bytes of [`readable`](Self::readable).
    pub fn consume(&mut self, _peer: PeerId, _n: usize) {
        todo!()
    }

    /// The node closed this connection, or it does not exist (any more). What is still readable is
    /// delivered before the end of the stream, unless the node was killed.
    pub fn wants_close(&self, _peer: PeerId) -> bool {
        todo!()
    }

    /// The connection is gone; forgets it. To be called for connections the node closed, too.
    pub fn disconnect(&mut self, _peer: PeerId, _pending: Pending) {
        todo!()
    }

    /// Does everything that is due at `now`. Early calls are harmless.
    pub fn handle_timeout(&mut self, _now: u64) {
        todo!()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn next_deadline(&self) -> Option<u64> {
        todo!()
    }
}

/// Step by step ([`Processing::Manual`]).
impl Cluster {
    /// Complete requests of this connection that wait to be processed.
    pub fn pending(&self, _peer: PeerId) -> usize {
        todo!()
    }

    /// Processes the oldest waiting request. False if there is none, or the request before it is
    /// not yet answered (a produce that waits for followers), or the connection is throttled.
    pub fn process(&mut self, _peer: PeerId, _now: u64) -> bool {
        todo!()
    }

    /// Answers of this connection that are ready and held back.
    pub fn held(&self, _peer: PeerId) -> usize {
        todo!()
    }

    /// Makes the oldest held answer readable. False if there is none.
    pub fn release(&mut self, _peer: PeerId) -> bool {
        todo!()
    }

    /// The follower copies at most `batches` batches from the leader after dropping what diverges
    /// (by leader epoch, KIP-101). It joins the in-sync set when it has caught up. Returns the
    /// number copied; 0 if either node is down or there is no leader.
    pub fn replicate(
        &mut self,
        _topic: &str,
        _partition: i32,
        _follower: i32,
        _batches: usize,
        _now: u64,
    ) -> usize {
        todo!()
    }

    /// Dead connections that still have requests to process.
    pub fn zombies(&self) -> usize {
        todo!()
    }

    /// Processes the oldest request of the `index`-th dead connection; its answer is dropped. False
    /// if there is none. A connection whose last request was processed leaves the list.
    pub fn process_zombie(&mut self, _index: usize, _now: u64) -> bool {
        todo!()
    }
}

/// Nodes, topics, leaders. Every change is at once known to all nodes that are up.
impl Cluster {
    /// The node stops: its connections close (unread answers are lost), its partitions elect
    /// another in-sync replica if [`Config::automatic_election`] says so.
    pub fn kill(&mut self, _node: i32, _now: u64) -> Result<(), ControlError> {
        todo!()
    }

    /// The node starts. It keeps its logs; of every producer it knows only the last batch.
    /// `answers_from`: from when on it hands out producer ids (14 before).
    pub fn start(&mut self, _node: i32, _now: u64) -> Result<(), ControlError> {
        todo!()
    }

    /// [`kill`](Self::kill) and [`start`](Self::start) in one.
    pub fn restart(&mut self, _node: i32, _now: u64) -> Result<(), ControlError> {
        todo!()
    }

    /// Is the node up?
    pub fn is_up(&self, _node: i32) -> bool {
        todo!()
    }

    /// Changes which API versions a node offers, from the next request on.
    pub fn set_versions(&mut self, _node: i32, _versions: ApiVersions) {
        todo!()
    }

    /// Creates a topic. Its leaders are spread over the nodes, its leader epochs start at 0.
    pub fn create_topic(&mut self, _name: &str, _topic: TopicConfig) -> Result<(), ControlError> {
        todo!()
    }

    /// Deletes a topic with its logs.
    pub fn delete_topic(&mut self, _name: &str, _now: u64) -> Result<(), ControlError> {
        todo!()
    }

    /// Adds partitions until there are `count`.
    pub fn add_partitions(&mut self, _name: &str, _count: i32) -> Result<(), ControlError> {
        todo!()
    }

    /// The settings of a topic, to change them while it is in use.
    pub fn topic_config(&mut self, _name: &str) -> Option<&mut TopicConfig> {
        todo!()
    }

    /// Makes an in-sync replica the leader, under the next leader epoch. Produce requests that wait
    /// at the old leader are answered with 6 and keep their base offset.
    pub fn elect(
        &mut self,
        _topic: &str,
        _partition: i32,
        _node: i32,
        _now: u64,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// Makes any replica the leader, in sync or not: what only others have is lost. The in-sync set
    /// is then the new leader alone.
    pub fn elect_unclean(
        &mut self,
        _topic: &str,
        _partition: i32,
        _node: i32,
        _now: u64,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// The partition has no leader any more (metadata error 5, produce error 6).
    pub fn depose(&mut self, _topic: &str, _partition: i32, _now: u64) -> Result<(), ControlError> {
        todo!()
    }

    /// A disk that lost its tail: the replica drops its last `batches` batches.
    pub fn truncate(
        &mut self,
        _topic: &str,
        _partition: i32,
        _node: i32,
        _batches: usize,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// Takes a follower out of the in-sync set.
    pub fn shrink_isr(
        &mut self,
        _topic: &str,
        _partition: i32,
        _follower: i32,
        _now: u64,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// Puts a follower that has caught up into the in-sync set (`NotInSync` otherwise).
    pub fn grow_isr(
        &mut self,
        _topic: &str,
        _partition: i32,
        _follower: i32,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// A replica forgets all producers, or one (`producer.id.expiration.ms`).
    pub fn forget_producers(
        &mut self,
        _topic: &str,
        _partition: i32,
        _node: i32,
        _producer_id: Option<i64>,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// Drops records before `offset` (`DeleteRecords`, retention). Producer state stays.
    pub fn delete_records(
        &mut self,
        _topic: &str,
        _partition: i32,
        _offset: i64,
    ) -> Result<(), ControlError> {
        todo!()
    }

    /// Puts a rule behind the others; the first that matches decides. See [`Rule`].
    pub fn inject(&mut self, _rule: Rule) {
        todo!()
    }

    /// Removes all rules.
    pub fn clear_faults(&mut self) {
        todo!()
    }
}

/// What a test looks at.
impl Cluster {
    /// The records of a partition in its leader's log (committed or not; without a leader: in the
    /// log of the last one), in offset order, decompressed. Empty if there is no such partition.
    pub fn log(&self, _topic: &str, _partition: i32) -> impl Iterator<Item = LoggedRecord> + '_ {
        core::iter::empty()
    }

    /// The same for the replica on `node`.
    pub fn log_of(
        &self,
        _topic: &str,
        _partition: i32,
        _node: i32,
    ) -> impl Iterator<Item = LoggedRecord> + '_ {
        core::iter::empty()
    }

    /// The offset behind the last committed record.
    pub fn high_watermark(&self, _topic: &str, _partition: i32) -> Option<i64> {
        todo!()
    }

    /// The node that leads the partition.
    pub fn leader(&self, _topic: &str, _partition: i32) -> Option<i32> {
        todo!()
    }

    /// The partition's leader epoch.
    pub fn leader_epoch(&self, _topic: &str, _partition: i32) -> Option<i32> {
        todo!()
    }

    /// Nodes with a replica, in order of preference.
    pub fn replicas(&self, _topic: &str, _partition: i32) -> Vec<i32> {
        todo!()
    }

    /// Replicas in sync, the leader among them.
    pub fn isr(&self, _topic: &str, _partition: i32) -> Vec<i32> {
        todo!()
    }

    /// The topic's id; changes when it is deleted and created again.
    pub fn topic_id(&self, _topic: &str) -> Option<[u8; 16]> {
        todo!()
    }

    /// Names of all topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        core::iter::empty()
    }

    /// Number of partitions; 0 if there is no such topic.
    pub fn partitions(&self, _topic: &str) -> i32 {
        todo!()
    }

    /// What the cluster counted since the start.
    pub fn stats(&self) -> &Stats {
        todo!()
    }

    /// Every batch of every produce request that arrived (in the order of arrival, whether it was
    /// processed or not) since the last call. Kept only with [`Config::trace_produced`].
    pub fn take_produced(&mut self) -> Vec<Produced> {
        todo!()
    }

    /// Every batch a leader appended since the last call, for a caller that keeps them on a disk.
    /// Kept only with [`Config::trace_appended`].
    pub fn take_appended(&mut self) -> Vec<Appended> {
        todo!()
    }
}

/// Decodes.
pub(crate) fn decode_batch(_b: &bytes::Bytes) -> Option<Vec<LoggedRecord>> {
    todo!()
}
