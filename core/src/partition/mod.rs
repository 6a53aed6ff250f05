//! The partition slot: a queue of batches and where its sending stands.

pub mod hash;
pub(crate) mod outcome;
pub mod partitioner;
pub(crate) mod partitions;
mod recovery;
pub(crate) mod sequence;
mod table;

use crate::cluster::CLUSTER;
use crate::error_code::ErrorCode;
#[cfg(feature = "policies")]
use crate::producer::queue::Count;
use crate::storage::broken;
use crate::storage::list::{Link, Linked, Links, List};
use crate::time::Instant;
use sequence::Sequence;

/// Hash chains a partition; a few partitions need none.
pub(crate) const BUCKETS: usize = if CLUSTER { 1 } else { 0 };

/// The list that a partition can be in: a broker's ready list, or a backoff list.
pub(crate) const WAIT: usize = 0;

/// Which list that is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Place {
    /// None: nothing to send, or nobody to send it to.
    #[default]
    Nowhere,
    /// The ready list of this broker slot.
    Ready(u8),
    /// The list of those whose next batch the adapter has to compress.
    #[cfg(feature = "compression")]
    Uncompressed,
    /// The backoff list of this level.
    Backoff(u8),
}

#[derive(Clone, Copy, Debug)]
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub(crate) struct PartitionSlot {
    /// Batches in flight, all on `conn`.
    pub(crate) in_flight: u8,
    pub(crate) conn: u8,
    pub(crate) place: Place,
    /// A batch of this round was answered with an error.
    pub(crate) failed: bool,
    /// Nothing more is sent in this round.
    pub(crate) draining: bool,
    /// The round was cut short by a lost connection or a moved leader: it decides nothing.
    pub(crate) void: bool,
    /// An unsure batch was reported `Unknown` under this epoch.
    pub(crate) hole: bool,
    /// Metadata showed a new topic id: the log is a new one (protocol.md 4.7).
    pub(crate) recreated: bool,
    /// A newer leader was named in an answer (KIP-951): no backoff before the next round.
    pub(crate) hinted: bool,
    /// Rounds running on one connection in which all unsure batches were answered 45.
    pub(crate) silent_rounds: u8,
    /// Failed rounds since the last success: the backoff's exponent.
    pub(crate) failures: u8,
    /// Next in the hash chain, where there is one.
    pub(crate) chain: [Link; BUCKETS],
    pub(crate) topic: u16,
    /// Broker slot of the leader.
    pub(crate) leader: Link,
    /// The next batch to be sent; none when all have been, in this round.
    pub(crate) cursor: Link,
    /// The last batch of the queue, if it is still open.
    pub(crate) open: Link,
    pub(crate) sent: u16,
    /// Batches in the queue.
    pub(crate) queued: u16,
    /// Batches with an outcome whose reports, which name this partition, have not been taken.
    pub(crate) unread: u16,
    /// Which of the connection's incarnations: a round on another one begins anew.
    pub(crate) conn_generation: u16,
    /// The connection, and which of its incarnations, on which a success or 45 was answered under this epoch:
    /// only then may more than one batch be in flight (KAFKA-15591, franz-go 223).
    pub(crate) known_on: Link,
    pub(crate) known_generation: u16,
    /// The epoch of that id.
    pub(crate) epoch: i16,
    /// What metadata last said of the partition.
    pub(crate) error: ErrorCode,
    pub(crate) links: [Links; 1],
    pub(crate) index: i32,
    pub(crate) leader_epoch: i32,
    /// All batches without outcome, in order. The first `sent` of them have sequences.
    pub(crate) queue: List,
    pub(crate) next: Sequence,
    /// What is in the queue and was never sent.
    #[cfg(feature = "policies")]
    pub(crate) waiting: Count,
    pub(crate) retry_at: Instant,
    /// Producer id under which the next batch gets its sequence; id -1 + 1 = 0 is none.
    pub(crate) producer_id_plus_1: i64,
    /// Offset behind the last record that was acknowledged with an offset; 0 before the first.
    pub(crate) next_offset: i64,
    #[cfg(feature = "events")]
    pub(crate) totals: crate::metrics::PartitionTotals,
}

impl PartitionSlot {
    pub(crate) const EMPTY: Self = Self {
        links: [Links::EMPTY; 1],
        chain: [Link::NONE; BUCKETS],
        topic: 0,
        index: 0,
        leader: Link::NONE,
        leader_epoch: 0,
        queue: List::EMPTY,
        cursor: Link::NONE,
        open: Link::NONE,
        sent: 0,
        #[cfg(feature = "policies")]
        waiting: Count::ZERO,
        queued: 0,
        unread: 0,
        in_flight: 0,
        conn: 0,
        conn_generation: 0,
        known_on: Link::NONE,
        known_generation: 0,
        place: Place::Nowhere,
        failed: false,
        draining: false,
        void: false,
        hole: false,
        recreated: false,
        hinted: false,
        silent_rounds: 0,
        failures: 0,
        retry_at: Instant::ZERO,
        producer_id_plus_1: 0,
        epoch: 0,
        next: Sequence::ZERO,
        next_offset: 0,
        error: ErrorCode::NONE,
        #[cfg(feature = "events")]
        totals: crate::metrics::PartitionTotals::NONE,
    };
}

impl PartitionSlot {
    pub(crate) fn next_in_chain(&self) -> Link {
        self.chain.first().copied().unwrap_or(Link::NONE)
    }
}

impl Linked for PartitionSlot {
    fn links(&self, which: usize) -> Links {
        self.links.get(which).copied().unwrap_or(Links::EMPTY)
    }

    fn links_mut(&mut self, which: usize) -> &mut Links {
        match self.links.get_mut(which) {
            Some(links) => links,
            None => broken("a slot has links for every list"),
        }
    }
}
