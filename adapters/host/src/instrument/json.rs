//! Statistics as JSON, in the words of librdkafka's `STATISTICS.md`.

use klamm::{BrokerState, PartitionStats};
use serde_json::{Map, Value, json};

use super::meters::Window;
use super::statistics::{BrokerStatistics, Statistics, TopicStatistics};

pub(super) fn json(statistics: &Statistics) -> Value {
    let Statistics { stats, metrics, .. } = statistics;
    let traffic = &metrics.traffic;
    let age = u64::try_from(statistics.age.as_micros()).unwrap_or(u64::MAX);
    let brokers: Map<String, Value> =
        statistics.brokers.iter().map(|b| (name(b), broker(b, statistics))).collect();
    let topics: Map<String, Value> =
        statistics.topics.iter().map(|t| (t.name.to_string(), topic(t))).collect();
    let epoch = statistics.topics.iter().flat_map(|t| &t.partitions).filter_map(|p| p.epoch).max();
    json!({
        "name": statistics.client_id,
        "client_id": statistics.client_id,
        "type": "producer",
        // Microseconds of a monotonic clock, seconds of the day's.
        "ts": age,
        "time": statistics.time.as_millis() / 1_000,
        "age": age,
        "replyq": metrics.unread_reports,
        "msg_cnt": metrics.queue_records,
        "msg_size": metrics.queue_bytes,
        "msg_max": statistics.queue_records_max,
        "msg_size_max": statistics.queue_bytes_max.min(statistics.buffer_memory),
        "tx": traffic.requests,
        "tx_bytes": traffic.bytes_sent,
        "rx": traffic.answers,
        "rx_bytes": traffic.bytes_received,
        "txmsgs": traffic.records_sent,
        "txmsg_bytes": traffic.batch_bytes_sent,
        "metadata_cache_cnt": metrics.topics,
        "brokers": brokers,
        "topics": topics,
        "eos": {
            "idemp_state": if metrics.producer_id.is_some() { "Assigned" } else { "Init" },
            "producer_id": metrics.producer_id.unwrap_or(-1),
            "producer_epoch": epoch.unwrap_or(-1),
            "epoch_cnt": stats.bumps,
        },
        "klamm": {
            "accepted": stats.accepted,
            "delivered": stats.delivered,
            "not_persisted": stats.not_persisted,
            "unknown": stats.unknown,
            "dropped": stats.dropped,
            "refused": stats.refused,
            "buffered": stats.buffered,
            "retries": stats.retries,
            "data_losses": stats.data_losses,
            "throttled_ms": stats.throttled_ms,
            "requests_in_flight": metrics.requests_in_flight,
            "batches_in_flight": metrics.batches_in_flight,
            "connections": metrics.connections,
            "waiting": statistics.waiting,
            "events_lost": metrics.events_lost,
            "produce_latency_avg_us": traffic.produce_latency.average_us(),
            "delivery": window(&statistics.delivery.window),
        },
    })
}

fn name(broker: &BrokerStatistics) -> String {
    match broker.node {
        node if node < 0 => format!("{}/bootstrap", broker.address),
        node => format!("{}/{node}", broker.address),
    }
}

fn broker(broker: &BrokerStatistics, statistics: &Statistics) -> Value {
    let traffic = &broker.traffic;
    let mut led = Map::new();
    for topic in &statistics.topics {
        for partition in topic.partitions.iter().filter(|p| p.leader == Some(broker.node)) {
            let index = partition.partition.index;
            let one = json!({ "topic": &*topic.name, "partition": index });
            led.insert(format!("{}-{index}", topic.name), one);
        }
    }
    json!({
        "name": name(broker),
        "nodeid": broker.node,
        "nodename": broker.address,
        "source": if broker.node < 0 { "configured" } else { "learned" },
        "state": match broker.state {
            BrokerState::Up => "UP",
            BrokerState::Connecting => "CONNECT",
            BrokerState::Handshake => "APIVERSION_QUERY",
            _ => "DOWN",
        },
        "waitresp_cnt": broker.requests_in_flight,
        "tx": traffic.requests,
        "txbytes": traffic.bytes_sent,
        "txretries": traffic.retries,
        "req_timeouts": traffic.unanswered,
        "rx": traffic.answers,
        "rxbytes": traffic.bytes_received,
        "connects": traffic.connects,
        "disconnects": traffic.disconnects,
        "rtt": window(&broker.round_trip.window),
        // Milliseconds, since the start.
        "throttle": {
            "cnt": traffic.throttles,
            "sum": traffic.throttled_ms,
            "avg": traffic.throttled_ms.checked_div(traffic.throttles).unwrap_or(0),
        },
        "toppars": led,
    })
}

fn topic(topic: &TopicStatistics) -> Value {
    let batches: u64 = topic.partitions.iter().map(|p| p.totals.batches).sum();
    let records: u64 = topic.partitions.iter().map(|p| p.totals.records_sent).sum();
    let bytes: u64 = topic.partitions.iter().map(|p| p.totals.batch_bytes_sent).sum();
    let average = |sum: u64| json!({ "cnt": batches, "sum": sum, "avg": sum.checked_div(batches).unwrap_or(0) });
    let partitions: Map<String, Value> =
        topic.partitions.iter().map(|p| (p.partition.index.to_string(), partition(p))).collect();
    json!({
        "topic": &*topic.name,
        "batchsize": average(bytes),
        "batchcnt": average(records),
        "partitions": partitions,
    })
}

fn partition(partition: &PartitionStats) -> Value {
    let leader = partition.leader.unwrap_or(-1);
    json!({
        "partition": partition.partition.index,
        "broker": leader,
        "leader": leader,
        "unknown": partition.leader.is_none(),
        "msgq_cnt": partition.unsent_records,
        "msgq_bytes": partition.unsent_bytes,
        "xmit_msgq_cnt": partition.sent_records,
        "xmit_msgq_bytes": partition.sent_bytes,
        "txmsgs": partition.totals.records_sent,
        "txbytes": partition.totals.batch_bytes_sent,
        "msgs": partition.totals.delivered + partition.totals.failed
            + partition.unsent_records + partition.sent_records,
        "msgs_inflight": partition.sent_records,
        "delivered": partition.totals.delivered,
        "failed": partition.totals.failed,
    })
}

fn window(window: &Window) -> Value {
    json!({
        "min": window.min_us,
        "max": window.max_us,
        "avg": window.average_us,
        "sum": window.sum_us,
        "stddev": window.deviation_us,
        "p50": window.p50_us,
        "p75": window.p75_us,
        "p90": window.p90_us,
        "p95": window.p95_us,
        "p99": window.p99_us,
        "p99_99": window.p99_99_us,
        "cnt": window.count,
    })
}
