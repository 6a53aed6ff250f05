//! What [`Stats`] counts.

use super::Stats;

/// A counter: where there is no heap of 32 bits, for adding to 64 takes a Cortex-M3 more than twice the flash.
#[cfg(any(feature = "alloc", target_pointer_width = "64"))]
type Bits = u64;
#[cfg(not(any(feature = "alloc", target_pointer_width = "64")))]
type Bits = u32;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count(Bits);

impl Count {
    const ZERO: Self = Self(0);

    pub(crate) fn up(&mut self, by: u32) {
        self.0 = self.0.wrapping_add(Bits::from(by));
    }

    pub(crate) fn down(&mut self, by: u32) {
        self.0 = self.0.wrapping_sub(Bits::from(by));
    }

    #[allow(clippy::useless_conversion, reason = "32 bits elsewhere")]
    fn get(self) -> u64 {
        u64::from(self.0)
    }
}

/// All of them but the records accepted, which is the sum of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) delivered: Count,
    pub(crate) not_persisted: Count,
    pub(crate) unknown: Count,
    #[cfg(feature = "policies")]
    pub(crate) dropped: Count,
    #[cfg(feature = "policies")]
    pub(crate) refused: Count,
    pub(crate) buffered: Count,
    pub(crate) requests: Count,
    pub(crate) batches: Count,
    pub(crate) retries: Count,
    pub(crate) bumps: Count,
    pub(crate) data_losses: Count,
    pub(crate) connects: Count,
    pub(crate) throttled_ms: Count,
}

impl Counters {
    pub(crate) const ZERO: Self = Self {
        delivered: Count::ZERO,
        not_persisted: Count::ZERO,
        unknown: Count::ZERO,
        #[cfg(feature = "policies")]
        dropped: Count::ZERO,
        #[cfg(feature = "policies")]
        refused: Count::ZERO,
        buffered: Count::ZERO,
        requests: Count::ZERO,
        batches: Count::ZERO,
        retries: Count::ZERO,
        bumps: Count::ZERO,
        data_losses: Count::ZERO,
        connects: Count::ZERO,
        throttled_ms: Count::ZERO,
    };

    pub(crate) fn stats(&self) -> Stats {
        #[cfg(feature = "policies")]
        let (dropped, refused) = (self.dropped.get(), self.refused.get());
        #[cfg(not(feature = "policies"))]
        let (dropped, refused) = (0, 0);
        let (delivered, buffered) = (self.delivered.get(), self.buffered.get());
        let (not_persisted, unknown) = (self.not_persisted.get(), self.unknown.get());
        Stats {
            accepted: delivered + not_persisted + unknown + dropped + buffered,
            delivered,
            not_persisted,
            unknown,
            dropped,
            refused,
            buffered,
            requests: self.requests.get(),
            batches: self.batches.get(),
            retries: self.retries.get(),
            bumps: self.bumps.get(),
            data_losses: self.data_losses.get(),
            connects: self.connects.get(),
            throttled_ms: self.throttled_ms.get(),
        }
    }
}
