//! Small `Copy` handles. None is a reference, so none keeps the producer borrowed.

use core::fmt;

/// One of the producer's connection slots. An index, not a socket: the adapter keeps the socket.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ConnId(pub(crate) u8);

impl ConnId {
    /// The slot's number, from 0 to `Limits::connections` - 1: made for indexing an array of sockets.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// klamm's handle for a topic name, from [`Producer::topic`](crate::Producer::topic). Kafka's topic id is [`TopicUuid`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TopicId(pub(crate) u16);

impl TopicId {
    /// The topic's number, from 0 to `Limits::topics` - 1, in the order of registration.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The 16 bytes by which brokers tell a topic from another of the same name (KIP-516). All zero means unknown.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TopicUuid(pub [u8; 16]);

impl TopicUuid {
    /// No topic id known.
    pub const ZERO: Self = Self([0; 16]);

    /// Is an id known? Never without the feature `flexible`.
    pub fn is_known(&self) -> bool {
        crate::wire::api::FLEXIBLE && *self != Self::ZERO
    }
}

/// A partition of a topic.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PartitionId {
    /// The topic.
    pub topic: TopicId,
    /// The partition's number in the topic, from 0.
    pub index: i32,
}

/// A batch, until its last report is taken. The generation makes copies that are out of date harmless.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BatchId {
    pub(crate) slot: u16,
    pub(crate) generation: u16,
}

impl BatchId {
    /// The batch slot's number, from 0: made for an array with one completion per slot.
    pub const fn index(self) -> usize {
        self.slot as usize
    }

    /// How often the slot had been used before this batch, modulo 65,536: tells a batch from the slot's previous one.
    pub const fn generation(self) -> u16 {
        self.generation
    }
}

/// An accepted record: its batch and its place in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RecordId {
    /// The batch that the record was appended to.
    pub batch: BatchId,
    /// The record's place in that batch, from 0.
    pub index: u16,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}#{}", self.batch.slot, self.batch.generation, self.index)
    }
}
