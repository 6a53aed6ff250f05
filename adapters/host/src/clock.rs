//! The two clocks: the core reads neither itself.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use klamm::Timestamp;

/// Turns the system's monotonic clock into the core's, which starts when the producer does.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> klamm::Instant {
        let micros = self.start.elapsed().as_micros();
        klamm::Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// The time from `now` until `then`; zero when that is past.
pub(crate) fn until(then: klamm::Instant, now: klamm::Instant) -> Duration {
    Duration::from_micros(then.micros_since(now))
}

/// The wall clock; a clock set before 1970 counts as 1970.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
