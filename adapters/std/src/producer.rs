//! The producer as threads share it.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use klamm::{Record, Scope, Stats};

use crate::batch::{Batch, BatchDelivery};
use crate::builder::Builder;
use crate::connection_error::ConnectionError;
use crate::delivery::Delivery;
use crate::error::{BuildError, SendError};
use crate::owned::Closed;
use crate::properties;
use crate::shared::Shared;
use crate::topic::Topic;

/// A Kafka producer: a handle that any number of threads share, cheap to clone.
///
/// Dropping the last clone (and the last [`Topic`]) closes it, and waits until every accepted
/// record has its outcome: `delivery.timeout.ms` at the longest. [`close`](Self::close) sets
/// another limit, and hands back what was not delivered.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    driver: Mutex<Option<JoinHandle<()>>>,
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
    /// A property is unknown, cannot be read or conflicts with another one; or the system has no
    /// thread to give.
    pub fn from_properties<N, V>(
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, BuildError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        properties::builder(properties)?.build()
    }

    pub(crate) fn new(shared: Arc<Shared>, driver: JoinHandle<()>) -> Self {
        Self { handle: Arc::new(Handle { shared, driver: Mutex::new(Some(driver)) }) }
    }

    /// A topic's handle, for those who write to it more than once.
    ///
    /// # Errors
    /// The name is not legal, `Limits::topics` is used up, or the producer is closed.
    pub fn topic(&self, name: &str) -> Result<Topic, SendError> {
        let (id, name) = self.shared().topic(name)?;
        Ok(Topic::new(self.clone(), id, name))
    }

    /// Accepts a record; its key, or without one the sticky partitioner, chooses the partition.
    ///
    /// Waits for up to `max.block.ms` while the memory is full or the topic's partitions are not
    /// known. In a callback it does not wait.
    ///
    /// # Errors
    /// The record was not accepted, and will never be sent.
    pub fn send(&self, topic: &str, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.shared().send_named(topic, None, record)
    }

    /// As [`send`](Self::send), to this partition.
    ///
    /// # Errors
    /// As `send`.
    pub fn send_to_partition(
        &self,
        topic: &str,
        partition: i32,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        self.shared().send_named(topic, Some(partition), record)
    }

    /// As [`send`](Self::send), but never waits.
    ///
    /// # Errors
    /// As `send`; `Full` also while others wait for memory.
    pub fn try_send(&self, topic: &str, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.topic(topic)?.try_send(record)
    }

    /// As [`send`](Self::send), without a [`Delivery`]: reports and counters tell what became of
    /// it.
    ///
    /// # Errors
    /// As `send`.
    pub fn post(&self, topic: &str, record: &Record<'_>) -> Result<(), SendError> {
        self.topic(topic)?.post(record)
    }

    /// An empty batch of up to `batch.size` bytes, which belongs to nobody: fill it without a lock,
    /// then send it.
    ///
    /// ```no_run
    /// # let producer = klamm_std::Producer::builder("localhost:9092").build()?;
    /// # let records: [klamm_std::Record<'_>; 0] = [];
    /// let mut batch = producer.create_batch();
    /// for record in &records {
    ///     if batch.append(record).is_err() {
    ///         producer.send_batch("readings", Some(1), &batch)?;
    ///         batch.clear();
    ///         batch.append(record)?;
    ///     }
    /// }
    /// println!("from offset {:?}", producer.send_batch("readings", Some(1), &batch)?.wait()?.offset);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    #[must_use]
    pub fn create_batch(&self) -> Batch {
        Batch::new(vec![0; self.shared().batch_size].into_boxed_slice())
    }

    /// Accepts the records of a batch, behind what was accepted for that partition before; `None`
    /// lets the partitioner choose one, as for a record without a key. Waits as `send` does.
    ///
    /// Unless the batch is closed, what `send` accepts while it waits is appended to it.
    ///
    /// # Errors
    /// As `send`; nothing of the batch will ever be sent then.
    pub fn send_batch(
        &self,
        topic: &str,
        partition: Option<i32>,
        batch: &Batch,
    ) -> Result<BatchDelivery, SendError> {
        self.topic(topic)?.send_batch(partition, batch)
    }

    /// Holds everything back that was never sent, until it is called with `false`. Delivery
    /// timeouts run.
    pub fn pause(&self, paused: bool) {
        self.shared().pause(paused);
    }

    /// Gives up what is in the scope and has no outcome: `Scope::ALL`, `Scope::topic(topic.id())`
    /// and so on. What was never sent is reported as not persisted, and its records are handed to
    /// the callback if [`Builder::keep_records`] says so.
    pub fn purge(&self, scope: Scope) {
        self.shared().purge(scope);
    }

    /// How many partitions a topic has. Waits as `send` does.
    ///
    /// # Errors
    /// The topic's name is not legal, or the cluster did not answer in time, or with an error.
    pub fn partitions_for(&self, topic: &str) -> Result<i32, SendError> {
        let (id, _) = self.shared().topic(topic)?;
        self.shared().partitions(id)
    }

    /// Sends without further delay, and waits until every record accepted so far has its outcome
    /// and the report callback has returned for it; `None` waits as long as that takes, which
    /// `delivery.timeout.ms` bounds. Is it done? (In a callback: `false`, without waiting.)
    pub fn flush(&self, limit: Option<Duration>) -> bool {
        self.shared().flush(limit)
    }

    /// Accepts nothing more, sends what there is, and after `limit` gives up the rest. Returns when
    /// every accepted record has its outcome and all callbacks have returned, with the records that
    /// were not delivered. The other clones get `Closed`.
    ///
    /// A zero `limit` gives up at once. In a callback it does not wait.
    pub fn close(&self, limit: Duration) -> Closed {
        let closed = self.shared().close(Some(limit));
        self.handle.join();
        closed
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared().stats()
    }

    /// What went wrong with a connection since one last became ready: the answer to "why does it
    /// wait?".
    #[must_use]
    pub fn last_connection_error(&self) -> Option<ConnectionError> {
        self.shared().last_error()
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.handle.shared
    }
}

impl Handle {
    /// Waits for the thread's very end, unless that is the caller's.
    fn join(&self) {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver
            && driver.thread().id() != std::thread::current().id()
        {
            // A driver that panicked has told everyone who waits.
            let _ = driver.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(None);
        self.join();
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
