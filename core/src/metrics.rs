//! Figures of a producer, its brokers and its partitions: exact, and without an allocation.

use crate::id::{ConnId, PartitionId};

/// What went over the wire, since the start. Of a broker: since it became known, or known again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Traffic {
    /// Requests made, of all kinds.
    pub requests: u64,
    /// Bytes written.
    pub bytes_sent: u64,
    /// Answers read.
    pub answers: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Records in Produce requests, each as often as it was sent.
    pub records_sent: u64,
    /// Bytes of their batches.
    pub batch_bytes_sent: u64,
    /// Batches that had been sent before.
    pub retries: u64,
    /// How long brokers took for Produce requests.
    pub produce_latency: Latency,
    /// How long they took for requests of all kinds.
    pub latency: Latency,
    /// Answers that asked for silence.
    pub throttles: u64,
    /// For how many milliseconds, in all.
    pub throttled_ms: u64,
    /// Connections that became ready.
    pub connects: u64,
    /// Connections that ended, or were never ready.
    pub disconnects: u64,
    /// Requests that stayed without an answer.
    pub unanswered: u64,
}

impl Traffic {
    pub(crate) const NONE: Self = Self {
        requests: 0,
        bytes_sent: 0,
        answers: 0,
        bytes_received: 0,
        records_sent: 0,
        batch_bytes_sent: 0,
        retries: 0,
        produce_latency: Latency::NONE,
        latency: Latency::NONE,
        throttles: 0,
        throttled_ms: 0,
        connects: 0,
        disconnects: 0,
        unanswered: 0,
    };
}

/// Durations, in microseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum_us: u64,
    /// The longest.
    pub max_us: u32,
}

impl Latency {
    pub(crate) const NONE: Self = Self { count: 0, sum_us: 0, max_us: 0 };

    pub(crate) fn add(&mut self, micros: u32) {
        self.count += 1;
        self.sum_us += u64::from(micros);
        self.max_us = self.max_us.max(micros);
    }

    /// The average in microseconds; 0 of none.
    pub const fn average_us(&self) -> u64 {
        match self.sum_us.checked_div(self.count) {
            Some(average) => average,
            None => 0,
        }
    }
}

/// A producer's figures at the moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Metrics {
    /// What went over the wire.
    pub traffic: Traffic,
    /// Records without outcome.
    pub queue_records: u64,
    /// Bytes of their batches before compression.
    pub queue_bytes: u64,
    /// Batches with an outcome whose report nobody took.
    pub unread_reports: u32,
    /// Requests of all kinds that wait for an answer.
    pub requests_in_flight: u32,
    /// Batches of those.
    pub batches_in_flight: u32,
    /// Connections that are ready.
    pub connections: u32,
    /// Topics registered.
    pub topics: u16,
    /// The producer id, while there is one.
    pub producer_id: Option<i64>,
    /// Events overwritten before they were read.
    pub events_lost: u64,
}

/// How far the connection to a broker has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BrokerState {
    /// There is none.
    Down,
    /// It is wanted, or being dialed.
    Connecting,
    /// It is open; versions are being agreed upon.
    Handshake,
    /// It is ready for requests.
    Up,
    /// It is to be closed.
    Closing,
}

/// A broker's figures at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BrokerStats<'p> {
    /// Kafka's id of the broker; -1 for a bootstrap server.
    pub node: i32,
    /// Its host; empty while that is not known.
    pub host: &'p str,
    /// Its port.
    pub port: u16,
    /// How far the connection to it has come.
    pub state: BrokerState,
    /// The connection, if it has one.
    pub conn: Option<ConnId>,
    /// Requests of all kinds that wait for its answer.
    pub requests_in_flight: u32,
    /// Batches of those.
    pub batches_in_flight: u32,
    /// Partitions it leads, of those that are written to.
    pub leads: u16,
    /// Milliseconds for which it still wants silence.
    pub throttled_for_ms: u32,
    /// What went over the wire.
    pub traffic: Traffic,
}

/// A partition's figures at the moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PartitionStats {
    /// The partition.
    pub partition: PartitionId,
    /// Kafka's id of the broker that leads it, if known.
    pub leader: Option<i32>,
    /// Records that were never sent.
    pub unsent_records: u64,
    /// Bytes of their batches.
    pub unsent_bytes: u64,
    /// Records that were sent, and have no outcome.
    pub sent_records: u64,
    /// Bytes of their batches.
    pub sent_bytes: u64,
    /// Batches in flight.
    pub batches_in_flight: u32,
    /// The offset behind the last record acknowledged with an offset.
    pub next_offset: Option<i64>,
    /// The epoch under which it sends; `None` before it has one.
    pub epoch: Option<i16>,
    /// The next sequence number.
    pub next_sequence: i32,
    /// What became of its records since its first.
    pub totals: PartitionTotals,
}

/// What became of a partition's records since its first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PartitionTotals {
    /// Records in Produce requests, each as often as it was sent.
    pub records_sent: u64,
    /// Bytes of their batches.
    pub batch_bytes_sent: u64,
    /// Batches sent.
    pub batches: u64,
    /// Records delivered.
    pub delivered: u64,
    /// Records given up, or dropped.
    pub failed: u64,
}

impl PartitionTotals {
    pub(crate) const NONE: Self =
        Self { records_sent: 0, batch_bytes_sent: 0, batches: 0, delivered: 0, failed: 0 };
}
