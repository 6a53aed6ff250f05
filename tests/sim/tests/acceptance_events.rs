//! Events and figures in runs where every number is known beforehand. The id of an acceptance row is in the name of its
//! test.

use klamm::{Config, Destination, Instant, Producer, Record};
use klamm::{ErrorCode, EventKind, EventSlot, Reason, Resources};
use klamm_sim::cluster::Fault;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Scenario, Setup};

/// One way over the network, in microseconds; a broker answers at once.
const WAY: u64 = 1_500;

fn setup() -> Setup {
    let mut setup = Scenario::setup(1, 1);
    setup.network.latency = WAY;
    setup.network.jitter = 0;
    setup
}

/// The events since the last call, by what `pick` makes of them.
fn events<T>(s: &mut Scenario, pick: impl Fn(&EventKind) -> Option<T>) -> Vec<T> {
    let seen = core::mem::take(&mut s.events.seen);
    seen.iter().filter_map(|event| pick(&event.kind)).collect()
}

#[test]
fn ck_25_latency_queue_and_failures_are_exact() {
    let mut setup = setup();
    setup.config.retries = 0;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let before = s.producer().metrics();
    assert_eq!(before.queue_records, 0);

    // In flight: 3 records in batches of their own.
    s.batches(0, 3);
    s.run(1);
    let metrics = s.producer().metrics();
    assert_eq!((metrics.queue_records, metrics.batches_in_flight), (3, 3));
    assert_eq!(metrics.requests_in_flight, 3);
    let sizes: u64 = s.events.seen.iter().rev().filter_map(sealed_bytes).take(3).sum();
    assert_eq!(metrics.queue_bytes, sizes);
    s.run_until_reported(1_000);
    let metrics = s.producer().metrics();
    assert_eq!((metrics.queue_records, metrics.queue_bytes), (0, 0));
    assert_eq!((metrics.requests_in_flight, metrics.batches_in_flight), (0, 0));
    let latency = metrics.traffic.produce_latency;
    assert_eq!(latency.count - before.traffic.produce_latency.count, 3);
    assert_eq!(latency.sum_us - before.traffic.produce_latency.sum_us, 3 * 2 * WAY);
    assert_eq!(latency.average_us(), 2 * WAY);

    // A delivery that fails.
    s.events.seen.clear();
    s.produce_faults(0, Fault::Error(29), 1);
    s.ledger.excuses.rejected = true;
    s.batch(0);
    s.run_until_reported(1_000);
    assert_eq!(s.producer().stats().not_persisted, 1);
    let failed = events(&mut s, |kind| match *kind {
        EventKind::Failed { batch, reason, maybe_persisted } => {
            Some((batch.records, reason, maybe_persisted))
        }
        _ => None,
    });
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    assert_eq!(failed, [(1, Reason::Rejected(denied), false)]);
    let partition = s.producer().partition_stats().next().expect("partition 0");
    assert_eq!((partition.totals.delivered, partition.totals.failed), (4, 1));
    s.finish();
}

fn sealed_bytes(event: &klamm::Event) -> Option<u64> {
    match event.kind {
        EventKind::Sealed(batch) => Some(batch.bytes.into()),
        _ => None,
    }
}

/// CK-26: figures asked for every interval of virtual time are those of that moment, and no events are lost between.
#[test]
fn ck_26_figures_on_an_interval() {
    let mut s = Scenario::new(setup());
    s.warm_up(0..1);
    let start = s.producer().metrics().traffic;
    for round in 1..=10 {
        s.batches(0, 2);
        s.run(500);
        let metrics = s.producer().metrics();
        assert_eq!(metrics.traffic.records_sent - start.records_sent, 2 * round);
        assert_eq!(metrics.traffic.produce_latency.count - start.produce_latency.count, 2 * round);
        assert_eq!((metrics.queue_records, metrics.events_lost), (0, 0));
    }
    s.finish();
}

