//! Durations, collected: percentiles of a window, and buckets since the start.

use core::time::Duration;
use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use klamm::{Event, EventKind};

/// The durations of the time since statistics were last called for, in microseconds. Number, sum and average are exact,
/// the others are within 1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Window {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum_us: u64,
    /// The shortest.
    pub min_us: u64,
    /// The longest.
    pub max_us: u64,
    /// Their average.
    pub average_us: u64,
    /// Their standard deviation.
    pub deviation_us: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// The same of 75 %.
    pub p75_us: u64,
    /// The same of 90 %.
    pub p90_us: u64,
    /// The same of 95 %.
    pub p95_us: u64,
    /// The same of 99 %.
    pub p99_us: u64,
    /// The same of 99.99 %.
    pub p99_99_us: u64,
}

/// The durations since the start, by their length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Buckets {
    /// How many took at most as long as the bound of [`Buckets::BOUNDS_US`] with the same index.
    pub counts: [u64; Self::BOUNDS_US.len()],
    /// How many, of any length.
    pub count: u64,
    /// Their sum in microseconds.
    pub sum_us: u64,
}

impl Buckets {
    /// The upper bounds, in microseconds.
    pub const BOUNDS_US: [u64; 14] = [
        500,
        1_000,
        2_500,
        5_000,
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        5_000_000,
        30_000_000,
        120_000_000,
    ];

    fn add(&mut self, micros: u64, times: u64) {
        self.count += times;
        self.sum_us += micros * times;
        for (count, bound) in self.counts.iter_mut().zip(Self::BOUNDS_US) {
            *count += if micros <= bound { times } else { 0 };
        }
    }
}

/// Durations of one kind.
pub(crate) struct Meter {
    window: Histogram<u64>,
    window_sum: u64,
    pub(crate) total: Buckets,
}

impl Meter {
    fn new() -> Self {
        let window = Histogram::new_with_bounds(1, u64::from(u32::MAX), 2);
        let window = window.expect("the bounds are constants that hdrhistogram takes");
        Self { window, window_sum: 0, total: Buckets::default() }
    }

    fn add(&mut self, micros: u32, times: u64) {
        let micros = u64::from(micros);
        self.window.saturating_record_n(micros, times);
        self.window_sum += micros * times;
        self.total.add(micros, times);
    }

    fn next_window(&mut self) {
        self.window.reset();
        self.window_sum = 0;
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^32")]
    pub(crate) fn window(&self) -> Window {
        let histogram = &self.window;
        if histogram.is_empty() {
            return Window::default();
        }
        let percentile = |share: f64| histogram.value_at_quantile(share / 100.0);
        Window {
            count: histogram.len(),
            sum_us: self.window_sum,
            min_us: histogram.min(),
            max_us: histogram.max(),
            average_us: self.window_sum / histogram.len(),
            deviation_us: histogram.stdev() as u64,
            p50_us: percentile(50.0),
            p75_us: percentile(75.0),
            p90_us: percentile(90.0),
            p95_us: percentile(95.0),
            p99_us: percentile(99.0),
            p99_99_us: percentile(99.99),
        }
    }
}

/// All that is measured of one generation of a producer.
pub(crate) struct Meters {
    pub(crate) schedule: Schedule,
    /// From the acceptance of a batch's first record to its delivery, once per record.
    pub(crate) delivery: Meter,
    /// From a request to its answer, by broker; bootstrap servers share -1.
    pub(crate) round_trips: BTreeMap<i32, Meter>,
}

impl Meters {
    pub(crate) fn new(interval: Duration, now: klamm::Instant) -> Self {
        Self {
            schedule: Schedule::new(interval, now),
            delivery: Meter::new(),
            round_trips: BTreeMap::new(),
        }
    }

    pub(crate) fn see(&mut self, event: &Event) {
        match event.kind {
            EventKind::Delivered { batch, latency_us, .. } => {
                self.delivery.add(latency_us, u64::from(batch.records));
            }
            EventKind::Answered { broker, latency_us, .. } => {
                self.round_trips.entry(broker.node).or_insert_with(Meter::new).add(latency_us, 1);
            }
            _ => {}
        }
    }

    pub(crate) fn next_window(&mut self) {
        self.delivery.next_window();
        self.round_trips.values_mut().for_each(Meter::next_window);
    }
}

/// When statistics are due: every interval since the start, whatever the turns of the driver.
pub(crate) struct Schedule {
    micros: u64,
    next: klamm::Instant,
}

impl Schedule {
    pub(crate) fn new(interval: Duration, now: klamm::Instant) -> Self {
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Self { micros, next: now.plus_micros(micros) }
    }

    /// The next time; `None` without an interval.
    pub(crate) fn next(&self) -> Option<klamm::Instant> {
        (self.micros > 0).then_some(self.next)
    }

    /// Are they due? Then the next time is the first one after `now`: a machine that slept makes up for nothing.
    pub(crate) fn is_due(&mut self, now: klamm::Instant) -> bool {
        let Some(next) = self.next().filter(|next| *next <= now) else { return false };
        let missed = now.micros_since(next) / self.micros;
        self.next = next.plus_micros((missed + 1).saturating_mul(self.micros));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> klamm::Instant {
        klamm::Instant::from_millis(millis)
    }

    /// CK-26, in virtual time.
    #[test]
    fn ck_26_statistics_are_due_every_interval_and_once_after_a_sleep() {
        let mut schedule = Schedule::new(Duration::from_millis(500), at(1_000));
        assert_eq!(schedule.next(), Some(at(1_500)));
        assert!(!schedule.is_due(at(1_499)));
        // Turns are late by any amount; the schedule is not.
        assert!(schedule.is_due(at(1_507)));
        assert!(!schedule.is_due(at(1_999)));
        assert!(schedule.is_due(at(2_000)));
        assert!(schedule.is_due(at(60_000)) && !schedule.is_due(at(60_000)));
        assert_eq!(schedule.next(), Some(at(60_500)));
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let mut schedule = Schedule::new(Duration::ZERO, at(0));
        assert!(schedule.next().is_none() && !schedule.is_due(klamm::Instant::FAR));
        let never = Schedule::new(Duration::MAX, at(1)).next();
        assert_eq!(never, Some(klamm::Instant::FAR));
    }

    #[test]
    fn a_window_has_exact_sums_and_percentiles_within_one_percent() {
        let mut meter = Meter::new();
        (1..=1_000).for_each(|n| meter.add(n * 100, 1));
        let window = meter.window();
        assert_eq!((window.count, window.sum_us, window.average_us), (1_000, 50_050_000, 50_050));
        let close = |got: u64, want: u64| got.abs_diff(want) * 100 <= want;
        assert!(close(window.p50_us, 50_000) && close(window.p99_us, 99_000), "{window:?}");
        assert!(close(window.min_us, 100) && close(window.max_us, 100_000), "{window:?}");
        meter.next_window();
        assert_eq!(meter.window(), Window::default());
        assert_eq!((meter.total.count, meter.total.sum_us), (1_000, 50_050_000));
    }

    #[test]
    fn buckets_count_what_is_at_most_their_bound() {
        let mut buckets = Buckets::default();
        buckets.add(500, 2);
        buckets.add(501, 1);
        buckets.add(u64::from(u32::MAX), 1);
        assert_eq!(buckets.counts[..2], [2, 3]);
        assert_eq!((buckets.counts[13], buckets.count), (3, 4));
    }
}
