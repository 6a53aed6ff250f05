//! Finding the slot of a partition by topic and index: a hash of slot numbers, for a device may have two slots on a
//! topic of 3,000 partitions.

use super::{BUCKETS, PartitionSlot, Place};
use crate::cluster::CLUSTER;
use crate::producer::Producer;
use crate::storage::list::Link;

/// Are the partitions that a broker leads counted? Where none is ever forgotten, only for figures.
const COUNTS_LED: bool = CLUSTER || cfg!(feature = "events");

impl Producer<'_> {
    fn bucket(&self, topic: usize, index: i32) -> usize {
        // Neighbouring partitions of one topic go to neighbouring buckets: no collisions until it is full.
        #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 topics")]
        let hash = (topic as u32).wrapping_mul(0x9e37_79b1).wrapping_add(index.cast_unsigned());
        #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 buckets")]
        let buckets = self.storage.buckets.len() as u32;
        // Of 32 bits, which take a processor half as long to divide as 64.
        hash.checked_rem(buckets).unwrap_or_default() as usize
    }

    pub(crate) fn find_partition(&self, topic: usize, index: i32) -> Option<usize> {
        let is_it = |partition: &PartitionSlot| {
            partition.index == index && usize::from(partition.topic) == topic
        };
        if !CLUSTER {
            // Few have slots, and looking at each of them costs less flash than hashing.
            let used = usize::from(self.partitions_used);
            return self.storage.partitions.iter().take(used).position(is_it);
        }
        let mut at = self.storage.buckets[self.bucket(topic, index)];
        while let Some(p) = at.get() {
            let partition = &self.storage.partitions[p];
            if is_it(partition) {
                return Some(p);
            }
            at = partition.next_in_chain();
        }
        None
    }

    /// The slot of the partition, a fresh one if it has none. A slot is given away only if its partition never
    /// numbered a batch: a sequence that starts again would pass for a duplicate (librdkafka 1.9.0).
    #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 topics")]
    pub(crate) fn partition_slot(&mut self, topic: usize, index: i32) -> Option<usize> {
        if let Some(p) = self.find_partition(topic, index) {
            return Some(p);
        }
        let p = if usize::from(self.partitions_used) < self.storage.partitions.len() {
            self.partitions_used += 1;
            usize::from(self.partitions_used) - 1
        } else {
            let p = self.storage.partitions.iter().position(is_unwritten)?;
            self.forget_partition(p);
            p
        };
        let slot = &mut self.storage.partitions[p];
        *slot = PartitionSlot::EMPTY;
        slot.topic = topic as u16;
        slot.index = index;
        slot.leader_epoch = -1;
        if CLUSTER {
            let bucket = self.bucket(topic, index);
            let before = core::mem::replace(&mut self.storage.buckets[bucket], Link::to(p));
            self.storage.partitions[p].chain = [before; BUCKETS];
        }
        Some(p)
    }

    fn forget_partition(&mut self, p: usize) {
        let partition = self.storage.partitions[p];
        self.set_leader(p, Link::NONE);
        if !CLUSTER {
            return;
        }
        let bucket = self.bucket(usize::from(partition.topic), partition.index);
        let mut at = self.storage.buckets[bucket];
        if at == Link::to(p) {
            self.storage.buckets[bucket] = partition.next_in_chain();
            return;
        }
        while let Some(earlier) = at.get() {
            let slot = &mut self.storage.partitions[earlier];
            if slot.next_in_chain() == Link::to(p) {
                slot.chain = partition.chain;
                return;
            }
            at = slot.next_in_chain();
        }
    }

    /// Moves the partition to another leader, and to its ready list.
    pub(crate) fn set_leader(&mut self, p: usize, leader: Link) {
        let old = core::mem::replace(&mut self.storage.partitions[p].leader, leader);
        if old == leader {
            return;
        }
        if COUNTS_LED && let Some(old) = old.get() {
            self.storage.brokers[old].leads -= 1;
        }
        if COUNTS_LED && let Some(new) = leader.get() {
            self.storage.brokers[new].leads += 1;
        }
        #[cfg(feature = "policies")]
        self.move_waiting(p, old, leader);
        #[cfg(feature = "events")]
        self.note_new_leader(p, old.get(), leader);
        let topic = &mut self.storage.topics[usize::from(self.storage.partitions[p].topic)];
        topic.led = topic.led + u16::from(leader.is_some()) - u16::from(old.is_some());
        self.refile(p);
    }
}

fn is_unwritten(partition: &PartitionSlot) -> bool {
    partition.queue.is_empty()
        && partition.in_flight == 0
        && partition.unread == 0
        && partition.next_offset == 0
        && partition.producer_id_plus_1 == 0
        && partition.place == Place::Nowhere
}
