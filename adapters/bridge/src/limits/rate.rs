//! A rate that may be exceeded for a moment and is paid back by waiting: nothing is dropped, the
//! bridge stops reading.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// So much may come at once before anybody waits.
const BURST: Duration = Duration::from_secs(1);

/// A token bucket, kept as the time at which it is full again.
#[derive(Debug)]
pub(crate) struct Rate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    per_second: u64,
    /// When all that was taken is paid back.
    even: Instant,
}

impl Rate {
    /// 0: no limit.
    pub(crate) fn new(per_second: u64) -> Self {
        Self { state: Mutex::new(State { per_second, even: Instant::now() }) }
    }

    pub(crate) fn set(&self, per_second: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).per_second = per_second;
    }

    /// Takes `amount`. The answer is how long to wait before the next.
    pub(crate) fn take(&self, amount: usize) -> Duration {
        self.try_take(amount, Duration::MAX).unwrap_or_else(|wait| wait)
    }

    /// The same, but takes nothing if one would have to wait for longer than `patience`.
    pub(crate) fn try_take(&self, amount: usize, patience: Duration) -> Result<Duration, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.per_second == 0 {
            return Ok(Duration::ZERO);
        }
        let now = Instant::now();
        let micros = (amount as u64).saturating_mul(1_000_000) / state.per_second;
        // Half a day of debt is as good as any more.
        let debt = Duration::from_micros(micros).min(Duration::from_secs(43_200));
        let from = state.even.max(now);
        let even = from.checked_add(debt).unwrap_or(from);
        let wait = even.saturating_duration_since(now).saturating_sub(BURST);
        if wait > patience {
            return Err(wait);
        }
        state.even = even;
        Ok(wait)
    }

    /// Is everything paid back?
    pub(crate) fn is_even(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).even <= Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_is_waited_for() {
        let rate = Rate::new(1_000);
        assert_eq!(rate.take(1_000), Duration::ZERO);
        assert_eq!(rate.take(500), Duration::from_millis(500));
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert!(rate.is_even());
        // What was not used does not add up.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(rate.take(1_000), Duration::ZERO);
        assert_eq!(rate.take(1), Duration::from_millis(1));
        assert!(!rate.is_even());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_no_limit() {
        let rate = Rate::new(0);
        assert_eq!(rate.take(usize::MAX), Duration::ZERO);
        rate.set(1);
        assert!(rate.take(usize::MAX) > Duration::from_secs(3_600));
    }
}
