//! What waits to be sent for the first time: counted in all and per broker, held back, bounded, dropped.

use super::Producer;
use crate::batch::{Fate, HEADER, NO_REASON, QUEUE, UNSENT};
use crate::error::SendError;
use crate::id::TopicId;
use crate::policy::{Overflow, Policies};
use crate::storage::list::{self, Link, List};
use crate::time::Instant;

/// Records, and their bytes as in a batch before compression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    records: u32,
    bytes: u32,
}

impl Count {
    pub(crate) const ZERO: Self = Self { records: 0, bytes: 0 };

    const fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }

    const fn take(&mut self, other: Self) {
        self.records -= other.records;
        self.bytes -= other.bytes;
    }

    /// Would `more` be too much? Not where nothing waits: what alone is too much would never be accepted.
    const fn exceeds(self, more: Self, records_max: u32, bytes_max: u32) -> (bool, bool) {
        let records = self.records > 0 && self.records.saturating_add(more.records) > records_max;
        let bytes = self.records > 0 && self.bytes.saturating_add(more.bytes) > bytes_max;
        (records, bytes)
    }
}

/// What the producer keeps of it.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Does any option ask how much waits? Else nobody counts.
    counts: bool,
    /// Batches that were never sent, oldest first.
    unsent: List,
    all: Count,
    /// Of that, what lingers.
    held: Count,
    /// Not before, and not later than, the delivery interval says.
    next_delivery: Instant,
}

impl Waiting {
    pub(crate) const fn new(policies: &Policies) -> Self {
        Self {
            counts: policies.count(),
            unsent: List::EMPTY,
            all: Count::ZERO,
            held: Count::ZERO,
            next_delivery: Instant::ZERO,
        }
    }
}

