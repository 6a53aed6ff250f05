//! Two kinds of time: the monotonic one that timers use, and the one that records carry.

/// A moment on a monotonic clock, in microseconds since an arbitrary start that the adapter chooses.
///
/// The core never reads a clock: every `Instant` is handed in. Time that jumps back is treated as time that
/// stands still.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// A moment that is never reached.
    pub const FAR: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the start of the clock.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the start of the clock (saturating).
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the start of the clock.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This moment plus `millis` milliseconds (saturating: far futures stay far, KAFKA-3155).
    #[cfg_attr(target_os = "none", inline(never))]
    pub const fn plus_millis(self, millis: u32) -> Self {
        Self(self.0.saturating_add(millis as u64 * 1_000))
    }

    /// This moment plus `micros` microseconds (saturating).
    #[cfg_attr(target_os = "none", inline(never))]
    pub const fn plus_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this moment, 0 if `earlier` is later.
    #[cfg_attr(target_os = "none", inline(never))]
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The same in whole milliseconds.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) const fn millis_since(self, earlier: Self) -> i64 {
        (self.micros_since(earlier) / 1_000).cast_signed()
    }
}

/// The moment `millis` after `from`; never, if that is `u32::MAX`.
pub(crate) const fn deadline(from: Instant, millis: u32) -> Instant {
    if millis == u32::MAX { Instant::FAR } else { from.plus_millis(millis) }
}

/// A wall-clock time as records carry it: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time `millis` milliseconds after 1970-01-01 UTC.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}
