//! Are we still the process that we were? After a fork, the child has a copy of everything except
//! the driver, and whatever lock another thread held stays locked for ever.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::process;
use std::thread;

/// How long an answer holds, in microseconds. Asking is a system call, so not every record asks. No
/// fork returns in the child so soon after the parent asked.
const HOLDS_MICROS: u64 = 10;

/// The process that something belongs to.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    /// When the question was last answered with yes.
    asked: AtomicU64,
}

impl Process {
    pub(crate) fn this() -> Self {
        Self { id: process::id(), asked: AtomicU64::new(0) }
    }

    /// Is it this one?
    pub(crate) fn is_this(&self) -> bool {
        self.id == process::id()
    }

    /// The same, by an answer that may be some microseconds old.
    pub(crate) fn is_this_at(&self, now: klamm::Instant) -> bool {
        let now = now.as_micros();
        if now.wrapping_sub(self.asked.load(Ordering::Relaxed)) < HOLDS_MICROS {
            return true;
        }
        let yes = self.is_this();
        if yes {
            self.asked.store(now, Ordering::Relaxed);
        }
        yes
    }
}

/// A lock that a fork cannot leave locked: it knows whose it is. For what is rare and short.
#[derive(Debug, Default)]
pub(crate) struct ProcessLock(AtomicU32);

pub(crate) struct Held<'l>(&'l AtomicU32);

impl ProcessLock {
    pub(crate) fn hold(&self) -> Held<'_> {
        let me = process::id();
        loop {
            let holder = self.0.load(Ordering::Relaxed);
            // A holder in another process is a thread that this process has no copy of.
            let is_free = holder != me;
            if is_free
                && self.0.compare_exchange(holder, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return Held(&self.0);
            }
            thread::yield_now();
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_exclusive_within_a_process_and_taken_from_another_one() {
        let lock = ProcessLock(AtomicU32::new(u32::MAX));
        let total = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _held = lock.hold();
                        let before = total.load(Ordering::Relaxed);
                        thread::yield_now();
                        total.store(before + 1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 800);
    }

    #[test]
    fn an_answer_holds_for_some_microseconds() {
        let other = Process { id: process::id().wrapping_add(1), asked: AtomicU64::new(100) };
        assert!(other.is_this_at(klamm::Instant::from_micros(100 + HOLDS_MICROS - 1)));
        assert!(!other.is_this_at(klamm::Instant::from_micros(100 + HOLDS_MICROS)));
        assert!(!other.is_this());
    }
}
