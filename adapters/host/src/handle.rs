//! A producer over its generations: a core and a driver, replaced when the process was forked, or
//! when the driver died.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use klamm::{ConfigError, Record, RecordId, Scope, Stats};

use crate::batch::Batch;
use crate::builder::Options;
use crate::callbacks::Told;
use crate::clock::Clock;
use crate::connection_error::ConnectionError;
use crate::engine::Engine;
use crate::error::{BuildError, DriverFailure, SendError};
use crate::instrument::Statistics;
use crate::operation::{Asking, Batching, Posting, RENEWALS, Registering, Sending, Want};
use crate::owned::Closed;
use crate::process::ProcessLock;
use crate::shared::{Common, Shared, Target};
use crate::signal::Signal;

/// What is the adapter's own: how a driver is started.
pub trait Driver {
    /// Starts one: makes what wakes it, then the engine, and lets that run.
    ///
    /// # Errors
    /// The system refuses what a driver needs.
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>>;
}

/// A generation that needs a way to wake its driver.
pub struct Unborn {
    core: klamm::Producer<'static>,
    common: Arc<Common>,
    clock: Clock,
}

impl Unborn {
    /// The engine for a driver that `waker` wakes.
    #[must_use]
    pub fn engine(self, waker: Waker) -> Engine {
        Engine::new(Arc::new(Shared::new(self.core, self.common, waker, self.clock)))
    }

    /// The most connections that it will have.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.connections().count()
    }
}

impl fmt::Debug for Unborn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unborn").finish_non_exhaustive()
    }
}

/// What an adapter's producer is a handle of.
pub struct Handle<D> {
    driver: D,
    common: Arc<Common>,
    current: ArcSwap<Shared>,
    /// Only one replaces the generation.
    renewing: ProcessLock,
    closed: AtomicBool,
}

