//! A flag that threads and tasks can wait for; once set it stays set.

use core::task::{Poll, Waker};
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A flag to wait for.
#[derive(Default)]
pub struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    set: bool,
    wakers: Vec<Waker>,
}

impl Signal {
    pub(crate) fn set(&self) {
        let mut state = self.lock();
        state.set = true;
        let wakers = core::mem::take(&mut state.wakers);
        drop(state);
        self.changed.notify_all();
        // Wakers run foreign code: not under the lock.
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.lock().set
    }

    /// Waits until the flag is set, or for `limit`; `None` waits for ever. Is it set?
    pub fn wait(&self, limit: Option<Duration>) -> bool {
        // A limit beyond what the clock can express is for ever.
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        while !state.set {
            let Some(end) = end else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Is the flag set? While it is not, `waker` is called when it is.
    pub fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.lock();
        if state.set {
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
