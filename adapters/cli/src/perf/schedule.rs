//! When each record is due.

use core::time::Duration;

/// Sleeps are cut into pieces, for Ctrl-C.
const NAP: Duration = Duration::from_millis(100);

/// Records at an even rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Records a second, 1 to 1,000,000,000.
    pub(super) per_second: u64,
}

impl Rate {
    /// How many records are due so many microseconds after the first one.
    pub(super) fn due(self, micros: u64) -> u64 {
        let due = u128::from(micros) * u128::from(self.per_second) / 1_000_000 + 1;
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// When the record with this number, from 0, is due: microseconds after the first one. Rounded
    /// up, so that the record is due then.
    pub(super) fn at(self, number: u64) -> u64 {
        let micros = (u128::from(number) * 1_000_000).div_ceil(u128::from(self.per_second));
        u64::try_from(micros).unwrap_or(u64::MAX)
    }
}

/// Sleeps for so many microseconds, or less.
pub(super) fn nap(micros: u64) {
    std::thread::sleep(Duration::from_micros(micros).min(NAP));
}

/// Lets this thread's sleeps end when they should, not up to 50 us later: at 10,000 records a
/// second that is half of the time between two.
pub(super) fn sleep_exactly() {
    // Where the system does not know of it, sleeps are what they are.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_timerslack(1);
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn a_record_is_due_at_its_time_and_not_before() {
        for per_second in [1, 3, 1_000, 10_000, 999_983, 1_000_000] {
            let rate = Rate { per_second };
            assert_eq!(rate.at(0), 0);
            for number in [0, 1, 2, 1_000, 123_456_789] {
                let at = rate.at(number);
                assert!(rate.due(at) > number, "{number} at {per_second}/s");
                assert!(at == 0 || rate.due(at - 1) <= number, "{number} at {per_second}/s");
            }
        }
        assert_eq!(Rate { per_second: 1_000_000_000 }.due(1), 1_001);
    }
}
