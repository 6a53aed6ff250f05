//! Statistics in Prometheus's text format.

use core::fmt::{Display, Write};

use klamm::BrokerState;

use super::meters::Buckets;
use super::statistics::{BrokerStatistics, Statistics, TopicStatistics};

pub(super) fn text(statistics: &Statistics) -> String {
    let mut page = Page { text: String::new(), client: escape(&statistics.client_id) };
    totals(&mut page, statistics);
    gauges(&mut page, statistics);
    brokers(&mut page, &statistics.brokers);
    topics(&mut page, &statistics.topics);
    page.family("klamm_delivery_latency_seconds", "histogram", "From acceptance to delivery.");
    page.buckets("klamm_delivery_latency_seconds", "", &statistics.delivery.total);
    page.family("klamm_round_trip_seconds", "histogram", "From a request to its answer.");
    let mut seen = Vec::new();
    for broker in &statistics.brokers {
        // Bootstrap servers share theirs.
        if !seen.contains(&broker.node) {
            seen.push(broker.node);
            let labels = format!(",broker=\"{}\"", broker.node);
            page.buckets("klamm_round_trip_seconds", &labels, &broker.round_trip.total);
        }
    }
    page.text
}

fn totals(page: &mut Page, statistics: &Statistics) {
    let (stats, metrics) = (&statistics.stats, &statistics.metrics);
    page.total("records_accepted", "Records accepted.", stats.accepted);
    page.total("records_delivered", "Records delivered.", stats.delivered);
    page.total("records_not_persisted", "Records certainly not in the log.", stats.not_persisted);
    page.total("records_unknown", "Records that may be in the log.", stats.unknown);
    page.total("records_dropped", "Records removed by DropOldest.", stats.dropped);
    page.total("records_refused", "Records refused by DropNewest.", stats.refused);
    page.total("produce_requests", "Produce requests sent.", stats.requests);
    page.total("batches_sent", "Batches sent, retries included.", stats.batches);
    page.total("batch_retries", "Batches sent again.", stats.retries);
    page.total("epoch_bumps", "Epochs raised to repair sequences.", stats.bumps);
    page.total("data_losses", "Times that a broker had lost data or state.", stats.data_losses);
    page.total("events_lost", "Events overwritten before they were read.", metrics.events_lost);
}

fn gauges(page: &mut Page, statistics: &Statistics) {
    let metrics = &statistics.metrics;
    page.gauge("queue_records", "Records without outcome.", metrics.queue_records);
    page.gauge("queue_bytes", "Bytes of their batches.", metrics.queue_bytes);
    page.gauge("buffer_memory_bytes", "Memory for records.", statistics.buffer_memory);
    page.gauge("requests_in_flight", "Requests without answer.", metrics.requests_in_flight);
    page.gauge("batches_in_flight", "Batches of those.", metrics.batches_in_flight);
    page.gauge("connections", "Connections that are ready.", metrics.connections);
    page.gauge("unread_reports", "Batches whose report is unread.", metrics.unread_reports);
    page.gauge("waiting_senders", "Senders that wait for room.", statistics.waiting);
}

fn brokers(page: &mut Page, brokers: &[BrokerStatistics]) {
    let mut each = |name: &str, kind: &str, help: &str, of: &dyn Fn(&BrokerStatistics) -> u64| {
        let name = format!("klamm_broker_{name}");
        page.family(&name, kind, help);
        for broker in brokers {
            let address = escape(&broker.address);
            let labels = format!(",broker=\"{}\",address=\"{address}\"", broker.node);
            page.sample(&name, &labels, of(broker));
        }
    };
    each("up", "gauge", "Is the connection ready?", &|b| u64::from(b.state == BrokerState::Up));
    each("requests_in_flight", "gauge", "Requests without answer.", &|b| {
        b.requests_in_flight.into()
    });
    each("requests_total", "counter", "Requests of all kinds.", &|b| b.traffic.requests);
    each("sent_bytes_total", "counter", "Bytes written.", &|b| b.traffic.bytes_sent);
    each("received_bytes_total", "counter", "Bytes read.", &|b| b.traffic.bytes_received);
    each("unanswered_total", "counter", "Requests without an answer.", &|b| b.traffic.unanswered);
    each("connects_total", "counter", "Connections made.", &|b| b.traffic.connects);
    each("disconnects_total", "counter", "Connections ended.", &|b| b.traffic.disconnects);
    each("throttled_milliseconds_total", "counter", "Silence asked for.", &|b| {
        b.traffic.throttled_ms
    });
}

fn topics(page: &mut Page, topics: &[TopicStatistics]) {
    let mut each = |name: &str, kind: &str, help: &str, of: &dyn Fn(&TopicStatistics) -> u64| {
        let name = format!("klamm_topic_{name}");
        page.family(&name, kind, help);
        for topic in topics {
            page.sample(&name, &format!(",topic=\"{}\"", escape(&topic.name)), of(topic));
        }
    };
    each("records_sent_total", "counter", "Records sent, retries included.", &|t| {
        t.partitions.iter().map(|p| p.totals.records_sent).sum()
    });
    each("records_delivered_total", "counter", "Records delivered.", &|t| {
        t.partitions.iter().map(|p| p.totals.delivered).sum()
    });
    each("records_failed_total", "counter", "Records given up or dropped.", &|t| {
        t.partitions.iter().map(|p| p.totals.failed).sum()
    });
    each("queue_records", "gauge", "Records without outcome.", &|t| {
        t.partitions.iter().map(|p| p.unsent_records + p.sent_records).sum()
    });
}

struct Page {
    text: String,
    client: String,
}

impl Page {
    fn total(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("klamm_{name}_total");
        self.family(&name, "counter", help);
        self.sample(&name, "", value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        let name = format!("klamm_{name}");
        self.family(&name, "gauge", help);
        self.sample(&name, "", value);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// `labels` begin with a comma.
    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let client = core::mem::take(&mut self.client);
        self.line(format_args!("{name}{{client_id=\"{client}\"{labels}}} {value}"));
        self.client = client;
    }

    fn buckets(&mut self, name: &str, labels: &str, buckets: &Buckets) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in Buckets::BOUNDS_US.iter().zip(buckets.counts) {
            self.sample(&bucket, &format!("{labels},le=\"{}\"", seconds(*bound)), count);
        }
        self.sample(&bucket, &format!("{labels},le=\"+Inf\""), buckets.count);
        self.sample(&format!("{name}_sum"), labels, seconds(buckets.sum_us));
        self.sample(&format!("{name}_count"), labels, buckets.count);
    }

    fn line(&mut self, line: core::fmt::Arguments<'_>) {
        // Writing to a `String` does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// Exact, and without a needless fraction: 2500 us is 0.0025.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the format wants of a label's value.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        let told = [0, 1, 500, 2_500, 1_000_000, 120_000_000, 1_234_567].map(seconds);
        assert_eq!(told, ["0", "0.000001", "0.0005", "0.0025", "1", "120", "1.234567"]);
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