#[test]
fn a_batchs_life_is_told_in_order() {
    let mut s = Scenario::new(setup());
    s.warm_up(0..1);
    s.run(100);
    s.events.seen.clear();
    s.produce_faults(0, Fault::Error(7), 1);
    s.batch(0);
    s.run_until_reported(5_000);
    let told = events(&mut s, |kind| match kind {
        EventKind::Sealed(_) => Some("sealed".to_owned()),
        EventKind::Sent { retries, broker, .. } => {
            Some(format!("sent {retries} to {}", broker.node))
        }
        EventKind::Answered { api: 0, latency_us, .. } => Some(format!("answered {latency_us}")),
        EventKind::Retry { error, .. } => Some(format!("retry {}", error.0)),
        EventKind::Delivered { batch, .. } => Some(format!("delivered {}", batch.records)),
        EventKind::Failed { .. } | EventKind::Disconnected { .. } => Some("bad".to_owned()),
        _ => None,
    });
    let answered = format!("answered {}", 2 * WAY);
    let wanted = ["sealed", "sent 0 to 1", &answered, "retry 7", "sent 1 to 1", &answered];
    assert_eq!(told[..6], wanted);
    assert_eq!(told[6..], ["delivered 1"]);
    s.finish();
}

#[test]
fn throttling_and_leaders_are_told() {
    let mut setup = Scenario::setup(2, 1);
    setup.network.latency = WAY;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let leader = s.cluster.leader(TOPIC, 0).expect("a leader");
    let first = events(&mut s, |kind| match *kind {
        EventKind::LeaderChanged { partition, from, to } => Some((partition.index, from, to)),
        _ => None,
    });
    assert_eq!(first, [(0, None, Some(leader))]);
    s.produce_faults(0, Fault::Throttle(70), 1);
    s.batch(0);
    s.run_until_reported(5_000);
    let throttled = events(&mut s, |kind| match *kind {
        EventKind::Throttled { broker, millis } => Some((broker.node, millis)),
        _ => None,
    });
    assert_eq!(throttled, [(leader, 70)]);
    let broker = s.producer().broker_stats().find(|b| b.node == leader).expect("it is known");
    assert_eq!((broker.traffic.throttles, broker.traffic.throttled_ms), (1, 70));

    let now = s.now();
    s.cluster.elect(TOPIC, 0, 3 - leader, now).expect("a replica");
    s.batch(0);
    s.run_until_reported(5_000);
    let moved = events(&mut s, |kind| match *kind {
        EventKind::LeaderChanged { from, to, .. } => Some((from, to)),
        _ => None,
    });
    assert_eq!(moved, [(Some(leader), Some(3 - leader))]);
    s.finish();
}

/// Whoever reads too late gets the latest events, and the number of the others.
#[test]
fn a_ring_in_static_memory_keeps_the_latest() {
    let mut resources = Resources::<1400, 8, 2, 1>::new();
    let mut ring = [EventSlot::EMPTY; 2];
    let storage = resources.storage().with_events(&mut ring);
    let config = Config::new("10.0.0.2:9092");
    let mut producer = Producer::new(&config, storage, 1, Instant::ZERO).expect("legal");
    let topic = producer.topic(TOPIC).expect("a slot");
    let value = [0; 900];
    for number in 0..4 {
        let now = Instant::from_millis(number);
        let to = Destination::partition(topic, 0);
        producer.send(to, &Record::value(&value), now).expect("room");
    }
    // The fourth is still open.
    let told: Vec<_> = core::iter::from_fn(|| producer.poll_event()).collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told.iter().map(|e| e.at.as_micros()).collect::<Vec<_>>(), [2_000, 3_000]);
    assert!(
        told.iter()
            .all(|event| matches!(event.kind, EventKind::Sealed(batch) if batch.records == 1))
    );
    assert_eq!(producer.metrics().events_lost, 1);
    assert_eq!(producer.metrics().queue_records, 4);
}

/// Debug output is for logs: sizes, never bytes.
#[test]
fn i17_debug_of_records_shows_sizes_only() {
    let headers = [klamm::Header::new("nAmE", b"hEaDeR")];
    let record = Record::value(b"sEcReT").with_key(b"kEy").with_headers(&headers);
    let mut batch = klamm::BatchBuilder::new(vec![0; 200]);
    batch.append(&record).expect("room");
    let text = format!("{record:?} {headers:?} {batch:?}");
    assert!(text.contains("value: 6 bytes") && text.contains("key: 3 bytes"), "{text}");
    for mark in ["nAmE", "hEaDeR", "sEcReT", "kEy"] {
        let bytes = format!("{:?}", mark.as_bytes());
        assert!(!text.contains(mark) && !text.contains(bytes.trim_matches(['[', ']'])), "{text}");
    }
}
