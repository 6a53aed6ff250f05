//! The way of a record into a batch.

use super::{Destination, Producer};
use crate::batch::record::Record;
use crate::batch::{AGE, AUX, BatchSlot, BatchState, HEADER, QUEUE};
use crate::cluster::refresh::is_final;
use crate::error::SendError;
use crate::id::{BatchId, RecordId};
use crate::partition::partitions::{Partitions, Sticky};
use crate::storage::list::Link;
use crate::time::Instant;
use crate::wire::record::{record_body_size, record_size, with_deltas};

/// The smallest record; a batch with less room is full.
const RECORD_MIN: u32 = 7;

/// A record that has a place: where, and the deltas that it is written with.
pub(super) struct Place {
    pub(super) batch: usize,
    pub(super) ts_delta: i64,
    pub(super) offset_delta: i32,
    /// Bytes of the record after its length, and with it.
    pub(super) body: usize,
    size: u32,
}

impl Producer<'_> {
    /// Accepts a record of at most `value` bytes of value: `write` puts it into the room that it is given, and says how
    /// many bytes it took. Changes nothing on an error.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn accept(
        &mut self,
        to: Destination,
        record: &Record<'_>,
        value: Option<usize>,
        now: Instant,
        write: impl FnOnce(&mut [u8], &Place) -> Option<usize>,
    ) -> Result<RecordId, SendError> {
        self.advance(now);
        if self.closed {
            return Err(SendError::Closed);
        }
        // Without deltas a record is smallest: only a batch of its own is sure to have them 0.
        let body = record_body_size(0, 0, record.key.map(<[u8]>::len), value, record.headers);
        let alone = u32::try_from(record_size(body)).unwrap_or(u32::MAX).saturating_add(HEADER);
        if alone > self.record_max {
            return Err(SendError::TooLarge { size: alone, max: self.record_max });
        }
        #[cfg(feature = "compression")]
        let codec = self.codec_for(to)?;
        let (p, stuck) = self.choose_partition(to, record, alone - HEADER)?;
        let place = self.place(
            p,
            record,
            (body, alone - HEADER),
            #[cfg(feature = "compression")]
            codec,
        );
        #[cfg(feature = "policies")]
        let place = place.map_err(|error| self.overflow(error, 1));
        let place = place?;
        let batch = &self.storage.batches[place.batch];
        let start = self.storage.batch_start(batch.chunk) + batch.size as usize;
        // The room was checked with the exact size, so `write` has enough.
        let end = start + place.size as usize;
        let room = self.storage.chunks.get_mut(start..end).unwrap_or_default();
        let written = write(room, &place).unwrap_or_default();
        if to.partition.is_none() {
            self.placed(
                to.topic.index(),
                stuck.then_some(p),
                u32::try_from(written).unwrap_or(u32::MAX),
            );
        }
        Ok(self.appended(p, &place, written))
    }

    /// Book-keeping behind the copy.
    #[allow(clippy::cast_possible_truncation, reason = "a record is smaller than its chunks")]
    fn appended(&mut self, p: usize, place: &Place, written: usize) -> RecordId {
        let b = place.batch;
        let batch = &mut self.storage.batches[b];
        let index = batch.records;
        batch.records += 1;
        batch.size += written as u32;
        batch.plain = batch.size;
        let timestamp = batch.base_timestamp.wrapping_add(place.ts_delta);
        batch.max_timestamp =
            if index == 0 { timestamp } else { batch.max_timestamp.max(timestamp) };
        self.grown(p, b, 1, written as u32);
        RecordId { batch: self.batch_id(b), index }
    }

    /// The batch has got `records` more, of so many bytes.
    #[cfg_attr(not(feature = "policies"), allow(unused_variables, reason = "who counts bytes"))]
    pub(super) fn grown(&mut self, p: usize, b: usize, records: u16, bytes: u32) {
        self.counters.buffered.up(u32::from(records));
        #[cfg(feature = "policies")]
        self.queue_records(p, b, records, bytes);
        let batch = &self.storage.batches[b];
        let full =
            batch.size + RECORD_MIN > self.batch_max || batch.records >= self.config.batch_records;
        let fresh = batch.records == records;
        if full {
            self.close_batch(b);
            self.refile(p);
        } else if fresh && batch.due {
            self.refile(p);
        }
        if fresh && self.storage.partitions[p].leader == Link::NONE {
            self.request_metadata();
        }
        #[cfg(feature = "policies")]
        self.release_at_threshold();
    }

    pub(crate) fn batch_id(&self, b: usize) -> BatchId {
        #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 slots")]
        BatchId { slot: b as u16, generation: self.storage.batches[b].generation }
    }

    /// The batch that takes the record: the open one of the partition, or a new one. `body` is the record's with deltas
    /// of 0, `alone` the same with its length.
    #[cfg_attr(not(target_os = "none"), inline(always))] // its result would go through memory
    fn place(
        &mut self,
        p: usize,
        record: &Record<'_>,
        (body, alone): (usize, u32),
        #[cfg(feature = "compression")] codec: crate::Compression,
    ) -> Result<Place, SendError> {
        #[cfg(feature = "policies")]
        self.make_queue_room(p, 1, alone)?;
        let anchored = record.timestamp.is_some() || self.clock.is_some();
        // Not one that has expired or was purged, and only waits for what is in flight before it.
        let open = self.storage.partitions[p].open.get();
        let open = open.filter(|&b| !self.storage.batches[b].expired);
        #[cfg(feature = "compression")]
        let open = open.filter(|&b| self.storage.batches[b].codec == codec);
        if let Some(b) = open {
            self.anchor(b);
            let batch = &self.storage.batches[b];
            if batch.anchored == anchored {
                let offset_delta = i32::from(batch.records);
                let ts_delta = self.ts_delta(record, batch);
                let body = with_deltas(body, ts_delta, offset_delta);
                let size = u32::try_from(record_size(body)).unwrap_or(u32::MAX);
                let grown = batch.size.saturating_add(size);
                #[cfg(feature = "grow")]
                let fits = grown <= batch.room || self.grow(b, grown);
                #[cfg(not(feature = "grow"))]
                let fits = grown <= self.batch_max;
                if fits {
                    return Ok(Place { batch: b, ts_delta, offset_delta, body, size });
                }
            }
        }
        let b = self.open_batch(p, alone + HEADER, anchored)?;
        let batch = &mut self.storage.batches[b];
        #[cfg(feature = "compression")]
        {
            batch.codec = codec;
        }
        if let (true, Some(timestamp)) = (anchored, record.timestamp) {
            batch.base_timestamp = timestamp.as_millis();
        }
        Ok(Place { batch: b, ts_delta: 0, offset_delta: 0, body, size: alone })
    }

    /// Milliseconds from the batch's base to the record's timestamp; without a clock, to now.
    fn ts_delta(&self, record: &Record<'_>, batch: &BatchSlot) -> i64 {
        let now = self.now;
        match (record.timestamp, self.clock) {
            (Some(timestamp), _) => timestamp.as_millis().wrapping_sub(batch.base_timestamp),
            (None, Some(clock)) => clock.at(now).as_millis().wrapping_sub(batch.base_timestamp),
            (None, None) => now.millis_since(batch.opened),
        }
    }

    /// A new batch at the end of the partition's queue. The one that was open is closed, but only once there is
    /// memory: a refused record changes nothing.
    pub(super) fn open_batch(
        &mut self,
        p: usize,
        size: u32,
        anchored: bool,
    ) -> Result<usize, SendError> {
        let now = self.now;
        let run = self.storage.run_for(size);
        let chunk = self.take_chunks_to_fill(run);
        #[cfg(feature = "policies")]
        let chunk = chunk.or_else(|| self.drop_for_chunks(run));
        let Some(chunk) = chunk else { return Err(self.full()) };
        let Some(b) = self.take_slot() else {
            self.chunks.give_back(&mut self.storage.chunk_map, chunk, run);
            return Err(self.full());
        };
        if let Some(open) = self.storage.partitions[p].open.get() {
            self.close_batch(open);
            self.refile(p);
        }
        self.born = self.born.wrapping_add(1);
        let base = match self.clock {
            Some(clock) if anchored => clock.at(now).as_millis(),
            _ => 0,
        };
        let due = self.config.linger_ms == 0;
        #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 partitions")]
        let partition = p as u16;
        #[cfg(feature = "grow")]
        let room = self.room_in(run);
        // `take_slot` has emptied it.
        let batch = &mut self.storage.batches[b];
        #[cfg(feature = "grow")]
        {
            batch.room = room;
        }
        batch.state = BatchState::Open;
        batch.due = due;
        batch.anchored = anchored;
        batch.chunk = chunk;
        batch.chunks = run;
        batch.partition = partition;
        batch.size = HEADER;
        batch.born = self.born;
        batch.opened = now;
        batch.asleep = self.asleep;
        batch.base_timestamp = base;
        batch.base_offset = -1;
        batch.append_time = -1;
        let partition = &mut self.storage.partitions[p];
        partition.queue.push_back(&mut self.storage.batches, QUEUE, b);
        partition.queued += 1;
        partition.open = Link::to(b);
        if !partition.cursor.is_some() {
            partition.cursor = Link::to(b);
        }
        self.age.push_back(&mut self.storage.batches, AGE, b);
        if !self.age_cursor.is_some() {
            self.age_cursor = Link::to(b);
            self.wake_for(|this| this.delivery_end(b));
        }
        #[cfg(feature = "policies")]
        self.queue_batch(b);
        if !due {
            if self.linger.is_empty() {
                self.wake_for(|this| this.linger_end(b));
            }
            self.linger.push_back(&mut self.storage.batches, AUX, b);
        }
        Ok(b)
    }

    /// No memory: the oldest batch that only waits for more records goes at once, so that some will be free.
    pub(super) fn full(&mut self) -> SendError {
        if let Some(oldest) = self.linger.head().filter(|_| !self.holds_full_batches()) {
            self.make_due(oldest);
        }
        SendError::Full
    }

    /// The slot of the partition that the record goes to, and whether that is the sticky one. Fixed at acceptance: a retry never asks again
    /// (ruby-kafka 956).
    pub(super) fn choose_partition(
        &mut self,
        to: Destination,
        record: &Record<'_>,
        size: u32,
    ) -> Result<(usize, bool), SendError> {
        let t = to.topic.index();
        let Some(topic) = self.storage.topics.get(t).filter(|_| t < usize::from(self.topics_used))
        else {
            return Err(SendError::InvalidTopic);
        };
        let (partitions, error) = (topic.partitions, topic.error);
        if is_final(error) {
            self.request_metadata();
            return Err(SendError::Topic(error));
        }
        let mut stuck = false;
        let index = match (to.partition, record.key) {
            (Some(index), _) if index < 0 || partitions > 0 && index >= partitions => {
                // It may have been added since.
                self.request_metadata();
                return Err(SendError::NoSuchPartition);
            }
            (Some(index), _) => index,
            (None, _) if partitions == 0 => {
                self.request_metadata();
                return Err(if error.is_ok() {
                    SendError::TopicPending
                } else {
                    SendError::Topic(error)
                });
            }
            (None, key) => {
                let mut view = Partitions::new(self, t, size);
                let index = self.config.partitioner.choose(key, &mut view);
                stuck = view.stuck;
                let (seen, picked) = (view.seen, view.picked);
                self.rng = view.rng;
                if let Some(picked) = picked {
                    self.storage.topics[t].sticky = picked;
                }
                if !(0..partitions).contains(&index) {
                    return Err(SendError::NoSuchPartition);
                }
                if let Some(p) = seen.filter(|&p| self.storage.partitions[p].index == index) {
                    return Ok((p, stuck));
                }
                index
            }
        };
        let slot = self.partition_slot(t, index);
        if slot.is_none() {
            // Else a sticky partition without a slot would be asked for for ever.
            self.storage.topics[t].sticky = Sticky::NONE;
        }
        slot.map(|p| (p, stuck)).ok_or(SendError::NoPartitionSlot)
    }

    /// The partitioner's choice has got `bytes` more; `stuck` is its slot if it was the sticky partition, which is left after
    /// twice a batch in any case.
    pub(super) fn placed(&mut self, t: usize, stuck: Option<usize>, bytes: u32) {
        let topic = &mut self.storage.topics[t];
        topic.turn = topic.turn.wrapping_add(1);
        let Some(p) = stuck else { return };
        topic.sticky.slot = Link::to(p);
        topic.sticky.bytes = topic.sticky.bytes.saturating_add(bytes);
        if topic.sticky.bytes >= self.batch_max.saturating_mul(2) {
            topic.sticky = Sticky::NONE;
        }
    }
}
