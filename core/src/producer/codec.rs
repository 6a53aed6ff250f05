//! A batch's codec, and batches that the adapter compresses.
//!
//! Only the batch that a partition would send next is handed out, so order needs no care: until it is back, or has got
//! its outcome some other way, nothing after it is sent.

use super::{Destination, Producer};
use crate::batch::{BatchState, HEADER};
use crate::config::Compression;
use crate::error::SendError;
use crate::id::BatchId;
use crate::partition::Place;
use crate::time::Instant;

/// The first version of Produce in which brokers take zstd (KIP-110).
const WITH_ZSTD: i16 = 7;

/// A batch that the adapter compresses: see [`Producer::take_uncompressed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Uncompressed {
    /// The batch.
    pub batch: BatchId,
    /// What to make of its records; never `Compression::None`.
    pub codec: Compression,
}

impl Uncompressed {
    /// As it was handed out: for replays of a recording.
    pub const fn new(batch: BatchId, codec: Compression) -> Self {
        Self { batch, codec }
    }
}

/// Compression by the adapter, with `Config::compress_outside`.
impl Producer<'_> {
    /// The next batch to compress: it takes no more records, and is not sent before
    /// [`handle_compressed`](Self::handle_compressed) (or until its delivery timeout, if that is never called). Asked
    /// for after anything that may have made demands; [`take_wake`](Self::take_wake) speaks of it too.
    pub fn take_uncompressed(&mut self, now: Instant) -> Option<Uncompressed> {
        record!(self, take_uncompressed(now));
        self.advance(now);
        while let Some(p) = self.uncompressed.head() {
            self.leave_place(p);
            let Some(b) = self.next_to_send(p).filter(|&b| self.waits_for_codec(b)) else {
                self.refile(p);
                continue;
            };
            self.close_batch(b);
            let batch = &mut self.storage.batches[b];
            batch.outside = true;
            let codec = batch.codec;
            return Some(Uncompressed { batch: self.batch_id(b), codec });
        }
        None
    }

    /// The records to compress, to be copied or compressed at once; `None` when the batch has got its outcome
    /// meanwhile.
    pub fn uncompressed(&self, job: Uncompressed) -> Option<&[u8]> {
        self.outside(job).map(|b| self.record_bytes(b))
    }

    /// What became of the records: one gzip member, one snappy block (bare or with xerial's framing), one LZ4 frame of
    /// independent blocks, or one zstd frame, which must be what the codec makes of them. `None`, or what is no smaller,
    /// or memory so full that it could not be unpacked again: the batch goes out as it is. Ignored when the batch has got
    /// its outcome meanwhile.
    pub fn handle_compressed(
        &mut self,
        job: Uncompressed,
        compressed: Option<&[u8]>,
        now: Instant,
    ) {
        record!(self, compressed(job, compressed, now));
        self.advance(now);
        let Some(b) = self.outside(job) else { return };
        let run = self.storage.batches[b].chunks;
        let can_unpack = self.spare.is_some() && run <= self.spare_run() || self.has_run(run);
        let range = self.bytes_of(b);
        let place = self.storage.chunks.get_mut(range).and_then(|at| at.get_mut(HEADER as usize..));
        let batch = &mut self.storage.batches[b];
        batch.outside = false;
        batch.squeezed = true;
        // Without a chunk to unpack it in, a batch that is too large even so could not be split any more.
        if can_unpack
            && let (Some(place), Some(bytes)) = (place, compressed)
            && bytes.len() < place.len()
            && let Some(place) = place.get_mut(..bytes.len())
        {
            place.copy_from_slice(bytes);
            batch.compressed = true;
            batch.size = HEADER + u32::try_from(bytes.len()).unwrap_or_default();
        }
        let p = usize::from(batch.partition);
        self.refile(p);
    }

    fn outside(&self, job: Uncompressed) -> Option<usize> {
        let b = usize::from(job.batch.slot);
        let batch = self.storage.batches.get(b)?;
        let same = batch.outside && batch.generation == job.batch.generation;
        (same && batch.state == BatchState::Sealed).then_some(b)
    }
}

impl Producer<'_> {
    /// What the record asks for, if there is memory for it.
    #[inline]
    pub(super) fn codec_for(&self, to: Destination) -> Result<Compression, SendError> {
        match to.compression {
            // Made ready, or refused, when the producer was made.
            None => Ok(self.config.compression_type),
            Some(codec) if self.storage.codecs.has(codec) && codec.check().is_ok() => Ok(codec),
            Some(_) => Err(SendError::CodecMissing),
        }
    }

    /// Has the batch to go through the adapter before it is sent?
    pub(super) fn waits_for_codec(&self, b: usize) -> bool {
        let batch = &self.storage.batches[b];
        let wants = batch.codec != Compression::None && !batch.squeezed;
        // With a guest the bytes behind its own are not free.
        self.config.compress_outside && wants && !batch.kin().guest.is_some()
    }

    /// Where a partition waits that could go to `place` if its next batch were compressed.
    pub(crate) fn place_for_codec(&self, p: usize, place: Place) -> Place {
        match self.next_to_send(p) {
            Some(b) if place != Place::Nowhere && self.waits_for_codec(b) => {
                if self.storage.batches[b].outside { Place::Nowhere } else { Place::Uncompressed }
            }
            _ => place,
        }
    }

    /// A broker before 2.1 does not know zstd: to it the batch goes out as it is. But not one that was sent to another
    /// broker before, for a retry sends the same bytes: that is for the broker to reject.
    pub(super) fn suit_codec(&mut self, b: usize, version: i16) {
        let batch = &self.storage.batches[b];
        let zstd = matches!(batch.codec, Compression::Zstd { .. }) && !batch.sent;
        if zstd && version < WITH_ZSTD && self.make_plain(b) {
            self.storage.batches[b].codec = Compression::None;
        }
    }
}
