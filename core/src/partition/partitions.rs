//! A topic's partitions as a partitioner sees them: no slice is built.

use super::PartitionSlot;
use crate::backoff::Rng;
use crate::cluster::CLUSTER;
use crate::connection::ConnState;
use crate::producer::Producer;
use crate::storage::list::Link;

/// A topic's partitions, while a partitioner chooses among them; also from
/// [`Producer::partitions`](crate::Producer::partitions).
///
/// A partition is *available* when it has a leader, and one of the slots of `Limits::partitions`.
pub struct Partitions<'p> {
    producer: &'p Producer<'p>,
    topic: usize,
    /// Bytes of the record as a batch of its own, without the header.
    size: u32,
    pub(crate) rng: Rng,
    /// The sticky partition that was chosen now; else the topic's own holds, which is read where it lies: a copy would wait
    /// for what the last record has just written there.
    pub(crate) picked: Option<Sticky>,
    /// The choice is the sticky partition: what is appended counts for it.
    pub(crate) stuck: bool,
    /// A slot that was looked at: the choice's, as a rule.
    pub(crate) seen: Option<usize>,
}

/// The partition that records without keys go to at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sticky {
    /// Its index + 1; 0 for none chosen.
    pub(crate) index_plus_1: i32,
    /// Bytes appended to it since it was chosen.
    pub(crate) bytes: u32,
    /// The slot that its last record went to.
    pub(crate) slot: Link,
}

impl Sticky {
    pub(crate) const NONE: Self = Self { index_plus_1: 0, bytes: 0, slot: Link::NONE };
    /// It is left after so many bytes where it has no batch to fill: Java's default batch (KIP-794). Batches of a megabyte
    /// would keep a slow sender with one partition for hours.
    const ENOUGH: u32 = 16_384;
}

impl<'p> Partitions<'p> {
    pub(crate) fn new(producer: &'p Producer<'p>, topic: usize, size: u32) -> Self {
        Self { producer, topic, size, rng: producer.rng, picked: None, stuck: false, seen: None }
    }

    /// How many the topic has, available or not; at least 1. O(1).
    pub fn count(&self) -> i32 {
        self.producer.storage.topics[self.topic].partitions
    }

    /// How many of them are available. O(1).
    pub fn available(&self) -> i32 {
        i32::from(self.producer.storage.topics[self.topic].led)
    }

    /// Is this one available? O(1).
    pub fn is_available(&self, index: i32) -> bool {
        self.slot(index).is_some_and(|slot| slot.leader.is_some())
    }

    /// The available partition number `nth` of 0 to [`available`](Self::available) - 1, in an order that stays as long as
    /// leaders do. O(1) when all partitions are available, else up to a step for each slot of `Limits::partitions`.
    pub fn nth_available(&self, nth: i32) -> Option<i32> {
        if self.available() == self.count() {
            return (0..self.count()).contains(&nth).then_some(nth);
        }
        self.led().nth(usize::try_from(nth).ok()?).map(|slot| slot.index)
    }

    /// Is there an open connection to this one's leader? O(1).
    pub fn is_connected(&self, index: i32) -> bool {
        self.slot(index).is_some_and(|slot| self.has_connection(slot))
    }

    /// How many batches of this one have no outcome yet. O(1).
    pub fn queued(&self, index: i32) -> u16 {
        self.slot(index).map_or(0, |slot| slot.queued)
    }

    /// How many records of the topic a partitioner placed before this one (wrapping): whose turn it is. O(1).
    pub fn turn(&self) -> u32 {
        self.producer.storage.topics[self.topic].turn
    }

    /// A random number below `n` (0 if `n` is 0), from the producer's seed.
    pub fn random_below(&mut self, n: u32) -> u32 {
        self.rng.below(n)
    }

    /// A random partition that is available; any if none is.
    pub fn random_available(&mut self) -> i32 {
        // Where few partitions have slots at all, the next one that has is found at once.
        let tries = if CLUSTER { 8 } else { 0 };
        let mut index = 0;
        for _ in 0..tries {
            index = self.rng.below(self.count().cast_unsigned()).cast_signed();
            if self.is_available(index) {
                return index;
            }
        }
        // Few have a leader, or few have a slot: take the next one that has both.
        let slots = self.slots();
        let mut at = self.rng.below(u32::from(self.producer.partitions_used)) as usize;
        for _ in 0..slots.len() {
            if let Some(slot) = slots.get(at).filter(|slot| self.is_led(slot)) {
                return slot.index;
            }
            at = if at + 1 < slots.len() { at + 1 } else { 0 };
        }
        index
    }

    /// A random partition whose leader is connected; any that is available if none is. Up to a step for each slot of
    /// `Limits::partitions`.
    pub fn random_connected(&mut self) -> i32 {
        let connected = self.led().filter(|slot| self.has_connection(slot)).count();
        let nth = self.rng.below(u32::try_from(connected).unwrap_or(u32::MAX)) as usize;
        let chosen = self.led().filter(|slot| self.has_connection(slot)).nth(nth);
        match chosen.map(|slot| slot.index) {
            Some(index) => index,
            None => self.random_available(),
        }
    }

