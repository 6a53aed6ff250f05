//! The answer to a Produce request: noted batch by batch while it is read, applied when it is complete.
//!
//! Nothing is settled before the end of the frame: until then the request's list runs through the batch slots.

use super::Producer;
#[cfg(feature = "grow")]
use crate::batch::QUEUE;
use crate::batch::{AUX, BatchState};
use crate::cluster::CLUSTER;
use crate::error::ProtocolError;
use crate::error_code::ErrorCode;
use crate::storage::list::{self, Link};
use crate::wire::api::FLEXIBLE;
use crate::wire::produce::Event;

impl Producer<'_> {
    pub(crate) fn on_produce(&mut self, c: usize, event: Event<'_>) -> Result<(), ProtocolError> {
        match event {
            Event::Topic { name, id } => {
                let topic = match name {
                    Some(name) => self.find_topic(name),
                    None if FLEXIBLE && id.is_known() => self.find_uuid(&id),
                    None => None,
                };
                self.storage.connections[c].topic = topic.map_or(Link::NONE, Link::to);
            }
            Event::Partition { index, error, base_offset, log_append_time } => {
                let b = self.find_answered(c, index);
                if CLUSTER || FLEXIBLE {
                    self.storage.connections[c].subject = b.map_or(Link::NONE, Link::to);
                }
                if let Some(b) = b {
                    let batch = &mut self.storage.batches[b];
                    batch.heard = true;
                    batch.code = error;
                    batch.base_offset = base_offset;
                    batch.append_time = log_append_time;
                }
            }
            Event::BadRecord { batch_index } if FLEXIBLE => self.note_bad_record(c, batch_index),
            Event::Leader { leader_id, leader_epoch } if FLEXIBLE => {
                self.follow_hint(c, leader_id, leader_epoch);
            }
            Event::Throttle(millis) => self.throttle(c, millis),
            Event::Node { node, host, port } if FLEXIBLE => {
                if let Some(host) = host {
                    self.note_broker(node, host, port);
                }
            }
            Event::End => self.end_produce(c),
            Event::PartitionEnd
            | Event::BadRecord { .. }
            | Event::Leader { .. }
            | Event::Node { .. } => {}
        }
        Ok(())
    }

    /// The batch that an element of the answer is about: the one behind the last, unless the broker regrouped them.
    fn find_answered(&self, c: usize, index: i32) -> Option<usize> {
        let conn = &self.storage.connections[c];
        let topic = conn.topic.get()?;
        let request = conn.in_flight.first()?;
        let is_it = |b: usize| {
            let batch = &self.storage.batches[b];
            let partition = &self.storage.partitions[usize::from(batch.partition)];
            !batch.heard && partition.index == index && usize::from(partition.topic) == topic
        };
        if !CLUSTER {
            // There is but one batch in a request.
            return request.batches.head().filter(|&b| is_it(b));
        }
        let next = match conn.subject.get() {
            Some(last) => list::next(&self.storage.batches, AUX, last),
            None => request.batches.head(),
        };
        if let Some(next) = next.filter(|&b| is_it(b)) {
            return Some(next);
        }
        #[cfg(feature = "grow")]
        if let Some(b) = self.find_in_flight(c, topic, index).filter(|&b| is_it(b)) {
            return Some(b);
        }
        let mut at = request.batches.head();
        while let Some(b) = at.filter(|&b| !is_it(b)) {
            at = list::next(&self.storage.batches, AUX, b);
        }
        at
    }

    /// The same by the partition's queue, for Kafka answers in the order of a hash table: to look through a request of
    /// thousands of batches for each of them would take longer than all the rest. One that has its outcome, and is only
    /// pinned, is in no queue any more.
    #[cfg(feature = "grow")]
    fn find_in_flight(&self, c: usize, topic: usize, index: i32) -> Option<usize> {
        let p = self.find_partition(topic, index)?;
        let partition = &self.storage.partitions[p];
        if usize::from(partition.conn) != c || partition.in_flight == 0 {
            return None;
        }
        let request = self.storage.connections[c].oldest_correlation();
        let mut at = self.head(p);
        while let Some(b) = at {
            let batch = &self.storage.batches[b];
            if batch.pinned && batch.request == request {
                return Some(b);
            }
            at = list::next(&self.storage.batches, QUEUE, b).filter(|_| batch.sent);
        }
        None
    }

    fn note_bad_record(&mut self, c: usize, batch_index: i32) {
        let Some(b) = self.storage.connections[c].subject.get() else { return };
        let Ok(index) = u16::try_from(batch_index) else { return };
        if index < self.storage.batches[b].records {
            self.mark_bad(b, index);
        }
    }

    /// The broker names the new leader (KIP-951): once per newer epoch the next round goes there without backoff.
    fn follow_hint(&mut self, c: usize, leader: i32, epoch: i32) {
        let Some(b) = self.storage.connections[c].subject.get() else { return };
        let batch = &self.storage.batches[b];
        let moved = matches!(
            batch.code,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH
        );
        let p = usize::from(batch.partition);
        if !moved || leader < 0 || epoch <= self.storage.partitions[p].leader_epoch.max(-1) {
            return;
        }
        if let Some(broker) = self.leader_slot(c, leader) {
            let partition = &mut self.storage.partitions[p];
            partition.leader_epoch = epoch;
            partition.hinted = true;
            partition.known_on = Link::NONE;
            self.set_leader(p, Link::to(broker));
        }
    }

    /// The answer is complete: lets the batches go, and applies what was answered, in the order of the request.
    fn end_produce(&mut self, c: usize) {
        let conn = &mut self.storage.connections[c];
        let Some(request) = conn.in_flight.first_mut() else { return };
        let mut batches = core::mem::take(&mut request.batches);
        if CLUSTER || FLEXIBLE {
            conn.subject = Link::NONE;
        }
        while let Some(b) = batches.pop_front(&mut self.storage.batches, AUX) {
            let p = self.unpin(b);
            let batch = &mut self.storage.batches[b];
            if batch.state == BatchState::Done {
                self.make_report(b);
            } else {
                if !batch.heard {
                    // No Kafka leaves a partition out, but a proxy may: nobody knows what became of it.
                    batch.code = ErrorCode::NETWORK_EXCEPTION;
                }
                self.apply_answer(p, b, c);
            }
            self.settle_partition(p);
        }
    }
}
