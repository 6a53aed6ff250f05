//! Exponential backoff with jitter (KIP-580), and the small generator behind every random choice.

/// A generator of pseudo-random numbers (xorshift*), seeded by the caller: the same seed gives the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        let state = seed ^ 0x9e37_79b9_7f4a_7c15;
        // Zero is the one state that xorshift never leaves.
        Self(if state == 0 { 1 } else { state })
    }

    #[allow(clippy::cast_possible_truncation, reason = "the upper half is the good one")]
    pub(crate) const fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    /// A number below `n`; 0 if `n` is 0.
    #[allow(clippy::cast_possible_truncation, reason = "the product's upper half is below `n`")]
    pub(crate) const fn below(&mut self, n: u32) -> u32 {
        ((self.next() as u64 * n as u64) >> 32) as u32
    }
}

/// Microseconds to wait after `failures` failures in a row (0 for the first retry): `initial` doubled that often, at
/// most `max`, times a factor from 0.8 to 1.2, and never above `max`.
#[allow(clippy::cast_possible_truncation, reason = "shifted back below 2^32 milliseconds")]
pub(crate) fn backoff_micros(initial_ms: u32, max_ms: u32, failures: u8, rng: &mut Rng) -> u64 {
    if max_ms <= initial_ms {
        return u64::from(initial_ms) * 1_000;
    }
    let grown = (u64::from(initial_ms) << failures.min(20)).min(u64::from(max_ms)) as u32;
    // 1,024ths: 819 to 1,228 is 0.8 to 1.2, without a division.
    let jittered = (u64::from(grown) * u64::from(819 + rng.below(410)) * 1_000) >> 10;
    jittered.min(u64::from(max_ms) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_jitter_up_to_the_maximum() {
        let mut rng = Rng::new(7);
        for (failures, middle) in [(0, 100_000), (1, 200_000), (3, 800_000), (4, 1_000_000)] {
            for _ in 0..1_000 {
                let wait = backoff_micros(100, 1_000, failures, &mut rng);
                assert!(
                    wait >= middle * 79 / 100 && wait <= middle * 12 / 10,
                    "{failures}: {wait}"
                );
                assert!(wait <= 1_000_000);
            }
        }
        assert_eq!(backoff_micros(100, 50, 9, &mut rng), 100_000);
        assert!(backoff_micros(u32::MAX / 2, u32::MAX, 255, &mut rng) > 0);
    }
}
