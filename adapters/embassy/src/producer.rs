//! The handle that tasks share.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};

use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_time::Instant;
use klamm::{
    Destination, PartitionId, Record, RecordId, Scope, SendError, Stats, Timestamp, TopicId,
};

use crate::error::{Lost, ProduceError};
use crate::reports::Reports;
use crate::shared::{Inner, Shared, is_pending};
use crate::waiting::{Why, look_again};

/// A Kafka producer: a `Copy` handle for any number of tasks.
///
/// Nothing moves unless [`Runner::run`](crate::Runner::run) is running. Every future of it may be
/// dropped at any time: that loses no record that was accepted, and accepts none that was not.
pub struct Producer<'d, M: RawMutex = NoopRawMutex> {
    shared: &'d Shared<'d, M>,
}

/// Where a record is in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Delivered {
    /// Its partition.
    pub partition: PartitionId,
    /// Its offset; `None` with acks = 0, and where only a later success proved that it is there.
    pub offset: Option<i64>,
    /// The broker's time of the append, on topics with `LogAppendTime`.
    pub log_append_time: Option<Timestamp>,
}

impl<'d, M: RawMutex> Producer<'d, M> {
    pub(crate) fn new(shared: &'d Shared<'d, M>) -> Self {
        Self { shared }
    }

    /// The number of a topic, registered on first use.
    ///
    /// # Errors
    /// The name is not legal or longer than there is room for, there are no slots left, or the
    /// producer is closed.
    pub fn topic(&self, name: &str) -> Result<TopicId, SendError> {
        self.shared.with(|inner, _| inner.core.topic(name))
    }

    /// Accepts a record, once there is room for it and, where its key chooses the partition, the
    /// number of partitions is known. Those who wait for room get it in order.
    ///
    /// *Cancel-safe:* dropped before it is ready, it has not accepted the record and never will. So
    /// `with_timeout(limit, producer.send(..))` bounds the wait.
    ///
    /// # Errors
    /// The record was not accepted, and waiting would not help.
    pub async fn send(&self, to: Destination, record: &Record<'_>) -> Result<RecordId, SendError> {
        self.wait(|inner, slot, now, cx| inner.poll_send(slot, to, record, now, cx)).await
    }

    /// Accepts a record at once, or not at all.
    ///
    /// # Errors
    /// The record was not accepted: also with [`SendError::Full`] while others wait for room, and
    /// [`SendError::TopicPending`].
    pub fn try_send(&self, to: Destination, record: &Record<'_>) -> Result<RecordId, SendError> {
        self.shared.with(|inner, now| inner.try_send(None, to, record, now))
    }

