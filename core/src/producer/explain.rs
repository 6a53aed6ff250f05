//! Why does a record wait? One answer, read from the state that decides it.

use core::fmt;

use super::Producer;
use crate::batch::{BatchState, QUEUE};
use crate::connection::ConnState;
use crate::error_code::ErrorCode;
use crate::id::{PartitionId, RecordId};
use crate::partition::{PartitionSlot, Place};
use crate::storage::list;
use crate::time::Instant;

/// What a record, or the next batch of a partition, waits for at the moment: the first thing that has to happen.
///
/// ```
/// # use klamm::{Config, Destination, Explain, Instant, PartitionId, Producer, Record, Resources};
/// # let mut resources = Resources::<1400, 4, 2, 2>::new();
/// # let config = Config::new("10.0.0.2:9092");
/// # let mut producer = Producer::new(&config, resources.storage(), 42, Instant::ZERO).unwrap();
/// let topic = producer.topic("readings")?;
/// let record = producer.send(Destination::partition(topic, 0), &Record::value(b"21.5"), Instant::ZERO)?;
/// assert_eq!(producer.explain_record(record), Explain::Lingering { until: Instant::from_millis(5) });
/// # Ok::<(), klamm::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Explain {
    /// Nothing: there is no such record or batch, or its report was taken.
    Nothing,
    /// It has its outcome; the report has not been taken.
    Report,
    /// Metadata has not said yet what there is of the topic.
    Metadata {
        /// The last error of the topic, 0 for none.
        error: ErrorCode,
    },
    /// The topic has no such partition.
    NoSuchPartition,
    /// The partition has no leader, or `Limits::brokers` has no slot for it.
    Leader {
        /// The last error of the partition or its topic, 0 for none.
        error: ErrorCode,
    },
    /// `pause` holds back what was never sent.
    Paused,
    /// The open batch waits for more records.
    Lingering {
        /// Until then, unless it is full or flushed before; [`Instant::FAR`]: until then only.
        until: Instant,
    },
    /// The clock has not been set, and records of the batch have no timestamps of their own.
    Clock,
    /// There is no producer id.
    ProducerId {
        /// The last error when one was asked for, 0 for none.
        error: ErrorCode,
        /// Asked for again then; in the past while the answer is awaited.
        until: Instant,
    },
    /// The last attempt failed.
    Backoff {
        /// Sent again then.
        until: Instant,
        /// Why it failed.
        error: ErrorCode,
    },
    /// The batch is too large for the topic, and no chunk is free to split it.
    Memory {
        /// Tried again then.
        until: Instant,
    },
    /// It has its sequence numbers, and waits for `Producer::release_batch` (Cargo feature `snapshot`).
    Held,
    /// Other batches of the partition come first.
    Behind {
        /// How many.
        batches: u16,
    },
    /// It is in flight, or its partition's batches in flight are to be answered before anything else is sent.
    Answer {
        /// How many batches of the partition are in flight.
        in_flight: u8,
    },
    /// The leader's address is not known yet.
    Address {
        /// Its node id.
        node: i32,
    },
    /// The leader could not be reached.
    Reconnect {
        /// Its node id.
        node: i32,
        /// Dialed again then.
        until: Instant,
    },
    /// Every connection slot serves another leader; they take turns.
    Slot {
        /// The node id of the leader that waits.
        node: i32,
    },
    /// The leader is being dialed or greeted, or the connection to it is being closed.
    Connecting {
        /// Its node id.
        node: i32,
    },
    /// The leader asked for silence (a quota).
    Throttled {
        /// Its node id.
        node: i32,
        /// Until then.
        until: Instant,
    },
    /// The connection to the leader is busy: as many requests are in flight as may be, or one is being written.
    Busy {
        /// The leader's node id.
        node: i32,
    },
    /// Nothing but the adapter: `demand` says `Transmit`.
    Transmit {
        /// The leader's node id.
        node: i32,
    },
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Nothing => f.write_str("waits for nothing"),
            Self::Report => f.write_str("its report has not been taken"),
            Self::Metadata { error } => write!(f, "waits for metadata, last error: {error}"),
            Self::NoSuchPartition => f.write_str("the topic has no such partition"),
            Self::Leader { error } => write!(f, "the partition has no leader, last error: {error}"),
            Self::Paused => f.write_str("the producer is paused"),
            Self::Lingering { until: Instant::FAR } => f.write_str("lingers until flushed"),
            Self::Lingering { until } => write!(f, "lingers until {}", Micros(until)),
            Self::Clock => f.write_str("waits for the clock to be set"),
            Self::ProducerId { error, until } => {
                let at = Micros(until);
                write!(f, "waits for a producer id, last error: {error}, asked again from {at} on")
            }
            Self::Backoff { until, error } => {
                write!(f, "backs off until {}, last error: {error}", Micros(until))
            }
            Self::Memory { until } => {
                write!(f, "too large, and no memory to split it; again at {}", Micros(until))
            }
            Self::Held => f.write_str("waits to be released"),
            Self::Behind { batches } => write!(f, "{batches} batches of its partition come first"),
            Self::Answer { in_flight } => {
                write!(f, "waits for answers: {in_flight} batches of its partition in flight")
            }
            Self::Address { node } => write!(f, "the address of broker {node} is not known"),
            Self::Reconnect { node, until } => {
                write!(f, "broker {node} could not be reached; dialed again at {}", Micros(until))
            }
            Self::Slot { node } => {
                write!(f, "broker {node} has no connection: all slots serve others")
            }
            Self::Connecting { node } => write!(f, "broker {node} is being connected"),
            Self::Throttled { node, until } => {
                write!(f, "broker {node} throttles until {}", Micros(until))
            }
            Self::Busy { node } => write!(f, "the connection to broker {node} is busy"),
            Self::Transmit { node } => write!(f, "can be sent to broker {node} now"),
        }
    }
}

