//! A topic's handle: no look-up of the name per record.

use core::fmt;
use std::sync::Arc;

use klamm::{Destination, Record, RecordId, TopicId};

use crate::delivery::Delivery;
use crate::error::SendError;
use crate::producer::Producer;
use crate::shared::destination;

/// A topic of a [`Producer`], from [`Producer::topic`]. Cheap to clone, and keeps the producer
/// open.
#[derive(Clone)]
pub struct Topic {
    producer: Producer,
    id: TopicId,
    name: Arc<str>,
}

impl Topic {
    pub(crate) fn new(producer: Producer, id: TopicId, name: Arc<str>) -> Self {
        Self { producer, id, name }
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topic's number in this producer, as in [`PartitionId`](crate::PartitionId).
    #[must_use]
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// The producer.
    #[must_use]
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// As [`Producer::send`].
    ///
    /// # Errors
    /// As `Producer::send`.
    pub fn send(&self, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.producer.shared().send(Destination::topic(self.id), record)
    }

    /// As [`Producer::send_to_partition`].
    ///
    /// # Errors
    /// As `Producer::send_to_partition`.
    pub fn send_to_partition(
        &self,
        partition: i32,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        self.producer.shared().send(Destination::partition(self.id, partition), record)
    }

    /// As [`Producer::try_send`].
    ///
    /// # Errors
    /// As `Producer::try_send`.
    pub fn try_send(&self, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.producer.shared().try_send(Destination::topic(self.id), record)
    }

    /// As [`Producer::post`].
    ///
    /// # Errors
    /// As `Producer::post`.
    pub fn post(&self, record: &Record<'_>) -> Result<(), SendError> {
        self.producer.shared().post(Destination::topic(self.id), record)
    }

    /// Accepts many records for the price of few locks, in order, without a [`Delivery`] each.
    /// Waits as `send` does. With `partition` they all go there.
    ///
    /// Returns how many were accepted.
    ///
    /// # Errors
    /// The first refusal, with the number of records accepted before it; the records after it are
    /// not looked at.
    pub fn post_all<'r>(
        &self,
        partition: Option<i32>,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Result<u64, (u64, SendError)> {
        self.post_all_with(partition, records, |_| ())
    }

    /// As [`post_all`](Self::post_all), and tells the id of every record as it is accepted: what
    /// [`Report::batch`](crate::Report::batch), `first` and `records` refer to later. For those who
    /// keep something about each record (when it was sent, say) without a [`Delivery`] each.
    ///
    /// `accepted` runs under the producer's lock, so that no report comes before it: it has to be
    /// short, and must not call the producer, which would be a deadlock.
    ///
    /// # Errors
    /// As `post_all`.
    pub fn post_all_with<'r>(
        &self,
        partition: Option<i32>,
        records: impl IntoIterator<Item = Record<'r>>,
        accepted: impl FnMut(RecordId),
    ) -> Result<u64, (u64, SendError)> {
        self.producer.shared().post_all(destination(self.id, partition), records, accepted)
    }

    /// As [`Producer::partitions_for`].
    ///
    /// # Errors
    /// As `Producer::partitions_for`.
    pub fn partitions(&self) -> Result<i32, SendError> {
        self.producer.shared().partitions(self.id)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}
