//! Counters for Prometheus. Labels have few values: no topics, no subjects, no addresses.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::close::Close;
use crate::kafka::{Api, Code};

/// One label.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct Name {
    api: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct Error {
    code: i16,
}

/// All of them.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: Gauge,
    pub(crate) websockets: Gauge,
    pub(crate) requests_in_flight: Gauge,
    pub(crate) answers_in_flight: Gauge,
    pub(crate) brokers_connected: Gauge,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) records: Counter,
    pub(crate) posted: Counter,
    pub(crate) broker_errors: Counter,
    pub(crate) connect_failures: Counter,
    turned_away: Family<Reason, Counter>,
    closed: Family<Reason, Counter>,
    requests: Family<Name, Counter>,
    refused: Family<Error, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("klamm_bridge"),
            connections: Gauge::default(),
            websockets: Gauge::default(),
            requests_in_flight: Gauge::default(),
            answers_in_flight: Gauge::default(),
            brokers_connected: Gauge::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            records: Counter::default(),
            posted: Counter::default(),
            broker_errors: Counter::default(),
            connect_failures: Counter::default(),
            turned_away: Family::default(),
            closed: Family::default(),
            requests: Family::default(),
            refused: Family::default(),
        };
        metrics.register_gauges();
        metrics.register_counters();
        metrics
    }

    fn register_gauges(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "TCP connections of clients", self.connections.clone());
        registry.register("websockets", "Open WebSockets", self.websockets.clone());
        registry.register(
            "broker_connections",
            "Connections to brokers",
            self.brokers_connected.clone(),
        );
        registry.register_with_unit(
            "requests_in_flight",
            "Bytes of requests in the bridge",
            Unit::Bytes,
            self.requests_in_flight.clone(),
        );
        registry.register_with_unit(
            "answers_in_flight",
            "Bytes of large answers in the bridge",
            Unit::Bytes,
            self.answers_in_flight.clone(),
        );
    }

    fn register_counters(&mut self) {
        let registry = &mut self.registry;
        registry.register_with_unit("in", "Bytes from pages", Unit::Bytes, self.bytes_in.clone());
        registry.register_with_unit("out", "Bytes to pages", Unit::Bytes, self.bytes_out.clone());
        registry.register("records", "Records passed on to brokers", self.records.clone());
        registry.register("posted", "Records taken by POST", self.posted.clone());
        registry.register(
            "broker_errors",
            "Partitions of requests that a broker did not take",
            self.broker_errors.clone(),
        );
        registry.register(
            "connect_failures",
            "Connections to brokers that failed",
            self.connect_failures.clone(),
        );
        registry.register(
            "turned_away",
            "Connections and HTTP requests turned away",
            self.turned_away.clone(),
        );
        registry.register("closed", "WebSockets closed", self.closed.clone());
        registry.register("requests", "Kafka requests of pages", self.requests.clone());
        registry.register(
            "refused",
            "Partitions, topics or requests refused, by Kafka's error code",
            self.refused.clone(),
        );
    }

    pub(crate) fn turn_away(&self, reason: &'static str) {
        self.turned_away.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn close(&self, why: Close) {
        self.closed.get_or_create(&Reason { reason: why.name() }).inc();
    }

    pub(crate) fn request(&self, api: Api) {
        self.requests.get_or_create(&Name { api: api.name() }).inc();
    }

    pub(crate) fn refuse(&self, code: Code) {
        self.refused.get_or_create(&Error { code: code.0 }).inc();
    }

    /// Prometheus's text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
