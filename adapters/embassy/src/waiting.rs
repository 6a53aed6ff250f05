//! Who waits: a few slots in the caller's memory, each with a waker. What changes wakes all of
//! them, and each looks for itself; that is little code, and few tasks wait at once.

use core::task::{Context, Waker};

use embassy_time::{Duration, Instant};
use klamm::{Outcome, PartitionId, Reason, RecordId, Report, Timestamp};

use crate::error::ProduceError;
use crate::producer::Delivered;

/// A slot for a call that waits.
pub(crate) struct Waiter {
    waker: Option<Waker>,
    what: What,
}

/// What it waits for. Without `repr` a free slot is not all zeros (the tag lies in a payload's),
/// and one such slot takes all of `Resources` from `.bss` to `.data`, and into flash.
#[derive(Clone, Copy)]
#[repr(u8)]
enum What {
    /// Nobody waits here.
    Free,
    /// Something that needs no order.
    Event,
    /// The partitions of a topic.
    Topic,
    /// Room in the buffer, in the order of these numbers.
    Room(u32),
    /// The record's outcome.
    Outcome(RecordId),
    /// Nothing any more: there it is. -1 is none.
    Delivered {
        partition: PartitionId,
        offset: i64,
        append_time: i64,
    },
    NotPersisted(Reason),
    Unknown(Reason),
    Dropped,
}

/// Why a call has to wait.
#[derive(Clone, Copy)]
pub(crate) enum Why {
    /// For something that needs no order, or what it waited for already.
    Event,
    /// For the partitions of a topic.
    Topic,
    /// For room, behind those who wait for it already.
    Room,
}

impl Waiter {
    pub(crate) const FREE: Self = Self { waker: None, what: What::Free };
}

/// How often a call looks that has no slot to be woken in.
const LOOK: Duration = Duration::from_millis(10);

/// Wakes the task after a while: nobody else can.
pub(crate) fn look_again(cx: &Context<'_>) {
    embassy_time_driver::schedule_wake((Instant::now() + LOOK).as_ticks(), cx.waker());
}

/// All slots, and who is next.
pub(crate) struct Waiters<'d> {
    slots: &'d mut [Waiter],
    next: u32,
}

impl<'d> Waiters<'d> {
    pub(crate) fn new(slots: &'d mut [Waiter]) -> Self {
        slots.fill_with(|| Waiter::FREE);
        Self { slots, next: 0 }
    }

    /// Waits on in this slot, or in a free one. Where there is none the task looks again after a
    /// while.
    pub(crate) fn wait(&mut self, slot: &mut Option<usize>, why: Why, cx: &Context<'_>) {
        let next = self.next;
        let taken = self.take(slot);
        let Some(waiter) = slot.and_then(|at| self.slots.get_mut(at)).filter(|_| taken) else {
            look_again(cx);
            return;
        };
        waiter.waker = Some(cx.waker().clone());
        match (why, waiter.what) {
            (Why::Event, _) | (Why::Room, What::Room(_)) => {}
            (Why::Room, _) => {
                waiter.what = What::Room(next);
                self.next = next.wrapping_add(1);
            }
            (Why::Topic, _) => self.turn_into(*slot, What::Topic),
        }
    }

    /// Takes a slot, if it has none. Has it one now?
    pub(crate) fn take(&mut self, slot: &mut Option<usize>) -> bool {
        if slot.is_none() {
            *slot = self.slots.iter().position(|waiter| matches!(waiter.what, What::Free));
            if let Some(waiter) = slot.and_then(|at| self.slots.get_mut(at)) {
                waiter.what = What::Event;
            }
        }
        slot.is_some()
    }

    /// Waits for this record's outcome from now on.
    pub(crate) fn accepted(&mut self, slot: Option<usize>, record: RecordId) {
        self.turn_into(slot, What::Outcome(record));
    }

    /// The outcome, if it is there.
    pub(crate) fn outcome(&self, slot: Option<usize>) -> Option<Result<Delivered, ProduceError>> {
        let known = |number: i64| (number >= 0).then_some(number);
        Some(match self.slots.get(slot?)?.what {
            What::Delivered { partition, offset, append_time } => Ok(Delivered {
                partition,
                offset: known(offset),
                log_append_time: known(append_time).map(Timestamp::from_millis),
            }),
            What::NotPersisted(reason) => Err(ProduceError::NotPersisted(reason)),
            What::Unknown(reason) => Err(ProduceError::Unknown(reason)),
            What::Dropped => Err(ProduceError::Dropped),
            What::Free | What::Event | What::Topic | What::Room(_) | What::Outcome(_) => {
                return None;
            }
        })
    }

    /// May whoever has this slot, or none, take room? Not while somebody waits for it longer.
    pub(crate) fn may_take_room(&self, slot: Option<usize>) -> bool {
        let mine = slot.and_then(|at| self.slots.get(at)).map(|waiter| waiter.what);
        self.slots.iter().all(|waiter| match (waiter.what, mine) {
            (What::Room(theirs), Some(What::Room(mine))) => {
                theirs.wrapping_sub(mine).cast_signed() >= 0
            }
            (What::Room(_), _) => false,
            _ => true,
        })
    }

    /// Gives the slot back.
    pub(crate) fn leave(&mut self, slot: &mut Option<usize>) {
        if let Some(waiter) = slot.and_then(|at| self.slots.get_mut(at)) {
            waiter.waker = None;
        }
        self.turn_into(slot.take(), What::Free);
    }

    fn turn_into(&mut self, slot: Option<usize>, what: What) {
        let Some(waiter) = slot.and_then(|at| self.slots.get_mut(at)) else { return };
        if let What::Room(_) = core::mem::replace(&mut waiter.what, what) {
            // Whoever was behind may be the first now.
            self.wake();
        }
    }

    /// Tells those who wait for the records of a report.
    pub(crate) fn tell(&mut self, report: &Report) {
        for waiter in self.slots.iter_mut() {
            let What::Outcome(record) = waiter.what else { continue };
            let place = record.index.checked_sub(report.first);
            if record.batch == report.batch && place.is_some_and(|place| place < report.records) {
                waiter.what = match report.outcome {
                    Outcome::Delivered { log_append_time, .. } => What::Delivered {
                        partition: report.partition,
                        offset: report.offset(record.index).unwrap_or(-1),
                        append_time: log_append_time.map_or(-1, Timestamp::as_millis),
                    },
                    Outcome::NotPersisted(reason) => What::NotPersisted(reason),
                    Outcome::Unknown(reason) => What::Unknown(reason),
                    _ => What::Dropped,
                };
            }
        }
    }

    /// Wakes everybody.
    pub(crate) fn wake(&mut self) {
        for waiter in self.slots.iter_mut() {
            if let Some(waker) = waiter.waker.take() {
                waker.wake();
            }
        }
    }

    /// How many wait for room, or to be told the partitions of a topic.
    pub(crate) fn count(&self) -> usize {
        let waits = |waiter: &&Waiter| matches!(waiter.what, What::Topic | What::Room(_));
        self.slots.iter().filter(waits).count()
    }
}
