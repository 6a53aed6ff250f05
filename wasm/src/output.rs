//! Words for JavaScript: what became of staged records, and what a turn leaves to be done. `js/engine.ts` reads them.

use alloc::boxed::Box;
use alloc::vec;

use klamm::{Outcome, Report};

use crate::status;

/// Room for the words of a call.
const WORDS: usize = 16 * 1024;
/// Words that are kept for the call itself.
const HEAD: usize = 4;

/// Kinds of a turn's entries.
pub(crate) const CONNECT: u32 = 1;
pub(crate) const CLOSE: u32 = 2;
pub(crate) const TRANSMIT: u32 = 3;
pub(crate) const REPORT: u32 = 4;
#[cfg(feature = "codecs")]
pub(crate) const COMPRESS: u32 = 5;
/// Records of the report behind it.
#[cfg(feature = "codecs")]
pub(crate) const RETURN: u32 = 6;

/// The area, and how much of it is used.
pub(crate) struct Output {
    words: Box<[u32]>,
    len: usize,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { words: vec![0; WORDS].into_boxed_slice(), len: HEAD }
    }

    /// Where it is in this module's memory.
    pub(crate) fn place(&self) -> u32 {
        word(self.words.as_ptr().addr())
    }

    /// Empty again.
    pub(crate) const fn clear(&mut self) {
        self.len = HEAD;
    }

    /// Is there room for so many words?
    pub(crate) const fn has_room(&self, words: usize) -> bool {
        self.len + words <= WORDS
    }

    /// Appends words: those that do not fit are lost, so ask before.
    pub(crate) fn push(&mut self, words: &[u32]) {
        if let Some(place) = self.words.get_mut(self.len..self.len + words.len()) {
            place.copy_from_slice(words);
            self.len += words.len();
        }
    }

    /// Appends bytes, filled up to whole words.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(4) {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.push(&[u32::from_le_bytes(word)]);
        }
    }

    /// Sets the head, and says where the words end.
    pub(crate) fn finish(&mut self, head: [u32; HEAD]) -> usize {
        if let Some(place) = self.words.first_chunk_mut() {
            *place = head;
        }
        self.len
    }

    /// Words of a report.
    pub(crate) const REPORT_WORDS: usize = 13;

    /// Appends a report.
    pub(crate) fn push_report(&mut self, report: &Report) {
        let mut time = -1;
        let mut offset = -1;
        let (kind, [reason, code]) = match report.outcome {
            // What is delivered has no reason: how often it was sent again instead.
            Outcome::Delivered { base_offset, log_append_time } => {
                offset = base_offset.unwrap_or(-1);
                time = log_append_time.map_or(-1, klamm::Timestamp::as_millis);
                (0, [report.retries.into(), 0])
            }
            Outcome::NotPersisted(reason) => (1, status::of_reason(&reason)),
            Outcome::Unknown(reason) => (2, status::of_reason(&reason)),
            _ => (3, [0, 0]),
        };
        let [offset_low, offset_high] = halves(offset.cast_unsigned());
        let [time_low, time_high] = halves(time.cast_unsigned());
        self.push(&[
            REPORT,
            word(report.batch.index()),
            u32::from(report.first),
            u32::from(report.records),
            word(report.partition.topic.index()),
            report.partition.index.cast_unsigned(),
            kind,
            reason,
            code,
            offset_low,
            offset_high,
            time_low,
            time_high,
        ]);
    }
}

/// The low and the high half.
#[allow(clippy::cast_possible_truncation, reason = "halves")]
pub(crate) const fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// A number of this module's memory, which is below 4 GiB.
#[allow(clippy::cast_possible_truncation, reason = "an index or a size in 32-bit memory")]
pub(crate) const fn word(number: usize) -> u32 {
    number as u32
}
