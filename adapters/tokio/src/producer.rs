//! The producer as tasks share it.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use klamm::{Record, Scope, Stats};
use klamm_host::{
    Batch, BatchDelivery, BuildError, Closed, ConnectionError, Delivered, Delivery, DeliveryError,
    DriverFailure, Handle, Operation, Options, ProduceError, SendError, Start, Statistics, Target,
};

use crate::Builder;
use crate::driver::Tasks;
use crate::topic::Topic;
use crate::wait::{signalled, wait};

/// A Kafka producer: a handle that any number of tasks and threads share, cheap to clone.
///
/// It is made within a runtime that has I/O and time enabled, where its driver task runs. Dropping
/// the last clone (and the last [`Topic`]) closes it: what was accepted still goes out, as long as
/// the runtime lives. [`close`](Self::close) waits for that, and hands back what was not delivered.
///
/// If the driver task ends before its time (its runtime is shut down), the records it had get their
/// outcome, and the next call starts another one on the runtime it is made in.
#[derive(Clone)]
pub struct Producer {
    owner: Arc<Owner>,
}

/// The last of these to go closes the producer.
struct Owner(Handle<Tasks>);

impl Start for Producer {
    fn start(options: Options) -> Result<Self, BuildError> {
        Ok(Self { owner: Arc::new(Owner(Handle::new(options, Tasks)?)) })
    }
}

impl Producer {
    /// A producer with typed options: `Producer::builder("localhost:9092").build()`.
    ///
    /// `servers` are `host:port`, separated by commas.
    #[must_use]
    pub fn builder(servers: &str) -> Builder {
        Builder::new(servers)
    }

    /// A producer with the properties that Java's producer and librdkafka know by these names.
    ///
    /// # Errors
    /// A property is unknown, cannot be read or conflicts with another one; or it is not called
    /// within a runtime.
    pub fn from_properties<N, V>(
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BuildError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        Builder::from_properties(properties)?.build()
    }

    /// A topic's handle, for those who write to it more than once.
    ///
    /// # Errors
    /// The name is not legal, `Limits::topics` is used up, or the producer is closed.
    pub fn topic(&self, name: &str) -> Result<Topic, SendError> {
        let (id, name) = self.handle().topic(name).now()?;
        Ok(Topic::new(self.clone(), id, name))
    }

    /// Accepts a record; its key, or without one the sticky partitioner, chooses the partition.
    ///
    /// Waits for up to `max.block.ms` while the memory is full or the topic's partitions are not
    /// known, in the order of the first polls. Dropped before it is ready, it has not accepted the
    /// record, and never will. Dropping the [`Delivery`] cancels nothing.
    ///
    /// # Errors
    /// The record was not accepted, and will never be sent.
    pub async fn send(&self, topic: &str, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.send_target(Target::Name(topic), None, record).await
    }

    /// As [`send`](Self::send), to this partition.
    ///
    /// # Errors
    /// As `send`.
    pub async fn send_to_partition(
        &self,
        topic: &str,
        partition: i32,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        self.send_target(Target::Name(topic), Some(partition), record).await
    }

    /// As [`send`](Self::send), but never waits.
    ///
    /// # Errors
    /// As `send`; `Full` also while others wait for memory.
    pub fn try_send(&self, topic: &str, record: &Record<'_>) -> Result<Delivery, SendError> {
        delivery(self.handle().send(Target::Name(topic), None, record).now())
    }

    /// As [`try_send`](Self::try_send), to this partition.
    ///
    /// # Errors
    /// As `try_send`.
    pub fn try_send_to_partition(
        &self,
        topic: &str,
        partition: i32,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        delivery(self.handle().send(Target::Name(topic), Some(partition), record).now())
    }

    /// As [`send`](Self::send), without a [`Delivery`]: reports and counters tell what became of
    /// it.
    ///
    /// # Errors
    /// As `send`.
    pub async fn post(&self, topic: &str, record: &Record<'_>) -> Result<(), SendError> {
        self.post_target(Target::Name(topic), record).await
    }

    /// As [`send`](Self::send); the outcome goes to `callback`, which is called once, on the driver
    /// task: it should be short.
    ///
    /// # Errors
    /// As `send`; `callback` is not called then.
    pub async fn send_then(
        &self,
        topic: &str,
        record: &Record<'_>,
        callback: impl FnOnce(Result<Delivered, DeliveryError>) + Send + 'static,
    ) -> Result<(), SendError> {
        wait(self.handle().send_then(Target::Name(topic), None, record, callback)).await.map(|_| ())
    }

    /// Sends a record and waits until it is delivered. Dropped while it waits for that, the record
    /// still goes out.
    ///
    /// # Errors
    /// It was not accepted, not delivered, or that is not known.
    pub async fn send_and_wait(
        &self,
        topic: &str,
        record: &Record<'_>,
    ) -> Result<Delivered, ProduceError> {
        Ok(self.send(topic, record).await?.await?)
    }

