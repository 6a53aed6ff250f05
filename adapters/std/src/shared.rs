//! What the driver and the application's threads share: the core behind one `Mutex`.
//!
//! One lock is enough, as was measured before this was built: a record costs some 20 ns under it, a
//! request some microseconds, and no system call happens under it.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::{self, ThreadId};
use std::time::Instant;

use klamm::{Destination, FlushTicket, Record, RecordId, Stats, TopicId};
use mio::Waker;

use crate::clock::Clock;
use crate::completion::Completions;
use crate::connection_error::ConnectionError;
use crate::delivery::Delivery;
use crate::error::SendError;
use crate::gate::{Gate, Gates};
use crate::owned::{Closed, Undelivered};
use crate::signal::Signal;

/// Records that `post_all` takes under one lock: enough to make the lock cheap, few enough to let
/// the driver in between.
const RECORDS_A_LOCK: usize = 64;

/// What the core said to one attempt.
type Attempt<T> = Result<T, klamm::SendError>;

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) clock: Clock,
    pub(crate) max_block: Duration,
    pub(crate) driver: OnceLock<ThreadId>,
    /// Set when the driver has ended: everything has an outcome, and its callbacks have returned.
    pub(crate) ended: Signal,
}

pub(crate) struct Inner {
    pub(crate) core: klamm::Producer<'static>,
    pub(crate) completions: Completions,
    pub(crate) gates: Gates,
    pub(crate) flushes: Vec<(FlushTicket, Arc<Signal>)>,
    pub(crate) names: Vec<Arc<str>>,
    /// The driver waits in the poller, and has to be woken.
    pub(crate) asleep: bool,
    /// A panic in the core: nothing in it can be trusted any more.
    pub(crate) dead: bool,
    pub(crate) closing: bool,
    /// When the driver gives up what is left.
    pub(crate) purge_at: Option<klamm::Instant>,
    pub(crate) undelivered: Vec<Undelivered>,
    pub(crate) last_error: Option<ConnectionError>,
}

impl Shared {
    pub(crate) fn new(
        core: klamm::Producer<'static>,
        waker: Arc<Waker>,
        clock: Clock,
        max_block: Duration,
    ) -> Self {
        let inner = Inner {
            core,
            completions: Completions::default(),
            gates: Gates::default(),
            flushes: Vec::new(),
            names: Vec::new(),
            asleep: false,
            dead: false,
            closing: false,
            purge_at: None,
            undelivered: Vec::new(),
            last_error: None,
        };
        Self {
            inner: Mutex::new(inner),
            waker,
            clock,
            max_block,
            driver: OnceLock::new(),
            ended: Signal::default(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            let mut inner = poisoned.into_inner();
            inner.dead = true;
            inner
        })
    }

    pub(crate) fn topic(&self, name: &str) -> Result<(TopicId, Arc<str>), SendError> {
        let mut inner = self.lock();
        let id = inner.topic(name)?;
        let name = Arc::clone(&inner.names[id.index()]);
        self.release(inner);
        Ok((id, name))
    }

    pub(crate) fn send(&self, to: Destination, record: &Record<'_>) -> Result<Delivery, SendError> {
        self.send_locked(self.lock(), to, record, Inner::delivery)
    }

    pub(crate) fn post(&self, to: Destination, record: &Record<'_>) -> Result<(), SendError> {
        self.send_locked(self.lock(), to, record, |_, _| ())
    }

    pub(crate) fn send_named(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        let mut inner = self.lock();
        let to = destination(inner.topic(topic)?, partition);
        self.send_locked(inner, to, record, Inner::delivery)
    }

    pub(crate) fn try_send(
        &self,
        to: Destination,
        record: &Record<'_>,
    ) -> Result<Delivery, SendError> {
        let mut inner = self.lock();
        let id = inner.accept(to, record, self.clock.now(), None);
        let delivery = id.map(|id| inner.delivery(id));
        self.release(inner);
        delivery.map_err(SendError::Refused)
    }

