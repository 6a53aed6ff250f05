//! Notes what happens: into the ring of events, and into the counters of brokers and partitions.

use super::Producer;
use crate::batch::Fate;
use crate::connection::{ConnSlot, ConnState, Request};
use crate::error_code::ErrorCode;
use crate::event::{Event, EventBatch, EventBroker, EventKind};
use crate::id::{ConnId, PartitionId, TopicId};
use crate::metrics::Traffic;
use crate::storage::list::Link;
use crate::wire::api::ApiKey;

impl Producer<'_> {
    /// Takes the oldest event. Where the ring (`Limits::events`) is full, the oldest was overwritten, and counted in
    /// [`Metrics::events_lost`](crate::Metrics::events_lost).
    ///
    /// Events are no part of [`take_wake`](Self::take_wake): read them after whatever call made them.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.ring.pop(&self.storage.events)
    }

    pub(crate) fn note(&mut self, kind: EventKind) {
        self.ring.push(&mut self.storage.events, Event { at: self.now, kind });
    }

    pub(crate) fn note_sealed(&mut self, b: usize) {
        self.note(EventKind::Sealed(self.event_batch(b)));
    }

    /// The batch joined a request on the connection; `retries` are counted already.
    pub(crate) fn note_sent(&mut self, c: usize, b: usize) {
        let batch = self.event_batch(b);
        let slot = &self.storage.batches[b];
        let (p, retries) = (usize::from(slot.partition), slot.retries);
        let (records, bytes) = (u64::from(batch.records), u64::from(batch.bytes));
        let totals = &mut self.storage.partitions[p].totals;
        totals.records_sent += records;
        totals.batch_bytes_sent += bytes;
        totals.batches += 1;
        self.tally(c, |traffic| {
            traffic.records_sent += records;
            traffic.batch_bytes_sent += bytes;
            traffic.retries += u64::from(retries > 0);
        });
        self.note(EventKind::Sent { batch, broker: self.event_broker(c), retries });
    }

    /// The last element of an answer was read.
    pub(crate) fn note_answered(&mut self, c: usize) {
        let now = self.now;
        let Some(sent) = self.storage.connections[c].in_flight.first() else { return };
        let api = match sent.request {
            Request::Produce | Request::Unacknowledged => ApiKey::Produce,
            Request::Metadata => ApiKey::Metadata,
            Request::ApiVersions => ApiKey::ApiVersions,
            Request::InitProducerId => ApiKey::InitProducerId,
        };
        let latency_us = clamp(now.micros_since(sent.since));
        self.tally(c, |traffic| {
            traffic.answers += 1;
            traffic.latency.add(latency_us);
            if api == ApiKey::Produce {
                traffic.produce_latency.add(latency_us);
            }
        });
        let broker = self.event_broker(c);
        self.note(EventKind::Answered { broker, api: api as i16, latency_us });
    }

    pub(crate) fn note_outcome(&mut self, b: usize) {
        let batch = self.event_batch(b);
        let slot = &self.storage.batches[b];
        let (fate, reason, base_offset) = (slot.fate, slot.reason, slot.base_offset);
        let latency_us = clamp(self.now.micros_since(slot.opened));
        let totals = &mut self.storage.partitions[usize::from(slot.partition)].totals;
        let delivered = fate == Fate::Delivered;
        *if delivered { &mut totals.delivered } else { &mut totals.failed } +=
            u64::from(batch.records);
        let failed = |maybe_persisted| EventKind::Failed { batch, reason, maybe_persisted };
        self.note(match fate {
            Fate::Delivered => {
                let base_offset = (base_offset >= 0).then_some(base_offset);
                EventKind::Delivered { batch, base_offset, latency_us }
            }
            Fate::NotPersisted => failed(false),
            Fate::Unknown => failed(true),
            #[cfg(feature = "policies")]
            Fate::Dropped => EventKind::Dropped(batch),
        });
    }

    /// The partition sends again; its oldest batch is the reason.
    pub(crate) fn note_retry(&mut self, p: usize, backoff_us: u64) {
        let error = self.head(p).map_or(ErrorCode::NONE, |b| self.storage.batches[b].code);
        let partition = self.event_partition(p);
        self.note(EventKind::Retry { partition, error, backoff_us: clamp(backoff_us) });
    }

    pub(crate) fn note_throttled(&mut self, c: usize, millis: u32) {
        self.tally(c, |traffic| {
            traffic.throttles += 1;
            traffic.throttled_ms += u64::from(millis);
        });
        self.note(EventKind::Throttled { broker: self.event_broker(c), millis });
    }

    pub(crate) fn note_new_leader(&mut self, p: usize, from: Option<usize>, to: Link) {
        let node = |broker: usize| self.storage.brokers[broker].node;
        let (from, to) = (from.map(node), to.get().map(node));
        self.note(EventKind::LeaderChanged { partition: self.event_partition(p), from, to });
    }

    pub(crate) fn note_connected(&mut self, c: usize) {
        self.tally(c, |traffic| traffic.connects += 1);
        self.note(EventKind::Connected(self.event_broker(c)));
    }

    /// The connection is about to be forgotten.
    pub(crate) fn note_disconnected(&mut self, c: usize) {
        let conn = &self.storage.connections[c];
        let unanswered = conn.in_flight.iter().filter(|sent| sent.is_awaited()).count();
        let (ready, unanswered) = (conn.was_ready(), u8::try_from(unanswered).unwrap_or(u8::MAX));
        self.tally(c, |traffic| {
            traffic.disconnects += 1;
            traffic.unanswered += u64::from(unanswered);
        });
        let broker = self.event_broker(c);
        self.note(EventKind::Disconnected { broker, ready, unanswered });
    }

    pub(crate) fn note_bump(&mut self, p: usize) {
        let partition = &self.storage.partitions[p];
        let epoch = (partition.producer_id_plus_1 != 0).then_some(partition.epoch);
        self.note(EventKind::EpochBumped { partition: self.event_partition(p), epoch });
    }

    pub(crate) fn note_loss(&mut self, p: usize) {
        self.note(EventKind::DataLoss(self.event_partition(p)));
    }

    pub(crate) fn note_identity(&mut self) {
        let id = self.identity.id_plus_1;
        let producer_id = (id > 0).then(|| id - 1);
        self.note(EventKind::Identity { producer_id, error: self.identity.error });
    }

    pub(crate) fn note_topic(&mut self, t: usize, before: ErrorCode) {
        let error = self.storage.topics[t].error;
        if error != before {
            #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 topics")]
            self.note(EventKind::Topic { topic: TopicId(t as u16), error });
        }
    }

    /// Counts what went over a connection, for its broker and in all.
    pub(crate) fn tally(&mut self, c: usize, add: impl Fn(&mut Traffic)) {
        add(&mut self.traffic);
        if let Some(broker) = self.storage.connections[c].broker.get() {
            add(&mut self.storage.brokers[broker].traffic);
        }
    }

    fn event_batch(&self, b: usize) -> EventBatch {
        let batch = &self.storage.batches[b];
        EventBatch {
            id: self.batch_id(batch.kin().origin.get().unwrap_or(b)),
            partition: self.event_partition(usize::from(batch.partition)),
            first: batch.kin().first,
            records: batch.records,
            bytes: batch.size,
        }
    }

    pub(super) fn event_partition(&self, p: usize) -> PartitionId {
        let partition = &self.storage.partitions[p];
        PartitionId { topic: TopicId(partition.topic), index: partition.index }
    }

    #[allow(clippy::cast_possible_truncation, reason = "at most 255 connections")]
    fn event_broker(&self, c: usize) -> EventBroker {
        let broker = self.storage.connections[c].broker.get();
        let node = broker.map_or(-1, |broker| self.storage.brokers[broker].node);
        EventBroker { node, conn: ConnId(c as u8) }
    }
}

impl ConnSlot {
    /// Was it ever ready? Only the handshake tells the versions.
    fn was_ready(&self) -> bool {
        self.state == ConnState::Ready || self.versions.produce > 0
    }
}

/// Durations of events end at 71 minutes.
#[allow(clippy::cast_possible_truncation, reason = "clamped")]
fn clamp(micros: u64) -> u32 {
    micros.min(u64::from(u32::MAX)) as u32
}