    /// An empty batch of up to `batch.size` bytes, which belongs to nobody: fill it without a lock,
    /// then send it.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn core::error::Error>> {
    /// # let producer = klamm_tokio::Producer::builder("localhost:9092").build()?;
    /// # let records: [klamm_tokio::Record<'_>; 0] = [];
    /// let mut batch = producer.create_batch();
    /// for record in &records {
    ///     if batch.append(record).is_err() {
    ///         producer.send_batch("readings", Some(1), &batch).await?;
    ///         batch.clear();
    ///         batch.append(record)?;
    ///     }
    /// }
    /// let delivered = producer.send_batch("readings", Some(1), &batch).await?.await?;
    /// println!("from offset {:?}", delivered.offset);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn create_batch(&self) -> Batch {
        self.handle().create_batch()
    }

    /// Accepts the records of a batch, behind what was accepted for that partition before; `None`
    /// lets the partitioner choose one, as for a record without a key. Waits as `send` does.
    /// Interceptors and the key maker do not see these records on their way in.
    ///
    /// Unless the batch is closed, what `send` accepts while it waits is appended to it.
    ///
    /// # Errors
    /// As `send`; nothing of the batch will ever be sent then.
    pub async fn send_batch(
        &self,
        topic: &str,
        partition: Option<i32>,
        batch: &Batch,
    ) -> Result<BatchDelivery, SendError> {
        wait(self.handle().send_batch(Target::Name(topic), partition, batch)).await
    }

    /// Holds everything back that was never sent, until it is called with `false`. Delivery
    /// timeouts run.
    pub fn pause(&self, paused: bool) {
        self.handle().pause(paused);
    }

    /// Gives up what is in the scope and has no outcome: `Scope::ALL`, `Scope::topic(topic.id())`
    /// and so on. What was never sent is reported as not persisted, and its records are handed to
    /// the callback if `Builder::keep_records` says so.
    pub fn purge(&self, scope: Scope) {
        self.handle().purge(scope);
    }

    /// How many partitions a topic has. Waits as `send` does.
    ///
    /// # Errors
    /// The topic's name is not legal, or the cluster did not answer in time, or with an error.
    pub async fn partitions_for(&self, topic: &str) -> Result<i32, SendError> {
        wait(self.handle().partitions(Target::Name(topic))).await
    }

    /// Sends without further delay, and waits until every record accepted so far has its outcome
    /// and the callbacks have returned for it, which `delivery.timeout.ms` bounds. Is it done?
    /// Dropped before that, nothing is undone.
    pub async fn flush(&self) -> bool {
        let Some(flushing) = self.handle().flush() else { return false };
        signalled(flushing.signal()).await;
        flushing.is_done()
    }

    /// Accepts nothing more, sends what there is, and after `limit` gives up the rest. Returns when
    /// every accepted record has its outcome and all callbacks have returned, with the records that
    /// were not delivered. The other clones get `Closed`.
    ///
    /// A zero `limit` gives up at once. Dropped before it is ready, the producer is closing all the
    /// same, and another `close` waits for it.
    pub async fn close(&self, limit: Duration) -> Closed {
        let closing = self.handle().close(Some(limit));
        if let Some(ended) = closing.signal() {
            signalled(ended).await;
        }
        closing.take()
    }

    /// This producer for the length of `act`: after it comes [`close`](Self::close) with this
    /// limit. If it panics or is dropped in the middle, that is as if the producer was dropped.
    pub async fn scoped<T>(
        self,
        limit: Duration,
        act: impl AsyncFnOnce(&Self) -> T,
    ) -> (T, Closed) {
        let result = act(&self).await;
        let closed = self.close(limit).await;
        (result, closed)
    }

    /// All figures of the moment: what [`Builder::on_statistics`] tells, without ending its window. `None` while the driver
    /// has failed.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        self.handle().statistics()
    }

    /// The same in Prometheus's text format: what `GET /metrics` answers. Empty while the driver has failed.
    #[must_use]
    pub fn prometheus(&self) -> String {
        self.statistics().map(|statistics| statistics.to_prometheus()).unwrap_or_default()
    }

    /// The counters. They begin at 0 again when a driver that ended before its time was replaced.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle().stats()
    }

    /// How many senders wait for memory, or for a topic's partitions: more than none for long means
    /// that they are too fast for the cluster.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.handle().waiting()
    }

    /// What went wrong with a connection since one last became ready: the answer to "why does it
    /// wait?".
    #[must_use]
    pub fn last_connection_error(&self) -> Option<ConnectionError> {
        self.handle().last_connection_error()
    }

    /// Why the driver ended that ended last before its time.
    #[must_use]
    pub fn last_driver_failure(&self) -> Option<DriverFailure> {
        self.handle().last_driver_failure()
    }

    pub(crate) fn handle(&self) -> &Handle<Tasks> {
        &self.owner.0
    }

    pub(crate) async fn send_target(
        &self,
        target: Target<'_>,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        delivery(wait(self.handle().send(target, partition, record)).await)
    }

    pub(crate) async fn post_target(
        &self,
        target: Target<'_>,
        record: &Record<'_>,
    ) -> Result<(), SendError> {
        wait(self.handle().post(target, None, record)).await.map(|_| ())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Nobody is there to wait for it.
        drop(self.0.close(None));
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

pub(crate) fn delivery(sent: Result<Option<Delivery>, SendError>) -> Result<Delivery, SendError> {
    // One was asked for.
    sent?.ok_or(SendError::DriverFailed)
}
