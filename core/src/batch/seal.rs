//! From an open batch to bytes on the wire: freeze once, stamp when the identity is given or changes.
//!
//! A retry sends the same bytes. Only producer id, epoch, sequence and CRC are ever written again, and only after an
//! epoch was bumped.

use core::ops::Range;

#[cfg(feature = "compression")]
use super::HEADER;
use super::{AUX, BatchState};
use crate::producer::Producer;
use crate::storage::list::Link;
#[cfg(feature = "compression")]
use crate::storage::shift;
use crate::wire::batch_header::{self, BEFORE_LENGTH, BatchHeader};

impl Producer<'_> {
    /// No record is appended any more, so there is nothing to wait for, unless full batches are held back as well.
    pub(crate) fn close_batch(&mut self, b: usize) {
        if !self.holds_full_batches() {
            self.end_linger(b);
        }
        let batch = &mut self.storage.batches[b];
        if batch.state == BatchState::Open {
            batch.state = BatchState::Sealed;
            self.storage.partitions[usize::from(batch.partition)].open = Link::NONE;
            #[cfg(feature = "events")]
            self.note_sealed(b);
        }
    }

    /// The batch has waited long enough: it goes as soon as it can, and takes records until then.
    pub(crate) fn make_due(&mut self, b: usize) {
        self.end_linger(b);
        if self.holds_full_batches() {
            // What comes later waits for the next time.
            self.close_batch(b);
        }
        self.refile(usize::from(self.storage.batches[b].partition));
    }

    #[allow(clippy::unused_self, reason = "is an option of a feature")]
    pub(crate) const fn holds_full_batches(&self) -> bool {
        #[cfg(feature = "policies")]
        return self.config.policies.hold_full_batches;
        #[cfg(not(feature = "policies"))]
        false
    }

    /// Takes the batch out of the list of those that wait for more records, if it is there.
    pub(crate) fn end_linger(&mut self, b: usize) {
        if !self.storage.batches[b].due {
            self.linger.remove(&mut self.storage.batches, AUX, b);
            self.storage.batches[b].due = true;
            #[cfg(feature = "policies")]
            self.count_released(b);
        }
    }

    /// Fixes the bytes: timestamps, compression, header.
    pub(crate) fn freeze(&mut self, b: usize) {
        self.close_batch(b);
        if self.storage.batches[b].frozen {
            return;
        }
        self.anchor(b);
        self.compress(b);
        let batch = &mut self.storage.batches[b];
        batch.frozen = true;
        batch.stamped = false;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            reason = "a batch is below 2 GiB"
        )]
        let header = BatchHeader {
            length: (batch.size as usize - BEFORE_LENGTH) as i32,
            #[cfg(feature = "compression")]
            attributes: if batch.compressed { batch.codec.id() } else { 0 },
            #[cfg(not(feature = "compression"))]
            attributes: 0,
            last_offset_delta: i32::from(batch.records) - 1,
            base_timestamp: batch.base_timestamp,
            max_timestamp: batch.max_timestamp,
            producer_id: -1,
            epoch: -1,
            base_sequence: -1,
            count: i32::from(batch.records),
        };
        let start = self.storage.batch_start(self.storage.batches[b].chunk);
        if let Some(place) =
            self.storage.chunks.get_mut(start..).and_then(|at| at.first_chunk_mut())
        {
            header.write(place);
        }
    }

    /// Writes whose batch it is, and the CRC, unless they stand there already.
    pub(crate) fn stamp(&mut self, b: usize) {
        let batch = &mut self.storage.batches[b];
        if batch.stamped {
            return;
        }
        batch.stamped = true;
        #[cfg(feature = "snapshot")]
        {
            batch.released = false;
        }
        let partition = &self.storage.partitions[usize::from(batch.partition)];
        let (id, epoch, sequence) = if self.identity.is_idempotent() {
            (partition.producer_id_plus_1 - 1, partition.epoch, batch.sequence.get())
        } else {
            (-1, -1, -1)
        };
        let range = self.bytes_of(b);
        let bytes = &mut self.storage.chunks[range];
        if let Some(header) = bytes.first_chunk_mut() {
            batch_header::stamp(header, id, epoch, sequence);
        }
        batch_header::set_crc(bytes, self.config.crc32c);
    }

    /// Milliseconds since the batch was opened become real time, once there is a clock.
    pub(crate) fn anchor(&mut self, b: usize) {
        let batch = &mut self.storage.batches[b];
        if !batch.anchored
            && let Some(clock) = self.clock
        {
            batch.base_timestamp = clock.at(batch.opened).as_millis();
            batch.max_timestamp = batch.max_timestamp.wrapping_add(batch.base_timestamp);
            batch.anchored = true;
        }
    }

    /// Where the batch lies in the chunks.
    pub(crate) fn bytes_of(&self, b: usize) -> Range<usize> {
        let batch = &self.storage.batches[b];
        let start = self.storage.batch_start(batch.chunk);
        start..start + batch.size as usize
    }

    /// Compresses the records into other chunks; a batch that would not shrink, or has no memory for it, goes out as
    /// it is.
    #[cfg(feature = "compression")]
    fn compress(&mut self, b: usize) {
        let batch = self.storage.batches[b];
        // With a guest, that one's records lie in the same chunk.
        if batch.squeezed || batch.codec == crate::Compression::None || batch.kin().guest.is_some()
        {
            return;
        }
        let mut codecs = core::mem::take(&mut self.storage.codecs);
        let done = self.rewrite(b, |records, out| {
            // No larger than one byte less: else it did not shrink.
            let room = out.len().min(records.len().saturating_sub(1));
            codecs.compress(batch.codec, records, &mut out[..room])
        });
        self.storage.codecs = codecs;
        let now = &mut self.storage.batches[b];
        now.compressed = done;
        now.squeezed = true;
        now.outside = false;
    }

    #[cfg(not(feature = "compression"))]
    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "has a body with a codec"
    )]
    fn compress(&mut self, _: usize) {}

    /// The records as they were appended. False when memory lacks; the batch stays compressed then.
    #[cfg(feature = "compression")]
    pub(crate) fn make_plain(&mut self, b: usize) -> bool {
        let batch = self.storage.batches[b];
        if batch.compressed {
            let mut codecs = core::mem::take(&mut self.storage.codecs);
            let done = self.rewrite(b, |from, out| codecs.decompress(batch.codec, from, out));
            self.storage.codecs = codecs;
            if !done {
                return false;
            }
        }
        // Compressed again, perhaps in parts: with that its header changes.
        let batch = &mut self.storage.batches[b];
        batch.compressed = false;
        batch.squeezed = false;
        batch.frozen = false;
        batch.stamped = false;
        true
    }

    #[cfg(not(feature = "compression"))]
    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "has a body with a codec"
    )]
    pub(crate) fn make_plain(&mut self, _: usize) -> bool {
        true
    }

    /// Lets `codec` write the records into other chunks, from where they take the old ones' place: a batch never moves.
    #[cfg(feature = "compression")]
    #[allow(clippy::cast_possible_truncation, reason = "no larger than the run of chunks")]
    fn rewrite(&mut self, b: usize, codec: impl FnOnce(&[u8], &mut [u8]) -> Option<usize>) -> bool {
        let batch = self.storage.batches[b];
        let spare = self.spare.filter(|_| batch.chunks <= self.spare_run());
        let Some(to) = spare.or_else(|| self.take_chunks(batch.chunks)) else { return false };
        let source = self.bytes_of(b);
        let start = self.storage.batch_start(to);
        let room = start..start + self.storage.capacity(batch.chunks) as usize;
        let header = HEADER as usize;
        let written = match self.storage.chunks.get_disjoint_mut([source, room]) {
            Ok([from, to]) => {
                from.get(header..).zip(to.get_mut(header..)).and_then(|(from, to)| codec(from, to))
            }
            Err(_) => None,
        };
        if spare.is_none() {
            self.give_back_chunks(to, batch.chunks);
        }
        let Some(written) = written else { return false };
        let records = start + header..start + header + written;
        let place = self.storage.batch_start(batch.chunk) + header;
        shift(&mut self.storage.chunks, records, place);
        self.storage.batches[b].size = HEADER + written as u32;
        true
    }
}
