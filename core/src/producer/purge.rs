//! Giving up records on demand, and holding them back.

use super::Producer;
use crate::batch::{Fate, QUEUE};
use crate::connection::Request;
use crate::error::Reason;
use crate::id::TopicId;
use crate::storage::list;

/// What [`Producer::purge`] gives up.
///
/// ```
/// use klamm::Scope;
///
/// let what_was_never_sent = Scope::ALL.queued_only();
/// assert!(Scope::ALL.in_flight && !what_was_never_sent.in_flight);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Scope {
    /// Records of this topic only.
    pub topic: Option<TopicId>,
    /// Records of the partitions with this number only.
    pub partition: Option<i32>,
    /// Also what was sent at least once. Else only what never was.
    pub in_flight: bool,
}

impl Scope {
    /// Everything.
    pub const ALL: Self = Self { topic: None, partition: None, in_flight: true };

    /// Everything of a topic.
    pub const fn topic(topic: TopicId) -> Self {
        Self { topic: Some(topic), ..Self::ALL }
    }

    /// Everything of a partition.
    pub const fn partition(topic: TopicId, index: i32) -> Self {
        Self { topic: Some(topic), partition: Some(index), in_flight: true }
    }

    /// Of that, what was never sent.
    #[must_use]
    pub const fn queued_only(self) -> Self {
        Self { in_flight: false, ..self }
    }
}

impl Producer<'_> {
    pub(super) fn give_up(&mut self, scope: Scope) {
        if scope == Scope::ALL {
            // Whoever gives up everything does not wait for answers.
            for c in 0..self.storage.connections.len() {
                let conn = &self.storage.connections[c];
                if conn.in_flight.iter().any(|sent| sent.request == Request::Produce) {
                    self.close_connection(c);
                }
            }
        }
        for p in 0..usize::from(self.partitions_used) {
            let partition = &self.storage.partitions[p];
            let meant = scope.topic.is_none_or(|topic| topic.0 == partition.topic)
                && scope.partition.is_none_or(|index| index == partition.index);
            if meant {
                self.give_up_partition(p, scope.in_flight);
                self.settle_partition(p);
            }
        }
    }

    /// What was never sent has no number, and leaves no gap. What was sent gets its outcome when nothing is in flight.
    fn give_up_partition(&mut self, p: usize, sent_too: bool) {
        let mut at = self.head(p);
        while let Some(b) = at {
            at = list::next(&self.storage.batches, QUEUE, b);
            let batch = &mut self.storage.batches[b];
            if !batch.sent {
                self.settle(p, b, Fate::NotPersisted, Reason::Purged);
            } else if sent_too {
                batch.expired = true;
                batch.purged = true;
            }
        }
    }
}
