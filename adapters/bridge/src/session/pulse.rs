//! Signs of life, noted where bytes come in and judged where time passes. Only the time counts in
//! which the bridge waited for the page, not that in which it let the page wait.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use tokio::time::Instant;

/// Since when the bridge has waited, and for what.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    /// One more than when it began to wait for the next message, in milliseconds; 0: it does not.
    waiting_ms: AtomicU64,
    /// How long it waited for messages since a request began.
    waited_ms: AtomicU64,
    /// Bytes of a request that has begun; 0: none has.
    come: AtomicU64,
    /// What the meter showed when data came last.
    metered: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let [waiting_ms, waited_ms, come, metered] = [const { AtomicU64::new(0) }; 4];
        Self { start: Instant::now(), waiting_ms, waited_ms, come, metered }
    }

    /// The bridge waits for a message.
    pub(super) fn wait(&self) {
        self.waiting_ms.store(self.now_ms() + 1, Ordering::Relaxed);
    }

    /// A message came.
    pub(super) fn hear(&self) {
        let waited = self.waits_for_ms();
        self.waiting_ms.store(0, Ordering::Relaxed);
        self.waited_ms.fetch_add(waited, Ordering::Relaxed);
    }

    /// It brought data; so many bytes had been read from the socket by then.
    pub(super) fn hear_data(&self, metered: u64) {
        self.metered.store(metered, Ordering::Relaxed);
    }

    /// So many bytes of a request have come; `None`: it is complete.
    pub(super) fn progress(&self, come: Option<usize>) {
        let come = come.map_or(0, |come| come as u64);
        if come == 0 || self.come.swap(come, Ordering::Relaxed) == 0 {
            self.waited_ms.store(0, Ordering::Relaxed);
        }
        self.come.store(come, Ordering::Relaxed);
    }

    pub(super) fn silent_for(&self) -> Duration {
        Duration::from_millis(self.waits_for_ms())
    }

    /// Bytes that were read since the last data: frames that carry nothing, over and over.
    pub(super) fn empty_bytes(&self, metered: u64) -> u64 {
        metered.saturating_sub(self.metered.load(Ordering::Relaxed))
    }

    /// Has a request been coming for `stall`, at less than `rate` bytes a second?
    pub(super) fn is_stalled(&self, stall: Duration, rate: u64) -> bool {
        let come = self.come.load(Ordering::Relaxed);
        let waited = self.waited_ms.load(Ordering::Relaxed).saturating_add(self.waits_for_ms());
        come > 0
            && u128::from(waited) >= stall.as_millis()
            && come < waited.saturating_mul(rate) / 1_000
    }

    fn waits_for_ms(&self) -> u64 {
        let since = self.waiting_ms.load(Ordering::Relaxed).checked_sub(1);
        since.map_or(0, |since| self.now_ms().saturating_sub(since))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_request_that_drips_is_stalled() {
        let pulse = Pulse::new();
        for come in 1..=10 {
            pulse.wait();
            advance(SECOND).await;
            assert!(!pulse.is_stalled(10 * SECOND, 100));
            pulse.hear();
            pulse.progress(Some(come));
        }
        pulse.wait();
        advance(SECOND).await;
        assert!(pulse.is_stalled(10 * SECOND, 100));
        assert!(!pulse.is_stalled(10 * SECOND, 1));
        pulse.hear();
        pulse.progress(None);
        pulse.wait();
        advance(20 * SECOND).await;
        assert!(!pulse.is_stalled(10 * SECOND, 100));
        assert_eq!(pulse.silent_for(), 20 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_bridge_lets_it_wait_a_page_is_not_to_blame() {
        let pulse = Pulse::new();
        pulse.wait();
        pulse.hear();
        pulse.progress(Some(1));
        advance(100 * SECOND).await;
        assert!(!pulse.is_stalled(10 * SECOND, 100));
        assert_eq!(pulse.silent_for(), Duration::ZERO);
        pulse.wait();
        advance(SECOND).await;
        assert_eq!(pulse.silent_for(), SECOND);
        assert!(!pulse.is_stalled(10 * SECOND, 100));
    }
}
