//! What became of the records, in memory that a reset leaves alone.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Says that the memory was a ledger before the reset; after power was off there is anything in it.
const MARKS: [u32; 2] = [0x6B6C_616D, 0x6D3A_3031];

/// Counters of records over all resets. To survive one it has to be a `static` in a section that
/// nothing initializes (`.uninit` of cortex-m-rt), and [`Ledger::open_after_reset`] has to be
/// called first.
///
/// A counter is one word, so a reset finds it before a change or after it. A record is counted as
/// accepted before it is, and as delivered after that was read: what is between the two is never
/// less than it should be.
#[derive(Debug, Default)]
pub struct Ledger {
    first_mark: AtomicU32,
    boots: AtomicU32,
    accepted: AtomicU32,
    delivered: AtomicU32,
    failed: AtomicU32,
    written_off: AtomicU32,
    last_mark: AtomicU32,
}

impl Ledger {
    /// Nothing was accepted yet.
    pub const fn new() -> Self {
        Self {
            first_mark: AtomicU32::new(0),
            boots: AtomicU32::new(0),
            accepted: AtomicU32::new(0),
            delivered: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            written_off: AtomicU32::new(0),
            last_mark: AtomicU32::new(0),
        }
    }

    /// To be called once after a start: how many records had been accepted before it and had no
    /// outcome. They may be in the log, or not: nobody will ever know, so they are written off.
    pub fn open_after_reset(&self) -> u32 {
        let marks = [self.first_mark.load(Relaxed), self.last_mark.load(Relaxed)];
        if marks != MARKS {
            for counter in
                [&self.boots, &self.accepted, &self.delivered, &self.failed, &self.written_off]
            {
                counter.store(0, Relaxed);
            }
            self.first_mark.store(MARKS[0], Relaxed);
            self.last_mark.store(MARKS[1], Relaxed);
        }
        let open = self.open();
        add(&self.written_off, open);
        add(&self.boots, 1);
        open
    }

    /// How often the device has started, this time among them.
    pub fn boots(&self) -> u32 {
        self.boots.load(Relaxed)
    }

    /// Records that were accepted, or may have been.
    pub fn accepted(&self) -> u32 {
        self.accepted.load(Relaxed)
    }

    /// Records that were not delivered, as their reports said.
    pub fn failed(&self) -> u32 {
        self.failed.load(Relaxed)
    }

    /// Records without an outcome yet.
    pub fn open(&self) -> u32 {
        [&self.delivered, &self.failed, &self.written_off]
            .into_iter()
            .fold(self.accepted(), |open, counter| open.wrapping_sub(counter.load(Relaxed)))
    }

    pub(crate) fn accept(&self) {
        add(&self.accepted, 1);
    }

    /// It was refused after all.
    pub(crate) fn take_back(&self) {
        self.accepted.store(self.accepted().wrapping_sub(1), Relaxed);
    }

    pub(crate) fn deliver(&self, records: u32) {
        add(&self.delivered, records);
    }

    pub(crate) fn fail(&self, records: u32) {
        add(&self.failed, records);
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "boots={} accepted={} delivered={} failed={} written_off={}",
            self.boots(),
            self.accepted(),
            self.delivered.load(Relaxed),
            self.failed(),
            self.written_off.load(Relaxed),
        )
    }
}

/// Only tasks of one executor count, so that it need not be one operation; some processors have
/// none such.
fn add(counter: &AtomicU32, count: u32) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}
