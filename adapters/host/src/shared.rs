//! One generation of a producer: a core behind one `Mutex`, shared by a driver and the senders.
//!
//! One lock is enough, as was measured before this was built: a record costs some 20 ns under it, a
//! request some microseconds, and no system call happens under it.

use core::sync::atomic::AtomicBool;
use core::task::Waker;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread::{self, ThreadId};

use arc_swap::{ArcSwap, ArcSwapOption};
use klamm::{Compression, Destination, FlushTicket, Record, RecordId, Stats, TopicId};

use crate::batch::Batch;
use crate::builder::Options;
use crate::clock::Clock;
use crate::completion::Completions;
use crate::connection_error::ConnectionError;
use crate::error::DriverFailure;
use crate::gate::{Gate, Gates};
use crate::instrument::Meters;
use crate::owned::{Closed, Undelivered};
use crate::process::Process;
use crate::signal::Signal;

/// The part of the record memory that has to be free before a sender that found it full is woken.
const ROOM_PART: u32 = 32;

/// What outlives a generation. Nothing in it can be left locked by a fork.
pub(crate) struct Common {
    pub(crate) options: Options,
    /// The topics, in the order of registration: a new core gets them first, so their ids stay.
    pub(crate) names: ArcSwap<Vec<Arc<str>>>,
    pub(crate) failure: ArcSwapOption<DriverFailure>,
    /// So is the next generation.
    pub(crate) paused: AtomicBool,
}

/// What the driver and the senders share.
pub struct Shared {
    inner: Mutex<Inner>,
    pub(crate) common: Arc<Common>,
    /// Wakes the driver.
    waker: Waker,
    pub(crate) clock: Clock,
    pub(crate) process: Process,
    /// The driver's thread, if it is one that callers must not wait on.
    pub(crate) driver: OnceLock<ThreadId>,
    /// Set when the driver has ended: everything has an outcome, and its callbacks have returned.
    pub(crate) ended: Signal,
}

pub(crate) struct Inner {
    pub(crate) core: klamm::Producer<'static>,
    common: Arc<Common>,
    pub(crate) completions: Completions,
    pub(crate) gates: Gates,
    /// Free record memory that is worth waking a sender for, and when it is woken without it.
    pub(crate) room_wanted: u32,
    pub(crate) room_due: Option<klamm::Instant>,
    pub(crate) flushes: Vec<(FlushTicket, Arc<Signal>)>,
    /// The driver sleeps, and has to be woken: until then, if nobody does.
    pub(crate) asleep: Option<klamm::Instant>,
    /// The driver has failed, or a panic in the core: then nothing in it can be trusted.
    pub(crate) dead: bool,
    pub(crate) closing: bool,
    /// When the driver gives up what is left.
    pub(crate) purge_at: Option<klamm::Instant>,
    pub(crate) undelivered: Vec<Undelivered>,
    pub(crate) last_error: Option<ConnectionError>,
    pub(crate) meters: Meters,
}

/// Where a record goes, as the caller says it.
#[derive(Clone, Copy, Debug)]
pub enum Target<'t> {
    /// The topic of this name.
    Name(&'t str),
    /// A topic that is known, and the codec that its handle asks for.
    Topic(TopicId, &'t str, Option<Compression>),
}

impl<'t> Target<'t> {
    pub(crate) fn name(&self) -> &'t str {
        match self {
            Self::Name(name) | Self::Topic(_, name, _) => name,
        }
    }
}

/// Why a record was not accepted, and whose topic's gate may open.
pub(crate) struct Refusal {
    pub(crate) error: klamm::SendError,
    topic: Option<TopicId>,
}

impl Refusal {
    pub(crate) fn gate(&self) -> Option<Gate> {
        Gate::of(self.error, self.topic?)
    }
}

impl Shared {
    pub(crate) fn new(
        core: klamm::Producer<'static>,
        common: Arc<Common>,
        waker: Waker,
        clock: Clock,
    ) -> Self {
        let meters = Meters::new(common.options.instruments.interval, clock.now());
        let inner = Inner {
            room_wanted: core.free_bytes() / ROOM_PART,
            room_due: None,
            core,
            common: Arc::clone(&common),
            completions: Completions::default(),
            gates: Gates::default(),
            flushes: Vec::new(),
            asleep: None,
            dead: false,
            closing: false,
            purge_at: None,
            undelivered: Vec::new(),
            last_error: None,
            meters,
        };
        Self {
            inner: Mutex::new(inner),
            common,
            waker,
            clock,
            process: Process::this(),
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

    /// A panic under the lock: the core may be half changed.
    pub(crate) fn is_broken(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// Gives the lock back, and wakes who has to look: senders, and the driver if there is
    /// something new for it.
    pub(crate) fn release(&self, mut inner: MutexGuard<'_, Inner>) {
        let due = inner.gates.take_due();
        // Awake, the driver looks itself before it sleeps.
        let asleep = inner.asleep;
        let wake = asleep.is_some_and(|until| inner.dead || inner.core.take_wake_before(until));
        if wake {
            inner.asleep = None;
        }
        drop(inner);
        due.into_iter().for_each(Waker::wake);
        if wake {
            self.waker.wake_by_ref();
        }
    }

    /// Gives the lock back, and wakes the driver in any case.
    pub(crate) fn release_and_wake(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.asleep = None;
        self.release(inner);
        self.waker.wake_by_ref();
    }

    /// Wakes the driver if what follows panics: foreign code is called under the lock (a partitioner),
    /// and then the driver has to end.
    pub(crate) fn tell_of_panic(&self) -> impl Drop + '_ {
        struct Tell<'s>(&'s Shared);
        impl Drop for Tell<'_> {
            fn drop(&mut self) {
                if thread::panicking() {
                    self.0.waker.wake_by_ref();
                }
            }
        }
        Tell(self)
    }