    /// Accepts a record as [`send`](Self::send) does, and waits for its outcome. It takes as long as
    /// `linger_ms` and the broker; who wants to send many at once uses `send` and
    /// [`flush`](Self::flush), or [`reports`](Self::reports).
    ///
    /// *Cancel-safe:* dropped before the record was accepted, it never will be; dropped later, the
    /// record goes its way, and only its outcome is not told here.
    ///
    /// # Errors
    /// It was not accepted, or not delivered.
    pub async fn send_and_wait(
        &self,
        to: Destination,
        record: &Record<'_>,
    ) -> Result<Delivered, ProduceError> {
        let mut accepted = false;
        self.wait(|inner, slot, now, cx| {
            if !accepted {
                // An outcome needs a slot to be put down in.
                if !inner.waiters.take(slot) {
                    look_again(cx);
                    return Poll::Pending;
                }
                let Poll::Ready(result) = inner.poll_send(slot, to, record, now, cx) else {
                    return Poll::Pending;
                };
                match result {
                    Ok(record) => inner.waiters.accepted(*slot, record),
                    Err(error) => return Poll::Ready(Err(ProduceError::Refused(error))),
                }
                accepted = true;
            }
            match inner.waiters.outcome(*slot) {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    inner.waiters.wait(slot, Why::Event, cx);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Ends the lingering of all that was accepted so far, and waits until each record of it has an
    /// outcome, whatever that is.
    ///
    /// *Cancel-safe:* the lingering stays ended.
    pub async fn flush(&self) {
        let ticket = self.shared.with(|inner, now| inner.core.flush(now));
        self.wait(|inner, slot, _, cx| {
            if inner.core.is_flushed(ticket) {
                return Poll::Ready(());
            }
            inner.waiters.wait(slot, Why::Event, cx);
            Poll::Pending
        })
        .await;
    }

    /// How many partitions a topic has, once a broker has said so.
    ///
    /// *Cancel-safe.*
    ///
    /// # Errors
    /// The producer is closed; or a broker says that the topic may not be used
    /// ([`SendError::Topic`]).
    pub async fn partitions(&self, topic: TopicId) -> Result<i32, SendError> {
        self.wait(|inner, slot, _, cx| {
            if inner.closed {
                return Poll::Ready(Err(SendError::Closed));
            }
            if let Some(count) = inner.core.partition_count(topic) {
                return Poll::Ready(Ok(count));
            }
            let error = inner.core.topic_error(topic).map(SendError::Topic);
            if let Some(error) = error.filter(|error| !is_pending(*error)) {
                return Poll::Ready(Err(error));
            }
            inner.waiters.wait(slot, Why::Topic, cx);
            Poll::Pending
        })
        .await
    }

    /// The outcomes of all records, one report a batch or part of one, from now on.
    ///
    /// As long as it lives reports are kept until they are read, in the memory of their records: who
    /// does not read on stops all senders in the end, and `send_and_wait` too. Of several of these
    /// each report goes to one.
    #[must_use]
    pub fn reports(&self) -> Reports<'d, M> {
        Reports::new(self.shared)
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.with(|inner, _| inner.core.stats())
    }

    /// How many calls wait to have a record accepted, or to be told a topic's partitions.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.with(|inner, _| inner.waiters.count())
    }

    /// When the runner has something to do although nothing happens, to the tick; `None`: never.
    ///
    /// A device may sleep until then with its network off if no answer is awaited (`stats().buffered`
    /// is 0, or all of it lingers). What it slept may be longer: a jump in time fails no record that
    /// had no chance to be sent.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.shared.with(|inner, _| inner.deadline())
    }

    /// Why a connection was lost or not made, unless one has become ready since.
    #[must_use]
    pub fn last_error(&self) -> Option<Lost> {
        self.shared.with(|inner, _| {
            let connects = inner.connects();
            inner.lost.filter(|(_, before)| *before == connects).map(|(lost, _)| lost)
        })
    }

    /// Says what time it is. Records without a timestamp of their own are stamped by this clock;
    /// those accepted before the first call wait for it
    /// ([`Config::clock_wait_ms`](klamm::Config)), and get the time at which they were accepted.
    pub fn set_clock(&self, wall: Timestamp) {
        self.shared.with(|inner, now| inner.core.set_clock(wall, now));
    }

    /// Accepts nothing more, and ends all lingering; [`flush`](Self::flush) waits for the end.
    pub fn close(&self) {
        self.shared.with(|inner, now| {
            inner.closed = true;
            inner.core.close(now);
            inner.waiters.wake();
        });
    }

    /// Gives up what is in the scope and has no outcome.
    pub fn purge(&self, scope: Scope) {
        self.shared.with(|inner, now| inner.core.purge(scope, now));
    }

    /// Does something with the core that has no method here: `pause`, `explain`, `snapshot`, ... The
    /// closure must not use this handle or another copy of it, which would panic.
    pub fn with<R>(&self, act: impl FnOnce(&mut klamm::Producer<'d>, klamm::Instant) -> R) -> R {
        self.shared.with(|inner, now| act(&mut inner.core, now))
    }

    /// Polls `act` under the lock until it is ready; its slot is given back in any case.
    async fn wait<T>(
        &self,
        mut act: impl FnMut(
            &mut Inner<'d>,
            &mut Option<usize>,
            klamm::Instant,
            &mut Context<'_>,
        ) -> Poll<T>,
    ) -> T {
        let mut place = Place { shared: self.shared, slot: None };
        poll_fn(|cx| place.shared.with(|inner, now| act(inner, &mut place.slot, now, cx))).await
    }
}

impl<M: RawMutex> Clone for Producer<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: RawMutex> Copy for Producer<'_, M> {}

impl<M: RawMutex> fmt::Debug for Producer<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

/// A slot among those who wait, given back when the call is over or dropped.
struct Place<'d, M: RawMutex> {
    shared: &'d Shared<'d, M>,
    slot: Option<usize>,
}

impl<M: RawMutex> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if self.slot.is_some() {
            self.shared.with(|inner, _| inner.waiters.leave(&mut self.slot));
        }
    }
}
