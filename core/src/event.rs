//! What happens inside, as typed events that wait in a ring until somebody reads them.
//!
//! No callback and no reentrancy: [`Producer::poll_event`](crate::Producer::poll_event) hands them out, oldest first.
//! Keys, values and headers are in none of them.

use crate::error::Reason;
use crate::error_code::ErrorCode;
use crate::id::{BatchId, ConnId, PartitionId, TopicId};
use crate::time::Instant;

/// Something that happened, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Event {
    /// The latest time that had been handed in when it happened.
    pub at: Instant,
    /// What it was.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[repr(u8)] // so that an empty slot is all zeros, and a `static` of them lies in `.bss`
pub enum EventKind {
    /// The batch takes no more records.
    Sealed(EventBatch) = 0,
    /// The batch joined a Produce request.
    Sent {
        /// The batch; `bytes` are those on the wire.
        batch: EventBatch,
        /// The broker.
        broker: EventBroker,
        /// How often it had been sent before.
        retries: u16,
    },
    /// A broker answered a request.
    Answered {
        /// The broker.
        broker: EventBroker,
        /// Kafka's number of the API: 0 Produce, 3 Metadata, 18 `ApiVersions`, 22 `InitProducerId`.
        api: i16,
        /// From when the request was made to when its answer was there, in microseconds.
        latency_us: u32,
    },
    /// The batch is in the log.
    Delivered {
        /// The batch.
        batch: EventBatch,
        /// Offset of its first record, if the broker told.
        base_offset: Option<i64>,
        /// From the acceptance of its first record to this outcome, in microseconds.
        latency_us: u32,
    },
    /// The batch was given up.
    Failed {
        /// The batch.
        batch: EventBatch,
        /// Why.
        reason: Reason,
        /// May it be in the log all the same?
        maybe_persisted: bool,
    },
    /// A drop policy removed the batch.
    Dropped(EventBatch),
    /// An answer, or its absence, made the partition send again what it has under way.
    Retry {
        /// The partition.
        partition: PartitionId,
        /// What was answered to its oldest batch.
        error: ErrorCode,
        /// Microseconds to wait before that.
        backoff_us: u32,
    },
    /// A broker asked for silence.
    Throttled {
        /// The broker.
        broker: EventBroker,
        /// For how many milliseconds.
        millis: u32,
    },
    /// Another broker leads the partition.
    LeaderChanged {
        /// The partition.
        partition: PartitionId,
        /// The leader before, if there was one.
        from: Option<i32>,
        /// The leader now, if there is one.
        to: Option<i32>,
    },
    /// The connection is ready for requests.
    Connected(EventBroker),
    /// The connection is gone, or could not be made.
    Disconnected {
        /// The broker.
        broker: EventBroker,
        /// Had it ever been ready?
        ready: bool,
        /// Requests that stay without an answer.
        unanswered: u8,
    },
    /// A broker lost acknowledged records, or the producer's state.
    DataLoss(PartitionId),
    /// The partition's sequences start again under a new epoch.
    EpochBumped {
        /// The partition.
        partition: PartitionId,
        /// The new epoch; `None`: epochs are used up, and a new producer id is asked for.
        epoch: Option<i16>,
    },
    /// A broker answered the request for a producer id.
    Identity {
        /// The id; `None` if it gave none.
        producer_id: Option<i64>,
        /// Why not.
        error: ErrorCode,
    },
    /// Metadata says otherwise than before how the topic is.
    Topic {
        /// The topic.
        topic: TopicId,
        /// Its error; 0 when it is well.
        error: ErrorCode,
    },
}

/// A batch, as its report will name it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct EventBatch {
    /// The batch, as in [`RecordId`](crate::RecordId).
    pub id: BatchId,
    /// Its partition.
    pub partition: PartitionId,
    /// Index of its first record: not 0 for a part of a batch that was split.
    pub first: u16,
    /// How many records it has.
    pub records: u16,
    /// Its bytes, header included, as they are at that moment.
    pub bytes: u32,
}