struct Micros(Instant);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} us", self.0.as_micros())
    }
}

impl Producer<'_> {
    pub(super) fn why_record(&self, record: RecordId) -> Explain {
        let b = record.batch.index();
        let known = |batch: &&crate::batch::BatchSlot| {
            batch.generation == record.batch.generation && batch.state != BatchState::Free
        };
        let Some(batch) = self.storage.batches.get(b).filter(known) else {
            return Explain::Nothing;
        };
        let partition = &self.storage.partitions[usize::from(batch.partition)];
        if batch.state == BatchState::Done {
            return Explain::Report;
        }
        if batch.pinned {
            return Explain::Answer { in_flight: partition.in_flight };
        }
        let (mut ahead, mut at) = (0, partition.queue.head());
        while let Some(earlier) = at.filter(|&earlier| earlier != b) {
            ahead += 1;
            at = list::next(&self.storage.batches, QUEUE, earlier);
        }
        if partition.cursor.get() != Some(b) && ahead > 0 {
            return Explain::Behind { batches: ahead };
        }
        self.why_queue(partition)
    }

    pub(super) fn why_partition(&self, partition: PartitionId) -> Explain {
        let t = partition.topic.index();
        let known = t < usize::from(self.topics_used);
        let Some(topic) = self.storage.topics.get(t).filter(|_| known) else {
            return Explain::Nothing;
        };
        match self.find_partition(t, partition.index) {
            Some(p) => self.why_queue(&self.storage.partitions[p]),
            None if topic.partitions == 0 => Explain::Metadata { error: topic.error },
            None if !(0..topic.partitions).contains(&partition.index) => Explain::NoSuchPartition,
            None => Explain::Nothing,
        }
    }

    /// What the partition's next batch waits for.
    fn why_queue(&self, partition: &PartitionSlot) -> Explain {
        let Some(head) = partition.queue.head() else {
            return if partition.unread > 0 { Explain::Report } else { Explain::Nothing };
        };
        let answer = Explain::Answer { in_flight: partition.in_flight };
        if let Place::Backoff(_) = partition.place {
            let (until, error) = (partition.retry_at, self.storage.batches[head].code);
            let large =
                matches!(error, ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE);
            return if large {
                Explain::Memory { until }
            } else {
                Explain::Backoff { until, error }
            };
        }
        let Some(next) = partition.cursor.get() else { return answer };
        let batch = &self.storage.batches[next];
        if self.is_held(next) {
            return Explain::Held;
        }
        if batch.kin().guest_at > 0 {
            // Its records lie in the chunk of the part before it.
            return if next == head { Explain::Report } else { answer };
        }
        if !batch.sent {
            if self.paused {
                return Explain::Paused;
            }
            if !batch.due {
                let until = self.linger_end(next);
                #[cfg(feature = "policies")]
                let until = self.interval_end().map_or(until, |at| at.min(until));
                return Explain::Lingering { until };
            }
            if !batch.anchored && self.clock.is_none() {
                return Explain::Clock;
            }
        }
        let Some(leader) = partition.leader.get() else { return self.why_leaderless(partition) };
        let identity = &self.identity;
        if identity.is_idempotent() && partition.producer_id_plus_1 == 0 && identity.id_plus_1 == 0
        {
            return Explain::ProducerId { error: identity.error, until: identity.not_before };
        }
        if partition.in_flight > 0 && partition.place == Place::Nowhere {
            return answer;
        }
        self.why_broker(leader)
    }

    fn why_leaderless(&self, partition: &PartitionSlot) -> Explain {
        let topic = &self.storage.topics[usize::from(partition.topic)];
        if !topic.answered || topic.partitions == 0 {
            return Explain::Metadata { error: topic.error };
        }
        if partition.index >= topic.partitions {
            return Explain::NoSuchPartition;
        }
        let error = if partition.error.is_ok() { topic.error } else { partition.error };
        Explain::Leader { error }
    }

    /// What stands between a batch that can be sent and the connection to its leader.
    fn why_broker(&self, leader: usize) -> Explain {
        let broker = &self.storage.brokers[leader];
        let node = broker.node;
        let Some(c) = broker.conn.get() else {
            return if broker.host_len == 0 {
                Explain::Address { node }
            } else if broker.retry_at > self.now {
                Explain::Reconnect { node, until: broker.retry_at }
            } else {
                Explain::Slot { node }
            };
        };
        let conn = &self.storage.connections[c];
        if conn.state != ConnState::Ready {
            return Explain::Connecting { node };
        }
        if conn.is_muted() {
            return Explain::Throttled { node, until: conn.muted_until };
        }
        if conn.yields {
            return Explain::Slot { node };
        }
        if conn.takes_produce(self.config.max_in_flight_requests_per_connection) {
            Explain::Transmit { node }
        } else {
            Explain::Busy { node }
        }
    }
}