impl<D: Driver> Handle<D> {
    /// Allocates the memory and starts a driver.
    ///
    /// # Errors
    /// An option is out of range, options conflict, or the system refuses what a driver needs.
    pub fn new(options: Options, driver: D) -> Result<Self, BuildError> {
        let common = Arc::new(Common {
            options,
            names: ArcSwap::default(),
            failure: ArcSwapOption::empty(),
            paused: AtomicBool::new(false),
        });
        let shared = driver.start(unborn(&common)?)?;
        Ok(Self {
            driver,
            common,
            current: ArcSwap::new(shared),
            renewing: ProcessLock::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// Registers a topic.
    pub fn topic<'h>(&'h self, name: &'h str) -> Registering<'h, D> {
        Registering::new(self, name)
    }

    /// Accepts a record; gives a `Delivery`.
    pub fn send<'h>(
        &'h self,
        target: Target<'h>,
        partition: Option<i32>,
        record: &Record<'h>,
    ) -> Sending<'h, D> {
        Sending::new(self, target, partition, record, Want::Delivery)
    }

    /// Accepts a record; nobody waits for its outcome.
    pub fn post<'h>(
        &'h self,
        target: Target<'h>,
        partition: Option<i32>,
        record: &Record<'h>,
    ) -> Sending<'h, D> {
        Sending::new(self, target, partition, record, Want::Nothing)
    }

    /// Accepts a record, and calls back with its outcome, on the driver.
    pub fn send_then<'h, F>(
        &'h self,
        target: Target<'h>,
        partition: Option<i32>,
        record: &Record<'h>,
        callback: F,
    ) -> Sending<'h, D, F>
    where
        F: FnOnce(Told) + Send + 'static,
    {
        Sending::new(self, target, partition, record, Want::Callback(Some(callback)))
    }

    /// Accepts many records for the price of few locks; `accepted` hears of each, under the lock.
    pub fn post_all<'h, I, F>(
        &'h self,
        target: Target<'h>,
        partition: Option<i32>,
        records: I,
        accepted: F,
    ) -> Posting<'h, D, I::IntoIter, F>
    where
        I: IntoIterator<Item = Record<'h>>,
        F: FnMut(RecordId),
    {
        Posting::new(self, target, partition, records.into_iter(), accepted)
    }

    /// An empty batch of up to `batch.size` bytes.
    #[must_use]
    pub fn create_batch(&self) -> Batch {
        let size = usize::try_from(self.options().config.batch_size).unwrap_or(usize::MAX);
        Batch::new(vec![0; size].into_boxed_slice())
    }

    /// Accepts the records of a batch.
    pub fn send_batch<'h>(
        &'h self,
        target: Target<'h>,
        partition: Option<i32>,
        batch: &'h Batch,
    ) -> Batching<'h, D> {
        Batching::new(self, target, partition, batch)
    }

    /// Holds back what was never sent, or no longer.
    pub fn pause(&self, paused: bool) {
        self.common.paused.store(paused, Ordering::Relaxed);
        self.command(|core, now| core.pause(paused, now));
    }

    /// Gives up what is in the scope and has no outcome.
    pub fn purge(&self, scope: Scope) {
        self.command(|core, now| core.purge(scope, now));
    }

    /// Where there is no core to be told, there is nothing to be done either.
    fn command(&self, tell: impl FnOnce(&mut klamm::Producer<'static>, klamm::Instant)) {
        let Ok((shared, now)) = self.current_at() else { return };
        let mut inner = shared.lock();
        if !inner.dead {
            tell(&mut inner.core, now);
        }
        shared.release(inner);
    }

    /// Asks how many partitions a topic has.
    pub fn partitions<'h>(&'h self, target: Target<'h>) -> Asking<'h, D> {
        Asking::new(self, target)
    }

    /// Lets everything accepted so far go out; `None` if the driver cannot be started.
    pub fn flush(&self) -> Option<Flushing> {
        for _ in 0..=RENEWALS {
            let shared = self.current().ok()?;
            let mut inner = shared.lock();
            if inner.dead {
                drop(inner);
                self.renew(&shared).ok()?;
                continue;
            }
            let signal = Arc::new(Signal::default());
            let ticket = inner.core.flush(shared.clock.now());
            inner.flushes.push((ticket, Arc::clone(&signal)));
            shared.release_and_wake(inner);
            // Whoever ends a driver sets this first, then looks for flushes.
            if shared.ended.is_set() {
                signal.set();
            }
            return Some(Flushing { signal, shared: Guard::into_inner(shared) });
        }
        None
    }

    /// Accepts nothing more, and gives up what is left after `limit`; `None` leaves that to
    /// `delivery.timeout.ms`.
    pub fn close(&self, limit: Option<Duration>) -> Closing {
        // No generation may begin after this.
        let held = self.renewing.hold();
        self.closed.store(true, Ordering::Release);
        let shared = self.current.load_full();
        if !shared.process.is_this() {
            // What is in there is the parent's, and nothing was ever sent from here.
            return Closing(None);
        }
        let now = shared.clock.now();
        let mut inner = shared.lock();
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
        drop(held);
        shared.release_and_wake(inner);
        Closing(Some(shared))
    }

    /// The counters of the present generation: they begin at 0 after a fork, and when a driver that
    /// died was replaced.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.current().map(|shared| shared.stats()).unwrap_or_default()
    }

    /// The figures of the present generation.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        let shared = self.current().ok()?;
        let inner = shared.lock();
        if inner.dead {
            return None;
        }
        Some(Statistics::of(&inner, shared.clock.now()))
    }

    /// How many operations wait for memory or for a topic.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.current().map(|shared| shared.lock().gates.len()).unwrap_or_default()
    }

    /// What went wrong with a connection since one last became ready.
    #[must_use]
    pub fn last_connection_error(&self) -> Option<ConnectionError> {
        let shared = self.current().ok()?;
        shared.lock().last_error.clone()
    }

    /// Why the driver failed that failed last.
    #[must_use]
    pub fn last_driver_failure(&self) -> Option<DriverFailure> {
        self.common.failure.load().as_deref().cloned()
    }

    pub(crate) fn options(&self) -> &Options {
        &self.common.options
    }

    /// The present generation, which is this process's.
    pub(crate) fn current(&self) -> Result<Guard<Arc<Shared>>, SendError> {
        self.current_at().map(|(shared, _)| shared)
    }

    /// The same, and its time: looking at the clock is much of what a send costs.
    pub(crate) fn current_at(&self) -> Result<(Guard<Arc<Shared>>, klamm::Instant), SendError> {
        let shared = self.current.load();
        let now = shared.clock.now();
        if shared.process.is_this_at(now) {
            return Ok((shared, now));
        }
        let shared = self.renew(&shared)?;
        let now = shared.clock.now();
        Ok((shared, now))
    }

    /// A new generation in place of `old`, if nobody else was faster.
    pub(crate) fn renew(&self, old: &Arc<Shared>) -> Result<Guard<Arc<Shared>>, SendError> {
        let _held = self.renewing.hold();
        let current = self.current.load();
        if !Arc::ptr_eq(&current, old) {
            return Ok(current);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(SendError::Refused(klamm::SendError::Closed));
        }
        if old.process.is_this() {
            // A panic under the lock leaves a driver that does not know of it yet.
            old.release_and_wake(old.lock());
        }
        let unborn = unborn(&self.common).map_err(|_| SendError::DriverFailed)?;
        let shared = self.driver.start(unborn).map_err(|_| SendError::DriverFailed)?;
        self.current.store(shared);
        Ok(self.current.load())
    }
}

impl<D> fmt::Debug for Handle<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("options", &self.common.options).finish_non_exhaustive()
    }
}

/// A core of these options that knows the topics already, by the same ids.
fn unborn(common: &Arc<Common>) -> Result<Unborn, ConfigError> {
    let clock = Clock::start();
    let mut core = common.options.core(clock.now())?;
    for name in common.names.load().iter() {
        // They were legal, and there was room for them, with the same options.
        let _ = core.topic(name);
    }
    core.pause(common.paused.load(Ordering::Relaxed), clock.now());
    Ok(Unborn { core, common: Arc::clone(common), clock })
}

/// A flush under way.
pub struct Flushing {
    signal: Arc<Signal>,
    shared: Arc<Shared>,
}

impl Flushing {
    /// What is set when it is over.
    #[must_use]
    pub fn signal(&self) -> &Signal {
        &self.signal
    }

    /// Would waiting here be waiting for oneself?
    #[must_use]
    pub fn is_on_driver(&self) -> bool {
        self.shared.is_driver()
    }

    /// Once the signal is set: has everything its outcome in the ordinary way?
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.shared.lock().dead
    }
}

impl fmt::Debug for Flushing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushing").finish_non_exhaustive()
    }
}

/// A close under way.
pub struct Closing(Option<Arc<Shared>>);

impl Closing {
    /// What is set when it is over; `None` if nothing is to be waited for.
    #[must_use]
    pub fn signal(&self) -> Option<&Signal> {
        self.0.as_ref().filter(|shared| !shared.is_driver()).map(|shared| &shared.ended)
    }

    /// Once the signal is set: what was not delivered.
    #[must_use]
    pub fn take(&self) -> Closed {
        self.0.as_ref().map(|shared| shared.take_undelivered()).unwrap_or_default()
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}