impl Producer<'_> {
    /// A batch was opened.
    pub(super) fn queue_batch(&mut self, b: usize) {
        let now = self.now;
        self.waiting.unsent.push_back(&mut self.storage.batches, UNSENT, b);
        let interval = self.config.policies.delivery_interval_ms;
        if interval > 0 && self.waiting.held.records == 0 && self.waiting.next_delivery <= now {
            self.waiting.next_delivery = now.plus_millis(interval);
            self.wake = true;
        }
    }

    /// The batch has got more.
    pub(super) fn queue_records(&mut self, p: usize, b: usize, records: u16, bytes: u32) {
        if !self.waiting.counts {
            return;
        }
        let more = Count { records: u32::from(records), bytes };
        self.waiting.all.add(more);
        if !self.storage.batches[b].due {
            self.waiting.held.add(more);
        }
        let partition = &mut self.storage.partitions[p];
        partition.waiting.add(more);
        if let Some(broker) = partition.leader.get() {
            self.storage.brokers[broker].waiting.add(more);
        }
    }

    /// So much is held back that nothing is any longer.
    pub(super) fn release_at_threshold(&mut self) {
        let (held, policies) = (self.waiting.held, &self.config.policies);
        if !self.waiting.counts {
            return;
        }
        if held.records >= policies.send_at_records || held.bytes >= policies.send_at_bytes {
            self.release_all();
        }
    }

    /// The batch lingers no longer.
    pub(crate) fn count_released(&mut self, b: usize) {
        if self.waiting.counts {
            self.waiting.held.take(self.count(b));
        }
    }

    /// The batch is sent for the first time, or never.
    pub(crate) fn unqueue_batch(&mut self, p: usize, b: usize) {
        self.waiting.unsent.remove(&mut self.storage.batches, UNSENT, b);
        if !self.waiting.counts {
            return;
        }
        let gone = self.count(b);
        self.waiting.all.take(gone);
        let partition = &mut self.storage.partitions[p];
        partition.waiting.take(gone);
        if let Some(broker) = partition.leader.get() {
            self.storage.brokers[broker].waiting.take(gone);
        }
    }

    fn count(&self, b: usize) -> Count {
        let batch = &self.storage.batches[b];
        Count { records: u32::from(batch.records), bytes: batch.plain.saturating_sub(HEADER) }
    }

    /// What waits for a partition waits for its leader.
    pub(crate) fn move_waiting(&mut self, p: usize, from: Link, to: Link) {
        let moved = self.storage.partitions[p].waiting;
        if let Some(from) = from.get() {
            self.storage.brokers[from].waiting.take(moved);
        }
        if let Some(to) = to.get() {
            self.storage.brokers[to].waiting.add(moved);
        }
    }

    /// Makes sure that so much more may wait for the partition.
    #[inline]
    pub(super) fn make_queue_room(
        &mut self,
        p: usize,
        records: u16,
        bytes: u32,
    ) -> Result<(), SendError> {
        if self.waiting.counts { self.bound_queues(p, records, bytes) } else { Ok(()) }
    }

    fn bound_queues(&mut self, p: usize, records: u16, bytes: u32) -> Result<(), SendError> {
        let more = Count { records: u32::from(records), bytes };
        while let Some((option, max, oldest)) = self.exceeded_bound(p, more) {
            let droppable = oldest.filter(|_| self.may_drop());
            let Some(b) = droppable else {
                let topic = TopicId(self.storage.partitions[p].topic);
                self.full();
                return Err(SendError::QueueFull { topic, option, max });
            };
            self.drop_batch(b);
        }
        Ok(())
    }

    /// The bound that so much more would break, and the batch that is in the way.
    fn exceeded_bound(&self, p: usize, more: Count) -> Option<(&'static str, u32, Option<usize>)> {
        let policies = &self.config.policies;
        let (records, bytes) = (policies.queue_records_max, policies.queue_bytes_max);
        let oldest = self.waiting.unsent.head();
        match self.waiting.all.exceeds(more, records, bytes) {
            (true, _) => return Some(("queue_records_max", records, oldest)),
            (_, true) => return Some(("queue_bytes_max", bytes, oldest)),
            _ => {}
        }
        let broker = self.storage.partitions[p].leader.get()?;
        let (records, bytes) = (policies.broker_queue_records_max, policies.broker_queue_bytes_max);
        match self.storage.brokers[broker].waiting.exceeds(more, records, bytes) {
            (true, _) => Some(("broker_queue_records_max", records, self.oldest_unsent_of(p))),
            (_, true) => Some(("broker_queue_bytes_max", bytes, self.oldest_unsent_of(p))),
            _ => None,
        }
    }

    /// Few are before it: at most five have been sent, but for the parts of a split.
    fn oldest_unsent_of(&self, p: usize) -> Option<usize> {
        let mut at = self.head(p);
        while let Some(b) = at.filter(|&b| self.storage.batches[b].sent) {
            at = list::next(&self.storage.batches, QUEUE, b);
        }
        at
    }

    /// Too few chunks are free: those of the oldest batches, if they may be dropped.
    pub(super) fn drop_for_chunks(&mut self, run: u16) -> Option<u16> {
        while self.may_drop() {
            let oldest = self.waiting.unsent.head()?;
            self.drop_batch(oldest);
            let chunk = self.take_chunks(run);
            if chunk.is_some() {
                return chunk;
            }
        }
        None
    }

    /// A dropped batch keeps its slot until its report is taken: where none is left for a new batch, dropping is in vain.
    fn may_drop(&self) -> bool {
        let slots = self.storage.batches.len();
        self.config.policies.overflow == Overflow::DropOldest
            && (!self.free.is_empty() || usize::from(self.fresh) < slots)
    }

    /// Its chunks are free at once, so its report comes without records.
    fn drop_batch(&mut self, b: usize) {
        let batch = self.storage.batches[b];
        let p = usize::from(batch.partition);
        self.settle(p, b, Fate::Dropped, NO_REASON);
        self.storage.batches[b].chunks = 0;
        self.give_back_chunks(batch.chunk, batch.chunks);
        self.refile(p);
    }

    /// What `send` says of records that found no room.
    pub(super) fn overflow(&mut self, error: SendError, records: u16) -> SendError {
        let room = matches!(error, SendError::Full | SendError::QueueFull { .. });
        if room && self.config.policies.overflow == Overflow::DropNewest {
            self.counters.refused.up(u32::from(records));
            return SendError::Dropped;
        }
        error
    }

    pub(super) fn expire_interval(&mut self) {
        let now = self.now;
        if self.interval_end().is_some_and(|at| at <= now) {
            self.waiting.next_delivery = now.plus_millis(self.config.policies.delivery_interval_ms);
            self.release_all();
        }
    }

    /// When what is held back goes; `None` if nothing is, or there is no interval.
    pub(super) fn interval_end(&self) -> Option<Instant> {
        let active = self.config.policies.delivery_interval_ms > 0 && !self.linger.is_empty();
        active.then_some(self.waiting.next_delivery)
    }
}
