//! Everything countable of a producer at one moment.

use core::time::Duration;
use std::sync::Arc;

use klamm::{BrokerState, Metrics, PartitionStats, Stats, Timestamp, Traffic};

use super::meters::{Buckets, Meter, Window};
use super::{json, prometheus};
use crate::clock::wall;
use crate::shared::Inner;

/// A producer's figures: of its present generation, which begins anew after a fork and when a driver that died was
/// replaced.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// `client.id`.
    pub client_id: String,
    /// The time of day.
    pub time: Timestamp,
    /// Since the generation began.
    pub age: Duration,
    /// The core's counters.
    pub stats: Stats,
    /// The core's gauges, and what went over the wire.
    pub metrics: Metrics,
    /// `Policies::queue_records_max`.
    pub queue_records_max: u32,
    /// `Policies::queue_bytes_max`.
    pub queue_bytes_max: u32,
    /// `Limits::buffer_memory`.
    pub buffer_memory: u32,
    /// Operations that wait for memory or for a topic.
    pub waiting: usize,
    /// From the acceptance of a batch's first record to its delivery, once per record.
    pub delivery: Latencies,
    /// The brokers, bootstrap servers included.
    pub brokers: Vec<BrokerStatistics>,
    /// The topics, in the order of registration.
    pub topics: Vec<TopicStatistics>,
}

/// Durations of one kind.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Latencies {
    /// Since statistics were last called for.
    pub window: Window,
    /// Since the start.
    pub total: Buckets,
}

/// A broker's figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerStatistics {
    /// Kafka's id of the broker; -1 for a bootstrap server.
    pub node: i32,
    /// `host:port`.
    pub address: String,
    /// How far the connection to it has come.
    pub state: BrokerState,
    /// Requests that wait for its answer.
    pub requests_in_flight: u32,
    /// Batches of those.
    pub batches_in_flight: u32,
    /// Partitions it leads, of those that are written to.
    pub leads: u16,
    /// Milliseconds for which it still wants silence.
    pub throttled_for_ms: u32,
    /// What went over the wire.
    pub traffic: Traffic,
    /// From a request to its answer; bootstrap servers share theirs.
    pub round_trip: Latencies,
}

/// A topic's figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopicStatistics {
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions that are known, by number.
    pub partitions: Vec<PartitionStats>,
}

impl Statistics {
    pub(crate) fn of(inner: &Inner, now: klamm::Instant) -> Self {
        let core = &inner.core;
        let common = inner.common();
        let options = &common.options;
        let policies = &options.config.policies;
        let mut topics: Vec<TopicStatistics> = core
            .topics()
            .map(|topic| TopicStatistics { name: inner.name(topic), partitions: Vec::new() })
            .collect();
        for partition in core.partition_stats() {
            if let Some(topic) = topics.get_mut(partition.partition.topic.index()) {
                topic.partitions.push(partition);
            }
        }
        for topic in &mut topics {
            topic.partitions.sort_unstable_by_key(|partition| partition.partition.index);
        }
        let brokers = core.broker_stats().map(|broker| BrokerStatistics {
            node: broker.node,
            address: match broker.host.contains(':') {
                true => format!("[{}]:{}", broker.host, broker.port),
                false => format!("{}:{}", broker.host, broker.port),
            },
            state: broker.state,
            requests_in_flight: broker.requests_in_flight,
            batches_in_flight: broker.batches_in_flight,
            leads: broker.leads,
            throttled_for_ms: broker.throttled_for_ms,
            traffic: broker.traffic,
            round_trip: inner
                .meters
                .round_trips
                .get(&broker.node)
                .map(latencies)
                .unwrap_or_default(),
        });
        Self {
            client_id: options.client_id.clone(),
            time: wall(),
            age: Duration::from_micros(now.as_micros()),
            stats: core.stats(),
            metrics: core.metrics(),
            queue_records_max: policies.queue_records_max,
            queue_bytes_max: policies.queue_bytes_max,
            buffer_memory: options.limits.buffer_memory,
            waiting: inner.gates.len(),
            delivery: latencies(&inner.meters.delivery),
            brokers: brokers.collect(),
            topics,
        }
    }

    /// As JSON, by the names and in the units of librdkafka's `STATISTICS.md`, where it has them; what only klamm counts
    /// is under `klamm`.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::json(self).to_string()
    }

    /// In Prometheus's text format, version 0.0.4. Topics are sums over their partitions.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        prometheus::text(self)
    }
}

fn latencies(meter: &Meter) -> Latencies {
    Latencies { window: meter.window(), total: meter.total.clone() }
}
