//! The values that all producers send: readings as JSON, which compress as real records do.

use anyhow::Result;
use std::fs;
use std::path::Path;

/// More than lz4 looks back, so that it never finds the same value twice; little enough for a
/// processor's cache.
const BYTES: usize = 256 * 1024;

const WORDS: [&str; 16] = [
    "valve",
    "open",
    "closed",
    "pump",
    "pressure",
    "normal",
    "greenhouse",
    "north",
    "south",
    "window",
    "sensor",
    "battery",
    "low",
    "fan",
    "started",
    "stopped",
];

/// Writes values of exactly `size` bytes, one behind the other.
pub(crate) fn write(path: &Path, size: usize) -> Result<()> {
    let mut dice = Dice(0x6b6c_616d_6d21);
    let mut bytes = Vec::with_capacity(BYTES);
    for _ in 0..BYTES / size {
        let mut value = format!(
            "{{\"sensor\":\"sensor-{:03}\",\"time\":17672256{:05},\"value\":{}.{:02},\"note\":\"",
            dice.below(200),
            dice.below(100_000),
            18 + dice.below(10),
            dice.below(100),
        );
        while value.len() + 2 < size {
            value.push_str(WORDS[dice.below(16)]);
            value.push(' ');
        }
        value.truncate(size.saturating_sub(2));
        value.push_str("\"}");
        value.truncate(size);
        bytes.extend_from_slice(value.as_bytes());
    }
    Ok(fs::write(path, bytes)?)
}

/// Splitmix64: enough for words.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z >> 32) * bound) >> 32) as usize
    }
}
