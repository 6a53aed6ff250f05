//! Building a Produce request out of the batches of one broker.
//!
//! The request is its batches: heads are written into the room before each batch, so nothing is copied, and a request
//! with one batch is one slice. Kafka takes one batch per partition and request.

use super::Producer;
use crate::batch::{AUX, QUEUE};
#[cfg(feature = "acks-0")]
use crate::batch::{Fate, NO_REASON};
use crate::cluster::CLUSTER;
use crate::config::{Acks, RELAXED};
use crate::connection::Request;
use crate::id::TopicUuid;
use crate::partition::WAIT;
use crate::storage::list::{self, Link, List};
use crate::storage::{Shape, Text, broken, copy};
use crate::wire::api::{ApiKey, FLEXIBLE};
use crate::wire::prepend::Prepend;
use crate::wire::produce::{FrameHead, frame_head, partition_head, tail, topic_head};

/// The first version that names topics by id.
const BY_ID: i16 = 13;

impl Producer<'_> {
    /// Takes batches off the ready list of the connection's broker into one request. False if none can go.
    pub(crate) fn build_produce(&mut self, c: usize) -> bool {
        let now = self.now;
        let Some(broker) = self.storage.connections[c].broker.get() else { return false };
        let newest = i16::from(self.storage.connections[c].versions.produce);
        let newest = ApiKey::Produce.spoken(newest);
        let (mut batches, mut version, mut bytes, mut topics) = (List::EMPTY, newest, 0, 0);
        // Where one broker has all that is written to, which is little, a request is one batch: 0.4 KB of flash.
        let goes_on = |batches: &List| CLUSTER || batches.is_empty();
        while let Some(p) = self.storage.brokers[broker].ready.head().filter(|_| goes_on(&batches))
        {
            self.leave_place(p);
            self.begin_round_on(p, c);
            let next = if self.is_sendable(p) { self.next_to_send(p) } else { None };
            let Some(b) = next else { continue };
            #[cfg(feature = "compression")]
            if self.waits_for_codec(b) {
                self.refile(p);
                continue;
            }
            #[cfg(feature = "compression")]
            self.suit_codec(b, newest);
            let t = usize::from(self.storage.partitions[p].topic);
            // By id every topic needs one (Event Hubs offers Produce 13, and Metadata without ids).
            let speaks = if !FLEXIBLE || self.storage.topics[t].ids.now().is_known() {
                newest
            } else {
                newest.min(BY_ID - 1)
            };
            let first = batches.is_empty();
            self.freeze(b);
            if self.holds_back(p, b) {
                continue;
            }
            let size = self.storage.batches[b].size + self.storage.headroom() + Shape::TAILROOM;
            let full = speaks != version || bytes + size > self.request_max();
            if CLUSTER && !first && full {
                self.put_back(broker, p);
                break;
            }
            version = speaks;
            bytes += size;
            self.join_request(p, b, version);
            #[cfg(feature = "events")]
            self.note_sent(c, b);
            let topic = &mut self.storage.topics[t];
            let mut place = batches.tail();
            if CLUSTER && topic.in_request > 0 {
                place = topic.request_tail;
            } else {
                topics += 1;
            }
            if CLUSTER {
                topic.in_request += 1;
                topic.request_tail = Link::to(b);
            }
            batches.insert_after(&mut self.storage.batches, AUX, place, b);
        }
        if batches.is_empty() {
            return false;
        }
        self.storage.brokers[broker].waits_since = now;
        self.write_heads(c, &batches, version, topics);
        let mut at = batches.head();
        while let Some(b) = at {
            self.refile(usize::from(self.storage.batches[b].partition));
            at = self.next_in_request(b);
        }
        true
    }

    fn next_in_request(&self, b: usize) -> Option<usize> {
        if CLUSTER { list::next(&self.storage.batches, AUX, b) } else { None }
    }

    /// Rule 2: a connection that died ended the round, also where nothing of the partition was in flight on it. What was
    /// answered there counts no more: this broker may be another, or have restarted.
    #[allow(clippy::cast_possible_truncation, reason = "at most 255 connections")]
    fn begin_round_on(&mut self, p: usize, c: usize) {
        let generation = self.storage.connections[c].generation;
        let partition = &mut self.storage.partitions[p];
        let now_on = (c as u8, generation);
        if partition.in_flight == 0 && (partition.conn, partition.conn_generation) != now_on {
            (partition.conn, partition.conn_generation) = now_on;
            partition.silent_rounds = 0;
            self.restart_round(p);
        }
    }

    /// To the front of the ready list again: it is the next request's first.
    fn put_back(&mut self, broker: usize, p: usize) {
        #[allow(clippy::cast_possible_truncation, reason = "at most 255 brokers")]
        let place = crate::partition::Place::Ready(broker as u8);
        self.storage.partitions[p].place = place;
        self.storage.brokers[broker].ready.push_front(&mut self.storage.partitions, WAIT, p);
    }

    /// A batch gets its number when it first joins a request, never earlier: what is dropped before leaves no gap
    /// (sarama 1430). From here on its memory is the connection's.
    fn join_request(&mut self, p: usize, b: usize, version: i16) {
        let next = list::following(&self.storage.batches, QUEUE, b);
        let first = self.number(p, b);
        let batch = &mut self.storage.batches[b];
        #[cfg(feature = "snapshot")]
        let first = core::mem::take(&mut batch.fresh) || first;
        if !first {
            batch.retries = batch.retries.saturating_add(1);
            self.counters.retries.up(1);
        }
        batch.pinned = true;
        batch.heard = false;
        if FLEXIBLE {
            batch.bad = false;
        }
        batch.by_name |= FLEXIBLE && version < BY_ID;
        let partition = &mut self.storage.partitions[p];
        partition.cursor = next;
        partition.in_flight += 1;
        self.counters.batches.up(1);
        self.stamp(b);
    }

    /// Gives the batch its sequence; false if it has one.
    pub(crate) fn number(&mut self, p: usize, b: usize) -> bool {
        let partition = &mut self.storage.partitions[p];
        let batch = &mut self.storage.batches[b];
        if batch.sent {
            return false;
        }
        batch.sent = true;
        batch.sequence = partition.next;
        batch.stamped = false;
        partition.next = partition.next.plus(batch.records);
        partition.sent += 1;
        #[cfg(feature = "policies")]
        self.unqueue_batch(p, b);
        true
    }

    /// Writes the heads around the batches, and puts the cursor on the first byte.
    fn write_heads(&mut self, c: usize, batches: &List, version: i16, topics: u32) {
        let correlation = self.begin_request(c, Request::Produce, version, *batches);
        let acks = match self.config.acks {
            _ if !RELAXED => -1,
            Acks::All => -1,
            Acks::Leader => 1,
            #[cfg(feature = "acks-0")]
            Acks::None => 0,
        };
        #[allow(clippy::cast_possible_wrap, reason = "checked to be below 2^31")]
        let timeout_ms = self.ack_timeout_ms() as i32;
        let (mut len, mut previous, mut at) = (0u32, None, batches.head());
        // Names are read from the storage while heads are written into it.
        let mut chunks = core::mem::take(&mut self.storage.chunks);
        while let Some(b) = at {
            at = self.next_in_request(b);
            let partition =
                &self.storage.partitions[usize::from(self.storage.batches[b].partition)];
            let (t, index) = (usize::from(partition.topic), partition.index);
            let following = at.map(|next| {
                let p = usize::from(self.storage.batches[next].partition);
                usize::from(self.storage.partitions[p].topic)
            });
            let batch = self.storage.batches[b];
            let start = self.storage.batch_start(batch.chunk);
            let room = start - self.storage.headroom() as usize..start;
            let mut before = Prepend::new(chunks.get_mut(room).unwrap_or_default());
            partition_head(&mut before, version, index, batch.size);
            if previous != Some(t) {
                let topic = &self.storage.topics[t];
                let name = self.storage.text_bytes(Text::Name(t), topic.name_len);
                let uuid = if version >= BY_ID { topic.ids.now() } else { TopicUuid::ZERO };
                let batches = if CLUSTER { u32::from(topic.in_request) } else { 1 };
                topic_head(&mut before, version, name, &uuid, batches);
            }
            if previous.is_none() {
                let client_id = self.storage.text_bytes(Text::ClientId, self.client_id_len);
                let head = FrameHead { version, correlation, client_id, acks, timeout_ms, topics };
                frame_head(&mut before, &head);
            }
            let mut head_len = before.len();
            debug_assert!(!before.overflow(), "the headroom is enough for any head");
            if previous.is_none() {
                // The frame's size goes before it, once it is known.
                head_len += 4;
            }
            let end = tail(version, following != Some(t), at.is_none());
            let behind = start + batch.size as usize;
            if let Some(place) = chunks.get_mut(behind..behind + end.len()) {
                copy(place, end);
            }
            if CLUSTER && following != Some(t) {
                self.storage.topics[t].in_request = 0;
            }
            #[allow(clippy::cast_possible_truncation, reason = "within headroom and tailroom")]
            {
                let slot = &mut self.storage.batches[b];
                slot.head = head_len as u16;
                slot.tail = end.len() as u8;
                #[cfg(feature = "grow")]
                {
                    slot.request = correlation;
                }
                len += u32::from(slot.head) + slot.size + u32::from(slot.tail);
            }
            previous = Some(t);
        }
        if let Some(first) = batches.head() {
            let batch = &self.storage.batches[first];
            let at = self.storage.batch_start(batch.chunk) - usize::from(batch.head);
            if let Some(place) = chunks.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *place = (len - 4).to_be_bytes();
            }
        }
        self.storage.chunks = chunks;
        self.counters.requests.up(1);
        let conn = &mut self.storage.connections[c];
        if CLUSTER {
            conn.turn = conn.turn.saturating_add(1);
        }
        self.put_cursor(c, len, batches.first());
    }

    /// Bytes of a request of several batches.
    const fn request_max(&self) -> u32 {
        #[cfg(feature = "grow")]
        if self.config.max_write_bytes > self.config.max_request_size {
            return self.config.max_write_bytes;
        }
        self.config.max_request_size
    }

    /// How long the broker may wait for replicas.
    const fn ack_timeout_ms(&self) -> u32 {
        #[cfg(feature = "policies")]
        if self.config.policies.ack_timeout_ms > 0 {
            return self.config.policies.ack_timeout_ms;
        }
        self.config.request_timeout_ms
    }

    /// The last byte of a request with acks = 0 is written: that is all that its batches wait for.
    #[cfg(feature = "acks-0")]
    pub(crate) fn finish_unacknowledged(&mut self, mut batches: List) {
        while let Some(b) = batches.pop_front(&mut self.storage.batches, AUX) {
            let p = self.unpin(b);
            self.storage.batches[b].base_offset = -1;
            if self.head(p) == Some(b) {
                self.settle_head(p, Fate::Delivered, NO_REASON);
            }
            self.storage.partitions[p].failures = 0;
            self.settle_partition(p);
        }
    }

    /// The batch's frame has ended: its memory is the producer's again. Returns its partition.
    pub(crate) fn unpin(&mut self, b: usize) -> usize {
        let batch = &mut self.storage.batches[b];
        if !batch.pinned {
            broken("only what is in flight comes back");
        }
        batch.pinned = false;
        let p = usize::from(batch.partition);
        self.storage.partitions[p].in_flight -= 1;
        p
    }
}
