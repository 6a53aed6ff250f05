//! The wire layer against golden bytes, against the independent `kafka-protocol` crate, and against damaged bytes.

mod hostile;
mod primitives;
mod records;
mod requests;
mod responses;
mod sample;
mod vectors;

use core::fmt::Debug;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::{Decode, MAX_ELEMENT, Need};

/// `SplitMix64`: random enough, and the same on every machine.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> usize {
        usize::try_from(self.next() % bound).expect("small")
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub(super) fn i16(&mut self) -> i16 {
        i16::from_ne_bytes(self.next().to_ne_bytes()[..2].try_into().expect("2 bytes"))
    }

    pub(super) fn i32(&mut self) -> i32 {
        i32::from_ne_bytes(self.next().to_ne_bytes()[..4].try_into().expect("4 bytes"))
    }

    pub(super) fn i64(&mut self) -> i64 {
        self.next().cast_signed()
    }
}

/// All events of a frame that comes in pieces of `piece()` bytes.
///
/// Checks on the way what every caller relies on: each step makes progress, `More` never comes for what fits in a
/// small buffer, and `More` loses nothing.
pub(super) fn run<D>(
    mut decoder: D,
    bytes: &[u8],
    mut piece: impl FnMut() -> usize,
) -> Result<Vec<String>, Need>
where
    D: Decode + Copy,
    for<'b> D::Event<'b>: Debug,
{
    let (mut at, mut end, mut steps) = (0, 0, 0);
    let mut events = Vec::new();
    loop {
        steps += 1;
        assert!(steps <= 4 * bytes.len() + 8, "work is not linear in the bytes");
        match decoder.step(&bytes[at..end]) {
            Ok(step) => {
                assert!(step.used > 0 || step.event.is_some(), "a step without progress");
                at += step.used;
                let Some(event) = step.event else { continue };
                events.push(format!("{event:?}"));
                if events.last().is_some_and(|last| last == "End") {
                    assert_eq!(at, bytes.len(), "bytes after the end");
                    return Ok(events);
                }
            }
            Err(Need::More) if end < bytes.len() => {
                assert!(end - at < MAX_ELEMENT, "{} bytes and no element", end - at);
                end = bytes.len().min(end.saturating_add(piece().max(1)));
            }
            Err(Need::More) => return Err(Need::More),
            Err(Need::Bad) => return Err(Need::Bad),
        }
    }
}

/// Decodes whole, byte by byte, and in random pieces; all must give `expected`.
pub(super) fn check<D>(decoder: D, bytes: &[u8], expected: &[String], seed: u64)
where
    D: Decode + Copy,
    for<'b> D::Event<'b>: Debug,
{
    assert!(size_of::<D>() <= 32, "the decoder takes {} bytes", size_of::<D>());
    assert_eq!(run(decoder, bytes, || usize::MAX).as_deref(), Ok(expected), "seed {seed}");
    assert_eq!(run(decoder, bytes, || 1).as_deref(), Ok(expected), "seed {seed}, byte by byte");
    let mut rng = Rng(seed);
    let pieces = run(decoder, bytes, || rng.below(40));
    assert_eq!(pieces.as_deref(), Ok(expected), "seed {seed}, in pieces");
}

/// The events as text, as `run` gives them.
pub(super) fn texts(events: &[impl Debug]) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}")).collect()
}