    /// The sticky partition, a random one that is available (KIP-480, KIP-794): the same for about `batch_size` bytes while
    /// they share a batch, and for 16 KiB at most where batches are sealed before they are full.
    pub fn sticky(&mut self) -> i32 {
        self.sticky_by(Self::random_available)
    }

    /// The same, but the next one is chosen with weights: the shorter a partition's queue, the likelier. Partitions whose
    /// leaders took nothing for `partitioner_availability_timeout_ms` are left out. The choice takes up to two steps
    /// for each slot of `Limits::partitions`.
    pub fn adaptive(&mut self) -> i32 {
        self.sticky_by(Self::random_by_queue)
    }

    /// The sticky partition: `pick` chooses another one whenever the last has got as many bytes as
    /// [`sticky`](Self::sticky) says.
    pub fn sticky_by(&mut self, pick: impl FnOnce(&mut Self) -> i32) -> i32 {
        self.stuck = true;
        let sticky =
            self.picked.as_ref().unwrap_or(&self.producer.storage.topics[self.topic].sticky);
        if sticky.index_plus_1 > 0 {
            let (index, bytes) = (sticky.index_plus_1 - 1, sticky.bytes);
            let batch_max = self.producer.batch_max;
            let is_its =
                |p: &usize| self.slots().get(*p).is_some_and(|slot| self.is_of(slot, index));
            let known = sticky.slot.get().filter(|p| CLUSTER && is_its(p));
            self.seen = known.or_else(|| self.producer.find_partition(self.topic, index));
            let open = self.seen.and_then(|p| self.producer.storage.partitions[p].open.get());
            let room = open.is_some_and(|b| {
                self.producer.storage.batches[b].size.saturating_add(self.size) <= batch_max
            });
            let enough = batch_max.min(Sticky::ENOUGH);
            if room || bytes.saturating_add(self.size) < enough {
                return index;
            }
        }
        let index = pick(self);
        self.picked = Some(Sticky { index_plus_1: index.saturating_add(1), ..Sticky::NONE });
        index
    }

    /// Java's table of cumulative weights, without the table: with the longest queue of n batches, one of q weighs
    /// n + 1 - q.
    fn random_by_queue(&mut self) -> i32 {
        let fit = |this: &Self, slot: &PartitionSlot| !this.is_slow(slot);
        let longest = self.led().filter(|slot| fit(self, slot)).map(|slot| slot.queued).max();
        let Some(longest) = longest else { return self.random_available() };
        let weight = |slot: &PartitionSlot| u32::from(longest - slot.queued) + 1;
        let total = self.led().filter(|slot| fit(self, slot)).map(weight).sum();
        let mut left = self.rng.below(total);
        let mut chosen = None;
        for slot in self.led().filter(|slot| fit(self, slot)) {
            chosen = Some(slot.index);
            match left.checked_sub(weight(slot)) {
                Some(less) => left = less,
                None => break,
            }
        }
        chosen.unwrap_or_default()
    }

    /// Has the leader had something to take for longer than the availability timeout, and not taken it?
    fn is_slow(&self, slot: &PartitionSlot) -> bool {
        let timeout = self.producer.config.partitioner_availability_timeout_ms;
        let broker = slot.leader.get().map(|broker| &self.producer.storage.brokers[broker]);
        timeout > 0
            && broker.is_some_and(|broker| {
                !broker.ready.is_empty()
                    && broker.waits_since.plus_millis(timeout) < self.producer.now
            })
    }

    fn has_connection(&self, slot: &PartitionSlot) -> bool {
        let broker = slot.leader.get().map(|broker| &self.producer.storage.brokers[broker]);
        let conn = broker.and_then(|broker| broker.conn.get());
        conn.is_some_and(|c| self.producer.storage.connections[c].state == ConnState::Ready)
    }

    fn slot(&self, index: i32) -> Option<&'p PartitionSlot> {
        let p = self.producer.find_partition(self.topic, index)?;
        self.producer.storage.partitions.get(p)
    }

    /// The slots of available partitions.
    fn led(&self) -> impl Iterator<Item = &'p PartitionSlot> + use<'p> {
        let topic = self.topic;
        let is_led =
            move |slot: &&PartitionSlot| usize::from(slot.topic) == topic && slot.leader.is_some();
        self.slots().iter().filter(is_led)
    }

    fn is_of(&self, slot: &PartitionSlot, index: i32) -> bool {
        slot.index == index && usize::from(slot.topic) == self.topic
    }

    fn is_led(&self, slot: &PartitionSlot) -> bool {
        usize::from(slot.topic) == self.topic && slot.leader.is_some()
    }

    fn slots(&self) -> &'p [PartitionSlot] {
        let used = usize::from(self.producer.partitions_used);
        self.producer.storage.partitions.get(..used).unwrap_or_default()
    }
}