    pub(crate) fn post_all<'r>(
        &self,
        to: Destination,
        records: impl IntoIterator<Item = Record<'r>>,
        mut tell: impl FnMut(RecordId),
    ) -> Result<u64, (u64, SendError)> {
        let mut records = records.into_iter();
        let mut group = [const { Record::null() }; RECORDS_A_LOCK];
        let mut accepted = 0;
        loop {
            // The iterator's own work is done before the lock is taken.
            let mut size = 0;
            for (place, record) in group.iter_mut().zip(&mut records) {
                *place = record;
                size += 1;
            }
            if size == 0 {
                return Ok(accepted);
            }
            let now = self.clock.now();
            let mut inner = self.lock();
            for record in &group[..size] {
                let (guard, result) = self.accept(inner, to, record, now, |_, id| tell(id));
                inner = guard;
                if let Err(error) = result {
                    self.release(inner);
                    return Err((accepted, error));
                }
                accepted += 1;
            }
            self.release(inner);
        }
    }

    pub(crate) fn partitions(&self, topic: TopicId) -> Result<i32, SendError> {
        let inner = self.lock();
        let (inner, result) = match inner.partitions(topic) {
            Ok(count) => (inner, Ok(count)),
            Err(refusal) => self.wait(inner, topic, refusal, |inner, _, _| inner.partitions(topic)),
        };
        self.release(inner);
        result
    }

    pub(crate) fn flush(&self, limit: Option<Duration>) -> bool {
        let signal = Arc::new(Signal::default());
        let mut inner = self.lock();
        if inner.dead {
            return false;
        }
        let ticket = inner.core.flush(self.clock.now());
        inner.flushes.push((ticket, Arc::clone(&signal)));
        self.wake(inner);
        if self.ended.wait(Some(Duration::ZERO)) {
            return self.lock().core.is_flushed(ticket);
        }
        if self.is_driver() {
            return false;
        }
        signal.wait(limit) && !self.lock().dead
    }

    /// Asks the driver to end, giving up at `limit`; `None` leaves that to `delivery.timeout.ms`.
    pub(crate) fn close(&self, limit: Option<Duration>) -> Closed {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.closing = true;
        if let Some(limit) = limit {
            let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
            let at = now.plus_micros(micros);
            inner.purge_at = Some(inner.purge_at.map_or(at, |known| known.min(at)));
        }
        if !inner.dead {
            inner.core.close(now);
        }
        inner.gates.wake_all();
        self.wake(inner);
        if !self.is_driver() {
            self.ended.wait(None);
        }
        Closed { undelivered: core::mem::take(&mut self.lock().undelivered) }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().core.stats()
    }

    pub(crate) fn last_error(&self) -> Option<ConnectionError> {
        self.lock().last_error.clone()
    }

    fn send_locked<'s, T>(
        &'s self,
        inner: MutexGuard<'s, Inner>,
        to: Destination,
        record: &Record<'_>,
        then: impl FnMut(&mut Inner, RecordId) -> T,
    ) -> Result<T, SendError> {
        let (inner, result) = self.accept(inner, to, record, self.clock.now(), then);
        self.release(inner);
        result
    }

    /// Accepts a record at once, or waits until it is accepted.
    fn accept<'s, T>(
        &'s self,
        mut inner: MutexGuard<'s, Inner>,
        to: Destination,
        record: &Record<'_>,
        now: klamm::Instant,
        mut then: impl FnMut(&mut Inner, RecordId) -> T,
    ) -> (MutexGuard<'s, Inner>, Result<T, SendError>) {
        match inner.accept(to, record, now, None) {
            Ok(id) => {
                let value = then(&mut inner, id);
                (inner, Ok(value))
            }
            Err(refusal) => self.wait(inner, to.topic, refusal, |inner, now, gate| {
                inner.accept(to, record, now, gate).map(|id| then(inner, id))
            }),
        }
    }

    /// Queues up behind those who were refused before, and tries again whenever it is this thread's
    /// turn, for up to `max.block.ms`.
    fn wait<'s, T>(
        &'s self,
        mut inner: MutexGuard<'s, Inner>,
        topic: TopicId,
        mut refusal: klamm::SendError,
        mut attempt: impl FnMut(&mut Inner, klamm::Instant, Option<Gate>) -> Attempt<T>,
    ) -> (MutexGuard<'s, Inner>, Result<T, SendError>) {
        if inner.dead {
            return (inner, Err(SendError::DriverFailed));
        }
        let start = Instant::now();
        let Some(mut gate) = Gate::of(refusal, topic) else {
            return (inner, Err(SendError::Refused(refusal)));
        };
        if self.is_driver() {
            // In a callback: waiting for itself would be for ever.
            return (inner, Err(SendError::Refused(refusal)));
        }
        let mut ticket = inner.gates.join(gate);
        let result = loop {
            if inner.dead {
                break Err(SendError::DriverFailed);
            }
            if inner.closing {
                break Err(SendError::Refused(klamm::SendError::Closed));
            }
            if inner.gates.is_first(&ticket) {
                match attempt(&mut inner, self.clock.now(), Some(gate)) {
                    Ok(value) => break Ok(value),
                    Err(error) => refusal = error,
                }
                match Gate::of(refusal, topic) {
                    None => break Err(SendError::Refused(refusal)),
                    Some(other) if other != gate => {
                        // First into the other queue, then out of this one: the order is kept.
                        let other_ticket = inner.gates.join(other);
                        inner.gates.leave(&ticket);
                        (gate, ticket) = (other, other_ticket);
                        continue;
                    }
                    Some(_) => {}
                }
            }
            let waited = start.elapsed();
            let left = self.max_block.saturating_sub(waited);
            if left.is_zero() {
                break Err(SendError::TimedOut { waited, last: refusal });
            }
            self.release(inner);
            thread::park_timeout(left);
            inner = self.lock();
        };
        inner.gates.leave(&ticket);
        (inner, result)
    }

    /// Gives the lock back, and wakes the driver if there is something new for it.
    fn release(&self, mut inner: MutexGuard<'_, Inner>) {
        // Awake, the driver looks itself before it sleeps.
        if inner.asleep && (inner.dead || inner.core.take_wake()) {
            self.wake(inner);
        }
    }

    fn wake(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.asleep = false;
        drop(inner);
        // It fails only when the system is out of memory; the next wake tries again.
        let _ = self.waker.wake();
    }

    fn is_driver(&self) -> bool {
        self.driver.get() == Some(&thread::current().id())
    }
}

