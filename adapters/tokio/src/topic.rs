//! A topic's handle: no look-up of the name per record.

use core::fmt;
use std::sync::Arc;

use klamm::{Compression, Record, RecordId, TopicId};
use klamm_host::{
    Batch, BatchDelivery, Delivered, Delivery, DeliveryError, Operation, ProduceError, SendError,
    Target,
};

use crate::producer::{Producer, delivery};
use crate::wait::wait;

/// A topic of a [`Producer`], from [`Producer::topic`]. Cheap to clone, and keeps the producer
/// open.
#[derive(Clone)]
pub struct Topic {
    producer: Producer,
    id: TopicId,
    name: Arc<str>,
    compression: Option<Compression>,
}

impl Topic {
    pub(crate) fn new(producer: Producer, id: TopicId, name: Arc<str>) -> Self {
        Self { producer, id, name, compression: None }
    }

    /// A handle of the same topic whose records are compressed with this codec, whatever
    /// `compression.type` says. A codec other than that one has to be in `Limits::codecs`; without
    /// it sending is refused with `CodecMissing`.
    ///
    /// A batch has one codec: records that ask for different ones in turn make small batches.
    #[must_use]
    pub fn with_compression(&self, codec: Compression) -> Self {
        Self { compression: Some(codec), ..self.clone() }
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
    pub async fn send(&self, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.producer.send_target(self.target(), None, record).await
    }

    /// As [`Producer::send_to_partition`].
    ///
    /// # Errors
    /// As `Producer::send_to_partition`.
    pub async fn send_to_partition(
        &self,
        partition: i32,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        self.producer.send_target(self.target(), Some(partition), record).await
    }

    /// As [`Producer::try_send`].
    ///
    /// # Errors
    /// As `Producer::try_send`.
    pub fn try_send(&self, record: &Record<'_>) -> Result<Delivery, SendError> {
        delivery(self.producer.handle().send(self.target(), None, record).now())
    }

    /// As [`Producer::try_send_to_partition`].
    ///
    /// # Errors
    /// As `Producer::try_send_to_partition`.
    pub fn try_send_to_partition(
        &self,
        partition: i32,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        delivery(self.producer.handle().send(self.target(), Some(partition), record).now())
    }

    /// As [`Producer::post`].
    ///
    /// # Errors
    /// As `Producer::post`.
    pub async fn post(&self, record: &Record<'_>) -> Result<(), SendError> {
        self.producer.post_target(self.target(), record).await
    }

    /// As [`Producer::send_then`].
    ///
    /// # Errors
    /// As `Producer::send_then`.
    pub async fn send_then(
        &self,
        record: &Record<'_>,
        callback: impl FnOnce(Result<Delivered, DeliveryError>) + Send + 'static,
    ) -> Result<(), SendError> {
        wait(self.producer.handle().send_then(self.target(), None, record, callback))
            .await
            .map(|_| ())
    }

    /// As [`Producer::send_and_wait`].
    ///
    /// # Errors
    /// As `Producer::send_and_wait`.
    pub async fn send_and_wait(&self, record: &Record<'_>) -> Result<Delivered, ProduceError> {
        Ok(self.send(record).await?.await?)
    }

    /// Accepts many records for the price of few locks, in order, without a [`Delivery`] each.
    /// Waits as `send` does. With `partition` they all go there.
    ///
    /// Returns how many were accepted.
    ///
    /// # Errors
    /// The first refusal, with the number of records accepted before it; the records after it are
    /// not looked at.
    ///
    /// Dropped before it is ready, some may have been accepted: the first ones.
    pub async fn post_all<'r>(
        &'r self,
        partition: Option<i32>,
        records: impl IntoIterator<Item = Record<'r>>,
    ) -> Result<u64, (u64, SendError)> {
        self.post_all_with(partition, records, |_| ()).await
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
    pub async fn post_all_with<'r>(
        &'r self,
        partition: Option<i32>,
        records: impl IntoIterator<Item = Record<'r>>,
        accepted: impl FnMut(RecordId),
    ) -> Result<u64, (u64, SendError)> {
        wait(self.producer.handle().post_all(self.target(), partition, records, accepted)).await
    }

    /// As [`Producer::send_batch`].
    ///
    /// # Errors
    /// As `Producer::send_batch`.
    pub async fn send_batch(
        &self,
        partition: Option<i32>,
        batch: &Batch,
    ) -> Result<BatchDelivery, SendError> {
        wait(self.producer.handle().send_batch(self.target(), partition, batch)).await
    }

    /// As [`Producer::partitions_for`].
    ///
    /// # Errors
    /// As `Producer::partitions_for`.
    pub async fn partitions(&self) -> Result<i32, SendError> {
        wait(self.producer.handle().partitions(self.target())).await
    }

    fn target(&self) -> Target<'_> {
        Target::Topic(self.id, &self.name, self.compression)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}