    /// Waiting on the driver's thread would be for ever.
    pub(crate) fn is_driver(&self) -> bool {
        self.driver.get() == Some(&thread::current().id())
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().core.stats()
    }

    /// What `close` hands back: to be asked when the driver has ended.
    pub(crate) fn take_undelivered(&self) -> Closed {
        Closed { undelivered: core::mem::take(&mut self.lock().undelivered) }
    }
}

impl Inner {
    pub(crate) fn common(&self) -> Arc<Common> {
        Arc::clone(&self.common)
    }

    fn topic(&mut self, name: &str) -> Result<TopicId, klamm::SendError> {
        let id = self.core.topic(name)?;
        // Topics are numbered in the order of registration, all of which goes through here.
        let names = &self.common.names;
        if id.index() == names.load().len() {
            let mut more = Vec::clone(&names.load());
            more.push(Arc::from(name));
            names.store(Arc::new(more));
        }
        Ok(id)
    }

    pub(crate) fn register(&mut self, name: &str) -> Result<(TopicId, Arc<str>), Refusal> {
        let id = self.find(Target::Name(name))?;
        Ok((id, self.name(id)))
    }

    pub(crate) fn name(&self, topic: TopicId) -> Arc<str> {
        let names = self.common.names.load();
        names.get(topic.index()).map_or_else(|| Arc::from(""), Arc::clone)
    }

    fn find(&mut self, target: Target<'_>) -> Result<TopicId, Refusal> {
        match target {
            Target::Topic(id, ..) => Ok(id),
            Target::Name(name) => self.topic(name).map_err(|error| Refusal { error, topic: None }),
        }
    }

    /// Where records for the target go, unless others wait before them: who comes meanwhile goes
    /// behind those. `mine` is the gate at which the caller is the first.
    pub(crate) fn queue_up(
        &mut self,
        target: Target<'_>,
        mine: Option<Gate>,
    ) -> Result<Destination, Refusal> {
        let id = self.find(target)?;
        let refused = |error| Err(Refusal { error, topic: Some(id) });
        if mine.is_none() && self.gates.is_crowded(Gate::Topic(id)) {
            return refused(klamm::SendError::TopicPending);
        }
        if mine != Some(Gate::Memory) && self.gates.is_crowded(Gate::Memory) {
            return refused(klamm::SendError::Full);
        }
        let to = Destination::topic(id);
        Ok(match target {
            Target::Topic(.., Some(codec)) => to.with_compression(codec),
            Target::Topic(.., None) | Target::Name(_) => to,
        })
    }

    /// Hands a record to the core, whose turn it is: see `queue_up`.
    #[inline]
    pub(crate) fn accept(
        &mut self,
        mut to: Destination,
        partition: Option<i32>,
        record: &Record<'_>,
        now: klamm::Instant,
    ) -> Result<RecordId, Refusal> {
        to.partition = partition;
        let topic = Some(to.topic);
        self.core.send(to, record, now).map_err(|error| Refusal { error, topic })
    }

    /// The same with a batch.
    pub(crate) fn accept_batch(
        &mut self,
        mut to: Destination,
        partition: Option<i32>,
        batch: &Batch,
        now: klamm::Instant,
    ) -> Result<RecordId, Refusal> {
        to.partition = partition;
        let topic = Some(to.topic);
        let batch =
            self.core.send_batch(to, batch, now).map_err(|error| Refusal { error, topic })?;
        Ok(RecordId { batch, index: 0 })
    }

    pub(crate) fn partitions(&mut self, target: Target<'_>) -> Result<i32, Refusal> {
        let topic = self.find(target)?;
        self.core.partition_count(topic).ok_or_else(|| {
            let error = self.core.topic_error(topic);
            Refusal {
                error: error.map_or(klamm::SendError::TopicPending, klamm::SendError::Topic),
                topic: Some(topic),
            }
        })
    }
}
