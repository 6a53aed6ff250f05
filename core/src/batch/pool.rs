//! Batch slots and chunks: taken, given back, and the step from the queue to the reports.

use super::{AGE, AUX, BatchSlot, BatchState, Fate, QUEUE, SPARE, SPLITS};
use crate::error::Reason;
use crate::producer::Producer;
use crate::storage::broken;
use crate::storage::list::{self, Link};

impl Producer<'_> {
    /// A free slot, its generation raised.
    pub(crate) fn take_slot(&mut self) -> Option<usize> {
        let slot = match self.free.pop_front(&mut self.storage.batches, QUEUE) {
            Some(slot) => slot,
            None if usize::from(self.fresh) < self.storage.batches.len() => {
                self.fresh += 1;
                usize::from(self.fresh) - 1
            }
            None => return None,
        };
        let batch = &mut self.storage.batches[slot];
        let generation = batch.generation.wrapping_add(1);
        *batch = BatchSlot::EMPTY;
        batch.generation = generation;
        Some(slot)
    }

    pub(crate) fn has_slot(&self) -> bool {
        !self.free.is_empty() || usize::from(self.fresh) < self.storage.batches.len()
    }

    /// Is a chunk free, besides the spare?
    pub(crate) fn has_free_chunk(&self) -> bool {
        self.chunks.used() < self.storage.chunk_count()
    }

    /// Are so many adjacent chunks free, besides the spare?
    pub(crate) fn has_run(&mut self, run: u16) -> bool {
        if run == 1 {
            return self.has_free_chunk();
        }
        let found = self.take_chunks(run);
        if let Some(first) = found {
            self.chunks.give_back(&mut self.storage.chunk_map, first, run);
        }
        found.is_some()
    }

    fn give_back_slot(&mut self, slot: usize) {
        self.storage.batches[slot].state = BatchState::Free;
        self.free.push_back(&mut self.storage.batches, QUEUE, slot);
    }

    /// `run` adjacent chunks for records; the spare stays aside.
    pub(crate) fn take_chunks(&mut self, run: u16) -> Option<u16> {
        let total = self.storage.chunk_count();
        let map = &mut self.storage.chunk_map;
        let found = self.chunks.take(map, total, run);
        if !SPARE || found.is_some() || run == 1 {
            return found;
        }
        // The spare moves about, and may lie in the way of the only run there is: any other place does as well.
        let (spare, spare_run) = (self.spare.take()?, self.spare_run());
        let map = &mut self.storage.chunk_map;
        self.chunks.give_back(map, spare, spare_run);
        let found = self.chunks.take(map, total, run);
        self.spare = self.chunks.take(map, total, spare_run);
        if self.spare.is_none()
            && let Some(first) = found
        {
            self.chunks.give_back(map, first, run);
            self.spare = self.chunks.take(map, total, spare_run);
            return None;
        }
        found
    }

    /// Chunks of the spare: as many as the largest batch that grows.
    #[allow(clippy::unused_self, reason = "is a field where batches grow")]
    pub(crate) const fn spare_run(&self) -> u16 {
        #[cfg(feature = "grow")]
        return self.spare_run;
        #[cfg(not(feature = "grow"))]
        1
    }

    /// Chunks for a batch that takes more records, with free ones behind them if it may grow.
    pub(crate) fn take_chunks_to_fill(&mut self, run: u16) -> Option<u16> {
        #[cfg(feature = "grow")]
        if self.spare_run > 1 && run <= self.spare_run {
            let total = self.storage.chunk_count();
            let found = self.chunks.take_roomy(&mut self.storage.chunk_map, total, run);
            return found.or_else(|| self.take_chunks(run));
        }
        self.take_chunks(run)
    }

    /// How large the batch may become in its chunks.
    #[cfg(feature = "grow")]
    pub(crate) fn room_in(&self, run: u16) -> u32 {
        self.storage.capacity(run).min(self.batch_max)
    }

    /// Takes the chunks behind the batch for so many bytes in all, if they are free; else it is full. It never moves.
    #[cfg(feature = "grow")]
    #[cold]
    pub(crate) fn grow(&mut self, b: usize, size: u32) -> bool {
        let batch = &self.storage.batches[b];
        let (end, has) = (batch.chunk + batch.chunks, batch.chunks);
        let wants = self.storage.run_for(size);
        let total = self.storage.chunk_count();
        let map = &mut self.storage.chunk_map;
        if size > self.batch_max
            || wants <= has
            || !self.chunks.extend(map, total, end, wants - has)
        {
            return false;
        }
        let room = self.room_in(wants);
        let batch = &mut self.storage.batches[b];
        batch.chunks = wants;
        batch.room = room;
        true
    }

    pub(crate) fn give_back_chunks(&mut self, first: u16, run: u16) {
        if run == 0 {
            return;
        }
        self.chunks.give_back(&mut self.storage.chunk_map, first, run);
        if SPARE && self.keeps_spare && self.spare.is_none() {
            let (total, run) = (self.storage.chunk_count(), self.spare_run());
            self.spare = self.chunks.take(&mut self.storage.chunk_map, total, run);
        }
    }

    /// The oldest batch of the partition has its outcome.
    pub(crate) fn settle_head(&mut self, p: usize, fate: Fate, reason: Reason) {
        if let Some(b) = self.head(p) {
            self.settle(p, b, fate, reason);
        }
    }

    /// A batch of the partition has its outcome: the oldest, or one that was never sent and leaves no gap.
    pub(crate) fn settle(&mut self, p: usize, b: usize, fate: Fate, reason: Reason) {
        let next = list::following(&self.storage.batches, QUEUE, b);
        let partition = &mut self.storage.partitions[p];
        partition.queue.remove(&mut self.storage.batches, QUEUE, b);
        partition.queued -= 1;
        if partition.cursor == Link::to(b) {
            partition.cursor = next;
        }
        if partition.open == Link::to(b) {
            partition.open = Link::NONE;
        }
        if self.storage.batches[b].sent {
            partition.sent -= 1;
        } else {
            #[cfg(feature = "policies")]
            self.unqueue_batch(p, b);
        }
        if self.age_cursor == Link::to(b) {
            self.age_cursor = list::following(&self.storage.batches, AGE, b);
        }
        self.age.remove(&mut self.storage.batches, AGE, b);
        self.end_linger(b);
        self.finish(b, fate, reason);
    }

    /// Counts the outcome, and makes it a report; a pinned batch is reported when its frame has ended.
    fn finish(&mut self, b: usize, fate: Fate, reason: Reason) {
        let batch = &mut self.storage.batches[b];
        if batch.state == BatchState::Done {
            broken("a batch has one outcome");
        }
        batch.state = BatchState::Done;
        batch.fate = fate;
        batch.reason = reason;
        let records = u32::from(batch.records);
        let pinned = batch.pinned;
        #[cfg(feature = "events")]
        self.note_outcome(b);
        if fate == Fate::Delivered && !pinned {
            self.hand_over(b);
        }
        let batch = &self.storage.batches[b];
        self.storage.partitions[usize::from(batch.partition)].unread += 1;
        let counters = &mut self.counters;
        counters.buffered.down(records);
        let outcome = match fate {
            Fate::Delivered => &mut counters.delivered,
            Fate::NotPersisted => &mut counters.not_persisted,
            Fate::Unknown => &mut counters.unknown,
            #[cfg(feature = "policies")]
            Fate::Dropped => &mut counters.dropped,
        };
        outcome.up(records);
        if !pinned {
            self.make_report(b);
        }
    }

    pub(crate) fn make_report(&mut self, b: usize) {
        self.wake = true;
        self.reports.push_back(&mut self.storage.batches, AUX, b);
        self.make_readable(b);
    }

    /// Whoever takes the report may want the records back. Where memory lacks for that, it is tried again when the report
    /// is the next one.
    pub(crate) fn make_readable(&mut self, b: usize) {
        if matches!(self.storage.batches[b].fate, Fate::NotPersisted | Fate::Unknown) {
            self.make_plain(b);
        }
    }

    /// The report was taken: memory and slot are free again. A slot whose parts are still under way stays, for they
    /// go by its id.
    pub(crate) fn release(&mut self, b: usize) {
        let p = usize::from(self.storage.batches[b].partition);
        self.storage.partitions[p].unread -= 1;
        if SPLITS && self.storage.batches[b].kin().guest.is_some() {
            self.hand_over(b);
            self.refile(p);
        }
        let batch = self.storage.batches[b];
        self.give_back_chunks(batch.chunk, batch.chunks);
        self.storage.batches[b].chunks = 0;
        if !SPLITS || batch.kin().parts == 0 {
            self.give_back_slot(b);
        }
        if let Some(origin) = batch.kin().origin.get().filter(|_| SPLITS) {
            let slot = &mut self.storage.batches[origin];
            slot.change_kin(|kin| kin.parts -= 1);
            if slot.kin().parts == 0 && slot.state == BatchState::Done && slot.told == slot.records
            {
                self.give_back_slot(origin);
            }
        }
    }
}
