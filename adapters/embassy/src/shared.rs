//! What handles and the runner share: the core behind a lock, and who is to be woken.

use core::cell::{RefCell, RefMut};
use core::task::{Context, Poll, Waker};

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::waitqueue::WakerRegistration;
use embassy_time::{Duration, Instant};
use klamm::{Destination, ErrorCode, Record, RecordId, Report, SendError};

use crate::error::Lost;
use crate::waiting::{Waiters, Why};

/// The core, locked for the length of a call and never across an `await`.
pub(crate) struct Shared<'d, M: RawMutex> {
    inner: Mutex<M, RefCell<Inner<'d>>>,
}

pub(crate) struct Inner<'d> {
    pub(crate) core: klamm::Producer<'d>,
    pub(crate) waiters: Waiters<'d>,
    runner: WakerRegistration,
    /// Nothing more is accepted.
    pub(crate) closed: bool,
    /// Those who read reports; without one nobody does, and they are taken as they come.
    pub(crate) readers: u8,
    /// What happened to a connection last, and how many had become ready by then.
    pub(crate) lost: Option<(Lost, u32)>,
}

impl<'d, M: RawMutex> Shared<'d, M> {
    pub(crate) fn new(core: klamm::Producer<'d>, waiters: Waiters<'d>) -> Self {
        Self {
            inner: Mutex::new(RefCell::new(Inner {
                core,
                waiters,
                runner: WakerRegistration::new(),
                closed: false,
                readers: 0,
                lost: None,
            })),
        }
    }

    /// Does something with the core, and wakes whom it concerns.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Inner<'d>, klamm::Instant) -> R) -> R {
        self.inner.lock(|inner| {
            let mut inner = inner.borrow_mut();
            let result = act(&mut inner, now());
            settle(inner);
            result
        })
    }
}

/// What every call ends with, and the end of its borrow: in the flash once.
#[cfg_attr(target_os = "none", inline(never))]
fn settle(mut inner: RefMut<'_, Inner<'_>>) {
    while inner.readers == 0 && inner.take_report().is_some() {}
    if inner.core.take_wake() {
        inner.runner.wake();
        inner.waiters.wake();
    }
}

impl Inner<'_> {
    /// How many connections became ready, as far as it is compared.
    pub(crate) fn connects(&self) -> u32 {
        (self.core.stats().connects & 0xffff_ffff) as u32
    }

    /// The runner is woken when any demand or deadline appears.
    pub(crate) fn register_runner(&mut self, waker: &Waker) {
        self.runner.register(waker);
    }

    /// When the core wants to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.core.next_deadline().map(|(at, _)| instant(at))
    }

    /// Takes a report, and tells those who wait for it.
    pub(crate) fn take_report(&mut self) -> Option<Report> {
        let report = self.core.poll_report()?;
        self.waiters.tell(&report);
        // There is an outcome, and room.
        self.waiters.wake();
        Some(report)
    }

    /// Tries to send; pending, the call waits in `slot`.
    pub(crate) fn poll_send(
        &mut self,
        slot: &mut Option<usize>,
        to: Destination,
        record: &Record<'_>,
        now: klamm::Instant,
        cx: &Context<'_>,
    ) -> Poll<Result<RecordId, SendError>> {
        match self.try_send(*slot, to, record, now) {
            Err(SendError::Full | SendError::QueueFull { .. }) => {
                self.waiters.wait(slot, Why::Room, cx);
                Poll::Pending
            }
            Err(error) if is_pending(error) => {
                self.waiters.wait(slot, Why::Topic, cx);
                Poll::Pending
            }
            result => Poll::Ready(result),
        }
    }

    pub(crate) fn try_send(
        &mut self,
        slot: Option<usize>,
        to: Destination,
        record: &Record<'_>,
        now: klamm::Instant,
    ) -> Result<RecordId, SendError> {
        if !self.waiters.may_take_room(slot) {
            return Err(SendError::Full);
        }
        self.core.send(to, record, now)
    }
}

/// May the topic's partitions be known soon? It may be just being created.
pub(crate) fn is_pending(error: SendError) -> bool {
    matches!(
        error,
        SendError::TopicPending
            | SendError::Topic(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::LEADER_NOT_AVAILABLE
            )
    )
}

/// The core's time: microseconds since embassy's start.
pub(crate) fn now() -> klamm::Instant {
    klamm::Instant::from_micros(Instant::now().as_micros())
}

/// Whatever is later is never: years of microseconds, so that no conversion overflows.
const NEVER: klamm::Instant = klamm::Instant::from_micros(1 << 48);

/// The first tick that is not before a moment of the core's: woken earlier, there is nothing to do.
pub(crate) fn instant(at: klamm::Instant) -> Instant {
    if at >= NEVER {
        return Instant::MAX;
    }
    // Durations round up, instants do not.
    Instant::from_ticks(Duration::from_micros(at.as_micros()).as_ticks())
}
