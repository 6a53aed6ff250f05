//! The records that `klamm perf` sends, made before the measurement begins.

use klamm_std::Record;

use crate::args::Payload as Kind;

/// Bytes of different values: more than the window of lz4 and gzip, so that none finds the same
/// value twice, and little enough for a processor's cache.
const POOL_BYTES: usize = 256 * 1024;
const KEY_BYTES: usize = 8;

pub(super) struct Payload {
    values: Vec<u8>,
    size: usize,
    /// How many different values there are, a power of two, - 1.
    mask: u64,
    /// Texts of `KEY_BYTES` each.
    keys: Vec<u8>,
    key_count: u64,
}

impl Payload {
    pub(super) fn new(kind: Kind, size: u32, keys: Option<u32>) -> Self {
        let size = size as usize;
        let count = POOL_BYTES.checked_div(size).unwrap_or(1).max(1);
        let count = 1 << count.ilog2();
        let mut dice = Dice(0x6b6c_616d_6d21);
        let mut values = Vec::with_capacity(count * size);
        for _ in 0..count {
            match kind {
                Kind::Letters => {
                    values.extend((0..size).map(|_| b'A' + dice.below(26)));
                }
                Kind::Random => values.extend((0..size).map(|_| dice.below(256))),
                Kind::Json => json(&mut values, size, &mut dice),
            }
        }
        let key_count = keys.unwrap_or(0);
        let keys = (0..key_count).flat_map(|key| format!("{key:0KEY_BYTES$}").into_bytes());
        Self {
            values,
            size,
            mask: count as u64 - 1,
            keys: keys.collect(),
            key_count: u64::from(key_count),
        }
    }

    /// The record with this number. No look at a clock, no allocation, no division.
    pub(super) fn record(&self, number: u64) -> Record<'_> {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of values or keys")]
        let pick = |bytes, index: u64, size| slice(bytes, index as usize * size, size);
        let value = Record::value(pick(&self.values, number & self.mask, self.size));
        if self.key_count == 0 {
            return value;
        }
        // Spread over the keys as evenly as in turn, without an order that partitions could fall in
        // step with.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        value.with_key(pick(&self.keys, (spread * self.key_count) >> 32, KEY_BYTES))
    }
}

fn slice(bytes: &[u8], start: usize, len: usize) -> &[u8] {
    bytes.get(start..start + len).unwrap_or_default()
}

/// A reading of exactly `size` bytes, or what of it fits.
fn json(out: &mut Vec<u8>, size: usize, dice: &mut Dice) {
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
    let end = out.len() + size;
    let text = format!(
        "{{\"sensor\":\"sensor-{:03}\",\"time\":17672256{:02}{:03},\"value\":{}.{:02},\"note\":\"",
        dice.below(200),
        dice.below(100),
        dice.below(250),
        18 + dice.below(10),
        dice.below(100),
    );
    out.extend(text.as_bytes());
    while out.len() + 2 < end {
        out.extend(WORDS[usize::from(dice.below(16))].as_bytes());
        out.push(b' ');
    }
    out.truncate(end.saturating_sub(2));
    out.extend(b"\"}");
    out.truncate(end);
}

/// Splitmix64: enough for letters.
struct Dice(u64);

impl Dice {
    /// A number below `bound`, which is 256 at most.
    #[expect(clippy::cast_possible_truncation, reason = "below 256")]
    fn below(&mut self, bound: u64) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z >> 32) * bound) >> 32) as u8
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn values_have_the_size_asked_for_and_differ() {
        for kind in [Kind::Letters, Kind::Random, Kind::Json] {
            for size in [0, 1, 2, 50, 100, 1_000, 300_000] {
                let payload = Payload::new(kind, size, None);
                for number in [0, 1, 2, 1_000_000_007] {
                    let record = payload.record(number);
                    assert_eq!(record.value.map(<[u8]>::len), Some(size as usize));
                    assert_eq!(record.key, None);
                }
            }
            let payload = Payload::new(kind, 100, None);
            let different = (0..2_000).map(|number| payload.record(number).value);
            let mut different: Vec<_> = different.collect();
            different.sort_unstable();
            different.dedup();
            assert!(different.len() > 1_990, "{kind:?}: {}", different.len());
        }
    }

    #[test]
    fn json_is_json() {
        let payload = Payload::new(Kind::Json, 150, None);
        for number in 0..100 {
            let value = payload.record(number).value.expect("a value");
            let parsed: serde_json::Value = serde_json::from_slice(value).expect("JSON");
            assert!(parsed["sensor"].is_string() && parsed["value"].is_number(), "{parsed}");
        }
    }

    #[test]
    fn every_key_comes_about_equally_often() {
        let payload = Payload::new(Kind::Letters, 10, Some(100));
        let mut counts = BTreeMap::new();
        for number in 0..10_000 {
            *counts.entry(payload.record(number).key).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 100);
        assert!(counts.values().all(|count| (90..=110).contains(count)), "{counts:?}");
        assert!(counts.contains_key(&Some(&b"00000099"[..])));
    }
}
