//! The producer as threads share it.

use core::cell::OnceCell;
use core::fmt;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};

use klamm::{Record, Scope, Stats};
use klamm_host::{
    Batch, BatchDelivery, BuildError, Closed, ConnectionError, Delivered, Delivery, DeliveryError,
    DriverFailure, Handle, Operation, Options, ProduceError, SendError, Start, Statistics, Target,
};

use crate::Builder;
use crate::driver::Threads;
use crate::scoped::Scoped;
use crate::topic::Topic;

/// A Kafka producer: a handle that any number of threads share, cheap to clone.
///
/// Dropping the last clone (and the last [`Topic`]) closes it, and waits until every accepted
/// record has its outcome: `delivery.timeout.ms` at the longest. [`close`](Self::close) sets
/// another limit, and hands back what was not delivered.
#[derive(Clone)]
pub struct Producer {
    owner: Arc<Owner>,
}

/// The last of these to go closes the producer.
struct Owner(Handle<Threads>);

impl Start for Producer {
    fn start(options: Options) -> Result<Self, BuildError> {
        Ok(Self { owner: Arc::new(Owner(Handle::new(options, Threads)?)) })
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
    /// A property is unknown, cannot be read or conflicts with another one; or the system has no
    /// thread to give.
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
    /// known. In a callback it does not wait.
    ///
    /// # Errors
    /// The record was not accepted, and will never be sent.
    pub fn send(&self, topic: &str, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.send_target(Target::Name(topic), None, record)
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
        self.send_target(Target::Name(topic), Some(partition), record)
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
    pub fn post(&self, topic: &str, record: &Record<'_>) -> Result<(), SendError> {
        self.post_target(Target::Name(topic), record)
    }

    /// As [`send`](Self::send); the outcome goes to `callback`, which is called once, on the
    /// driver's thread: it should be short, and nothing waits in it.
    ///
    /// # Errors
    /// As `send`; `callback` is not called then.
    pub fn send_then(
        &self,
        topic: &str,
        record: &Record<'_>,
        callback: impl FnOnce(Result<Delivered, DeliveryError>) + Send + 'static,
    ) -> Result<(), SendError> {
        block(self.handle().send_then(Target::Name(topic), None, record, callback)).map(|_| ())
    }

    /// Sends a record and waits until it is delivered.
    ///
    /// # Errors
    /// It was not accepted, not delivered, or that is not known.
    pub fn send_and_wait(
        &self,
        topic: &str,
        record: &Record<'_>,
    ) -> Result<Delivered, ProduceError> {
        Ok(self.send(topic, record)?.wait()?)
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
    pub fn send_batch(
        &self,
        topic: &str,
        partition: Option<i32>,
        batch: &Batch,
    ) -> Result<BatchDelivery, SendError> {
        block(self.handle().send_batch(Target::Name(topic), partition, batch))
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
    pub fn partitions_for(&self, topic: &str) -> Result<i32, SendError> {
        block(self.handle().partitions(Target::Name(topic)))
    }

    /// Sends without further delay, and waits until every record accepted so far has its outcome
    /// and the callbacks have returned for it; `None` waits as long as that takes, which
    /// `delivery.timeout.ms` bounds. Is it done? (In a callback: `false`, without waiting.)
    pub fn flush(&self, limit: Option<Duration>) -> bool {
        let Some(flushing) = self.handle().flush() else { return false };
        let limit = if flushing.is_on_driver() { Some(Duration::ZERO) } else { limit };
        flushing.signal().wait(limit) && flushing.is_done()
    }

    /// Accepts nothing more, sends what there is, and after `limit` gives up the rest. Returns when
    /// every accepted record has its outcome and all callbacks have returned, with the records that
    /// were not delivered. The other clones get `Closed`.
    ///
    /// A zero `limit` gives up at once. In a callback it does not wait.
    pub fn close(&self, limit: Duration) -> Closed {
        self.owner.close(Some(limit))
    }

    /// This producer for the length of a scope: leaving it is [`close`](Self::close) with this
    /// limit.
    #[must_use]
    pub fn scoped(self, limit: Duration) -> Scoped {
        Scoped::new(self, limit)
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

    /// The counters. They begin at 0 again in a forked child, and when a driver that failed was
    /// replaced.
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

    /// Why the driver failed that failed last. The records it had got their outcome, and the next
    /// call starts another one.
    #[must_use]
    pub fn last_driver_failure(&self) -> Option<DriverFailure> {
        self.handle().last_driver_failure()
    }

    pub(crate) fn handle(&self) -> &Handle<Threads> {
        &self.owner.0
    }

    pub(crate) fn send_target(
        &self,
        target: Target<'_>,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        delivery(block(self.handle().send(target, partition, record)))
    }

    pub(crate) fn post_target(
        &self,
        target: Target<'_>,
        record: &Record<'_>,
    ) -> Result<(), SendError> {
        block(self.handle().post(target, None, record)).map(|_| ())
    }
}

impl Owner {
    fn close(&self, limit: Option<Duration>) -> Closed {
        let closing = self.0.close(limit);
        if let Some(ended) = closing.signal() {
            ended.wait(None);
        }
        closing.take()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.close(None);
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// Waits for an operation by parking this thread.
pub(crate) fn block<O: Operation>(mut operation: O) -> Result<O::Output, O::Error> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    thread_local! {
        static WAKER: OnceCell<Waker> = const { OnceCell::new() };
    }
    WAKER.with(|waker| {
        let waker = waker.get_or_init(|| Waker::from(Arc::new(Unpark(thread::current()))));
        loop {
            match operation.poll(Some(waker)) {
                Poll::Ready(result) => return result,
                Poll::Pending => thread::park_timeout(operation.waiting().left()),
            }
        }
    })
}

pub(crate) fn delivery(sent: Result<Option<Delivery>, SendError>) -> Result<Delivery, SendError> {
    // One was asked for.
    sent?.ok_or(SendError::DriverFailed)
}
