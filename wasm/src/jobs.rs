//! Batches that are compressed outside of the core: gzip by the platform, in the background; the others here.

use klamm::{Compression, Compressor, Instant, Producer, Uncompressed};

use crate::options;
use crate::output::{COMPRESS, Output, word};

/// Batches that the platform has at a time.
const JOBS: usize = 8;
/// Bytes that every codec begins to compress.
const PROBE: usize = 256;

/// What is being compressed.
#[derive(Default)]
pub(crate) struct Jobs {
    at_work: [Option<Uncompressed>; JOBS],
    compressor: Compressor<'static>,
}

impl Jobs {
    /// With all the memory that the codecs will ever take: JavaScript looks at a memory that does not grow any more.
    pub(crate) fn new() -> Self {
        let mut jobs = Self::default();
        let mut room = [0; PROBE];
        for &codec in options::CODECS {
            // What becomes of it does not matter.
            let _ = jobs.compressor.compress(codec, &[0; PROBE], &mut room);
        }
        jobs
    }

    /// Finds batches to compress: hands gzip's out, and does the others. Is there more to do?
    pub(crate) fn take(
        &mut self,
        producer: &mut Producer<'static>,
        output: &mut Output,
        area: &mut [u8],
        used: &mut usize,
        now: Instant,
    ) -> bool {
        while let Some(job) = self.at_work.iter().position(Option::is_none) {
            // One that does not fit would be lost for this turn: a batch has at most the area's size.
            if *used > 0 && area.len() - *used < area.len() / 2 || !output.has_room(4) {
                return true;
            }
            let Some(batch) = producer.take_uncompressed(now) else { return false };
            let plain = producer.uncompressed(batch).unwrap_or_default();
            let room = area.get_mut(*used..*used + plain.len());
            match (batch.codec, room) {
                (Compression::Gzip { .. }, Some(room)) => {
                    room.copy_from_slice(plain);
                    output.push(&[COMPRESS, word(job), word(*used), word(plain.len())]);
                    *used += plain.len();
                    if let Some(place) = self.at_work.get_mut(job) {
                        *place = Some(batch);
                    }
                }
                _ => {
                    let room = area.get_mut(*used..).unwrap_or_default();
                    self.compress(producer, batch, room, now);
                }
            }
        }
        false
    }

    /// A job's result.
    pub(crate) fn done(
        &mut self,
        producer: &mut Producer<'static>,
        job: usize,
        small: Option<&[u8]>,
        now: Instant,
    ) {
        if let Some(batch) = self.at_work.get_mut(job).and_then(Option::take) {
            producer.handle_compressed(batch, small, now);
        }
    }

    fn compress(
        &mut self,
        producer: &mut Producer<'static>,
        batch: Uncompressed,
        room: &mut [u8],
        now: Instant,
    ) {
        let plain = producer.uncompressed(batch).unwrap_or_default();
        let small = room.get_mut(..plain.len().saturating_sub(1)).unwrap_or_default();
        let size = self.compressor.compress(batch.codec, plain, small).ok().flatten();
        producer.handle_compressed(batch, size.and_then(|size| small.get(..size)), now);
    }
}