impl Inner {
    fn topic(&mut self, name: &str) -> Result<TopicId, SendError> {
        if self.dead {
            return Err(SendError::DriverFailed);
        }
        let id = self.core.topic(name).map_err(SendError::Refused)?;
        // Topics are numbered in the order of registration, all of which goes through here.
        if id.index() == self.names.len() {
            self.names.push(Arc::from(name));
        }
        Ok(id)
    }

    /// Hands a record to the core, unless others wait before it. `mine` is the gate at which this
    /// thread is the first.
    fn accept(
        &mut self,
        to: Destination,
        record: &Record<'_>,
        now: klamm::Instant,
        mine: Option<Gate>,
    ) -> Result<RecordId, klamm::SendError> {
        if self.dead {
            // `wait` says it in the words of this crate.
            return Err(klamm::SendError::Closed);
        }
        let topic = Gate::Topic(to.topic);
        if mine.is_none() && self.gates.is_crowded(topic) {
            return Err(klamm::SendError::TopicPending);
        }
        if mine != Some(Gate::Memory) && self.gates.is_crowded(Gate::Memory) {
            return Err(klamm::SendError::Full);
        }
        self.core.send(to, record, now)
    }

    fn delivery(&mut self, id: RecordId) -> Delivery {
        Delivery::new(self.completions.of(id), id.index)
    }

    fn partitions(&self, topic: TopicId) -> Result<i32, klamm::SendError> {
        self.core.partition_count(topic).ok_or_else(|| {
            self.core
                .topic_error(topic)
                .map_or(klamm::SendError::TopicPending, klamm::SendError::Topic)
        })
    }
}

pub(crate) fn destination(topic: TopicId, partition: Option<i32>) -> Destination {
    match partition {
        Some(partition) => Destination::partition(topic, partition),
        None => Destination::topic(topic),
    }
}