/// A broker, and the connection to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct EventBroker {
    /// Kafka's id of the broker; -1 for a bootstrap server.
    pub node: i32,
    /// The connection.
    pub conn: ConnId,
}

/// Room for one event, for [`Storage::with_events`](crate::Storage::with_events).
#[derive(Clone, Copy, Debug)]
pub struct EventSlot(pub(crate) Event);

impl EventSlot {
    /// An empty slot, all zeros.
    pub const EMPTY: Self = Self(Event {
        at: Instant::ZERO,
        kind: EventKind::Sealed(EventBatch {
            id: BatchId { slot: 0, generation: 0 },
            partition: PartitionId { topic: TopicId(0), index: 0 },
            first: 0,
            records: 0,
            bytes: 0,
        }),
    });
}

/// Which slots of the ring hold events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ring {
    first: u16,
    len: u16,
    /// Events overwritten before anybody read them.
    pub(crate) lost: u64,
}

impl Ring {
    pub(crate) const EMPTY: Self = Self { first: 0, len: 0, lost: 0 };

    /// Puts an event behind the others; over the oldest where there is no more room.
    pub(crate) fn push(&mut self, slots: &mut [EventSlot], event: Event) {
        let max = u16::try_from(slots.len()).unwrap_or(u16::MAX);
        if max == 0 {
            return;
        }
        let at = wrap(u32::from(self.first) + u32::from(self.len), max);
        if self.len == max {
            self.first = wrap(u32::from(self.first) + 1, max);
            self.lost += 1;
        } else {
            self.len += 1;
        }
        if let Some(slot) = slots.get_mut(usize::from(at)) {
            *slot = EventSlot(event);
        }
    }

    /// Takes the oldest event.
    pub(crate) fn pop(&mut self, slots: &[EventSlot]) -> Option<Event> {
        self.len = self.len.checked_sub(1)?;
        let event = slots.get(usize::from(self.first)).map(|slot| slot.0);
        let max = u16::try_from(slots.len()).unwrap_or(u16::MAX);
        self.first = wrap(u32::from(self.first) + 1, max);
        event
    }
}

/// `at`, which is below twice `max`, in the ring.
#[allow(clippy::cast_possible_truncation, reason = "below `max`")]
const fn wrap(at: u32, max: u16) -> u16 {
    if at >= max as u32 { (at - max as u32) as u16 } else { at as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Event {
        Event { at: Instant::from_micros(micros), ..EventSlot::EMPTY.0 }
    }

    #[test]
    fn a_full_ring_loses_the_oldest_and_counts_it() {
        let mut slots = [EventSlot::EMPTY; 3];
        let mut ring = Ring::EMPTY;
        assert_eq!(ring.pop(&slots), None);
        for round in 0..5 {
            let base = round * 10;
            (0..5).for_each(|n| ring.push(&mut slots, at(base + n)));
            assert_eq!(ring.lost, (round + 1) * 2);
            for n in 2..5 {
                assert_eq!(ring.pop(&slots), Some(at(base + n)));
            }
            assert_eq!(ring.pop(&slots), None);
        }
    }

    #[test]
    fn without_room_nothing_is_kept_or_lost() {
        let mut ring = Ring::EMPTY;
        ring.push(&mut [], at(1));
        assert_eq!((ring.pop(&[]), ring.lost), (None, 0));
    }

    #[test]
    fn the_largest_ring_wraps() {
        let mut slots = std::vec![EventSlot::EMPTY; 65_535];
        let mut ring = Ring::EMPTY;
        (0..70_000).for_each(|n| ring.push(&mut slots, at(n)));
        assert_eq!(ring.lost, 70_000 - 65_535);
        for n in 70_000 - 65_535..70_000 {
            assert_eq!(ring.pop(&slots), Some(at(n)));
        }
        assert_eq!(ring.pop(&slots), None);
    }
}
