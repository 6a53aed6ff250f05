//! Figures on demand: counters as they are, and gauges counted when asked for, so that keeping them costs nothing.

use super::Producer;
use crate::connection::{ConnSlot, ConnState};
use crate::id::{ConnId, TopicId};
use crate::metrics::{BrokerState, BrokerStats, Metrics, PartitionStats};
use crate::storage::Text;
use crate::storage::list::{self, Linked, List};

use crate::batch::{AGE, AUX, QUEUE};

impl Producer<'_> {
    /// The producer's figures. Takes a step for each batch that has no outcome, and for each unread report.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = Metrics {
            traffic: self.traffic,
            topics: self.topics_used,
            producer_id: (self.identity.id_plus_1 > 0).then(|| self.identity.id_plus_1 - 1),
            events_lost: self.ring.lost,
            ..Metrics::default()
        };
        each(&self.storage.batches, &self.age, AGE, |batch| {
            metrics.queue_records += u64::from(batch.records);
            metrics.queue_bytes += u64::from(batch.plain);
        });
        each(&self.storage.batches, &self.reports, AUX, |_| metrics.unread_reports += 1);
        for conn in self.storage.connections.iter() {
            metrics.connections += u32::from(conn.state == ConnState::Ready);
            let (requests, batches) = self.in_flight(conn);
            metrics.requests_in_flight += requests;
            metrics.batches_in_flight += batches;
        }
        metrics
    }

    /// All brokers that are known, bootstrap servers included.
    pub fn broker_stats(&self) -> impl Iterator<Item = BrokerStats<'_>> {
        let brokers = self.storage.brokers.iter().enumerate().filter(|(_, slot)| slot.used);
        brokers.map(|(broker, slot)| {
            let conn = slot.conn.get().map(|c| (c, &self.storage.connections[c]));
            let (requests_in_flight, batches_in_flight) =
                conn.map_or((0, 0), |(_, conn)| self.in_flight(conn));
            let throttled_for = conn.map_or(0, |(_, conn)| conn.muted_until.millis_since(self.now));
            #[allow(clippy::cast_possible_truncation, reason = "at most 255 connections")]
            BrokerStats {
                node: slot.node,
                host: self.storage.text(Text::Host(broker), slot.host_len),
                port: slot.port,
                state: conn.map_or(BrokerState::Down, |(_, conn)| state(conn)),
                conn: conn.map(|(c, _)| ConnId(c as u8)),
                requests_in_flight,
                batches_in_flight,
                leads: slot.leads,
                throttled_for_ms: u32::try_from(throttled_for).unwrap_or(u32::MAX),
                traffic: slot.traffic,
            }
        })
    }

    /// All partitions that are known, of all topics; each takes a step for each of its batches that has no outcome.
    pub fn partition_stats(&self) -> impl Iterator<Item = PartitionStats> {
        (0..usize::from(self.partitions_used)).map(|p| self.figures_of(p))
    }

    /// All topics registered, in the order of registration.
    pub fn topics(&self) -> impl Iterator<Item = TopicId> + use<> {
        (0..self.topics_used).map(TopicId)
    }

    fn figures_of(&self, p: usize) -> PartitionStats {
        let slot = &self.storage.partitions[p];
        let mut stats = PartitionStats {
            partition: self.event_partition(p),
            leader: slot.leader.get().map(|broker| self.storage.brokers[broker].node),
            unsent_records: 0,
            unsent_bytes: 0,
            sent_records: 0,
            sent_bytes: 0,
            batches_in_flight: u32::from(slot.in_flight),
            next_offset: (slot.next_offset > 0).then_some(slot.next_offset),
            epoch: (slot.producer_id_plus_1 > 0).then_some(slot.epoch),
            next_sequence: slot.next.get(),
            totals: slot.totals,
        };
        each(&self.storage.batches, &slot.queue, QUEUE, |batch| {
            let (records, bytes) = match batch.sent {
                true => (&mut stats.sent_records, &mut stats.sent_bytes),
                false => (&mut stats.unsent_records, &mut stats.unsent_bytes),
            };
            *records += u64::from(batch.records);
            *bytes += u64::from(batch.plain);
        });
        stats
    }

    /// Requests that wait for an answer, and their batches.
    fn in_flight(&self, conn: &ConnSlot) -> (u32, u32) {
        let (mut requests, mut batches) = (0, 0);
        for sent in conn.in_flight.iter().filter(|sent| sent.is_awaited()) {
            requests += 1;
            each(&self.storage.batches, &sent.batches, AUX, |_| batches += 1);
        }
        (requests, batches)
    }
}

fn state(conn: &ConnSlot) -> BrokerState {
    match conn.state {
        ConnState::Idle => BrokerState::Down,
        ConnState::Wanted | ConnState::Dialing => BrokerState::Connecting,
        ConnState::Handshake => BrokerState::Handshake,
        ConnState::Ready => BrokerState::Up,
        ConnState::Closing => BrokerState::Closing,
    }
}

fn each<T: Linked>(slots: &[T], list: &List, which: usize, mut see: impl FnMut(&T)) {
    let mut at = list.head();
    while let Some(index) = at {
        see(&slots[index]);
        at = list::next(slots, which, index);
    }
}
