//! The way in of many records at once.

use super::{Destination, Producer};
use crate::batch::HEADER;
use crate::batch::builder::Filled;
use crate::batch::record::Record;
use crate::error::SendError;
use crate::id::BatchId;
use crate::time::Instant;

impl Producer<'_> {
    /// Makes a batch of the partition's queue out of the builder's records, behind what was accepted before.
    pub(super) fn accept_batch(
        &mut self,
        to: Destination,
        filled: Filled<'_>,
        now: Instant,
    ) -> Result<BatchId, SendError> {
        self.advance(now);
        if self.closed {
            return Err(SendError::Closed);
        }
        let Filled { size, records, .. } = filled;
        if records == 0 {
            return Err(SendError::EmptyBatch);
        }
        if size > self.record_max {
            return Err(SendError::TooLarge { size, max: self.record_max });
        }
        #[cfg(feature = "compression")]
        let codec = self.codec_for(to)?;
        let (p, stuck) = self.choose_partition(to, &Record::null(), size - HEADER)?;
        let anchored = filled.base_timestamp.is_some() || self.clock.is_some();
        #[cfg(feature = "policies")]
        let room = self.make_queue_room(p, records, size - HEADER);
        #[cfg(not(feature = "policies"))]
        let room = Ok(());
        let b = room.and_then(|()| self.open_batch(p, size, anchored));
        #[cfg(feature = "policies")]
        let b = b.map_err(|error| self.overflow(error, records));
        let b = b?;
        let batch = &mut self.storage.batches[b];
        batch.base_timestamp = filled.base_timestamp.unwrap_or(batch.base_timestamp);
        batch.max_timestamp = batch.base_timestamp.wrapping_add(filled.max_ts_delta);
        batch.records = records;
        #[cfg(feature = "compression")]
        {
            batch.codec = codec;
        }
        batch.size = size;
        batch.plain = size;
        let range = self.bytes_of(b);
        let place = self.storage.chunks.get_mut(range).unwrap_or_default();
        if let Some(place) = place.get_mut(HEADER as usize..) {
            place.copy_from_slice(filled.bytes);
        }
        if to.partition.is_none() {
            self.placed(to.topic.index(), stuck.then_some(p), size);
        }
        self.grown(p, b, records, size - HEADER);
        if filled.closed {
            self.close_batch(b);
            self.refile(p);
        }
        Ok(self.batch_id(b))
    }
}
