//! An adapter that compresses batches outside of the producer: it takes its time, and gives them back in any order.

use klamm::{Compression, Compressor, Uncompressed};

use super::Simulation;
use crate::dice::Dice;

/// Every codec, and most kinds of levels.
pub const CODECS: &[Compression] = &[
    Compression::Gzip { level: 6 },
    Compression::Snappy,
    Compression::Lz4 { level: 1 },
    Compression::Lz4 { level: 9 },
    Compression::Zstd { level: 1 },
];

/// What it has in hand.
pub(super) struct Squeezer {
    dice: Dice,
    compressor: Compressor<'static>,
    /// With the time at which each is done.
    jobs: Vec<(u64, Uncompressed)>,
}

impl core::fmt::Debug for Squeezer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Squeezer").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

impl Squeezer {
    pub(super) fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed), compressor: Compressor::new(), jobs: Vec::new() }
    }

    /// When the next batch is done.
    pub(super) fn next(&self) -> Option<u64> {
        self.jobs.iter().map(|(at, _)| *at).min()
    }
}

impl Simulation {
    /// Takes what waits to be compressed, and gives back what is done. Was there anything?
    pub(super) fn squeeze(&mut self) -> bool {
        if !self.setup.squeezes {
            return false;
        }
        let now = self.instant();
        let mut progress = false;
        while let Some(job) = self.producer.take_uncompressed(now) {
            let slow = if self.next_fault.is_some() { self.setup.squeeze_time } else { 0 };
            self.squeezer.jobs.push((self.now + self.squeezer.dice.range(0, slow), job));
            self.trace.note(self.now, &("compress", job));
            progress = true;
        }
        while let Some(at) = self.squeezer.jobs.iter().position(|(at, _)| *at <= self.now) {
            let (_, job) = self.squeezer.jobs.swap_remove(at);
            let plain = self.producer.uncompressed(job).unwrap_or_default();
            let mut small = vec![0; plain.len()];
            let done = self.squeezer.compressor.compress(job.codec, plain, &mut small);
            let calm = self.next_fault.is_none();
            let len = done.unwrap_or_default();
            let len = len.filter(|_| calm || self.squeezer.dice.chance(950));
            self.trace.note(self.now, &("compressed", job, len));
            let small = len.map(|len| &small[..len]);
            self.producer.handle_compressed(job, small, now);
            progress = true;
        }
        progress
    }
}
