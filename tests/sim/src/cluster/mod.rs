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

mod batch;
mod bounds;
mod code;
mod compression;
mod config;
mod connections;
mod control;
mod dispatch;
mod fault;
mod fetch;
mod handshake;
mod inspect;
mod log;
mod metadata;
mod partition;
mod peer;
mod produce;
mod producers;
mod stamp;
mod state;
mod stepping;
mod topics;
mod validate;
mod wire;

pub use config::{
    ApiVersions, Config, NodeConfig, Processing, TimestampKind, TopicConfig, UnknownProducer,
};
pub use fault::{Api, Fault, MetadataFault, Rule};
pub(crate) use inspect::decode_batch;
pub use inspect::{Appended, LoggedRecord, Produced, Stats};
pub use state::Cluster;

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
