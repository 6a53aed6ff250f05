//! `explain`: every reason for which a record may wait, and that it ends as it says.

use klamm::{ErrorCode, Explain, Instant, PartitionId, RecordId, SendError};
use klamm_sim::cluster::{Api, Fault, MetadataFault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Sample, Scenario, Way};

fn place(s: &mut Scenario, index: i32) -> PartitionId {
    let topic = s.producer().topic(TOPIC).expect("there is room for it");
    PartitionId { topic, index }
}

/// What partition 0 waits for.
fn why(s: &mut Scenario) -> Explain {
    let place = place(s, 0);
    s.producer().explain(place)
}

/// Sends a record that fills a batch to partition 0.
fn send(s: &mut Scenario) -> RecordId {
    let sample = Sample::plain(s.ledger.next(), 200);
    s.send(TOPIC, Some(0), sample).expect("no promise is broken").expect("it is accepted")
}

/// Lets time pass until partition 0 waits for this; panics if it never does.
fn until(s: &mut Scenario, expected: impl Fn(Explain) -> bool) -> Explain {
    let place = place(s, 0);
    let done = s.run_for(15_000, |s| {
        let why = s.producer().explain(place);
        expected(why)
    });
    let now = why(s);
    assert!(done, "it waits for something else: {now:?}");
    now
}

fn rule(api: Api, fault: Fault, times: u32) -> Rule {
    let mut rule = Rule::once(api, fault);
    rule.times = times;
    rule
}

/// It ends by itself, all is delivered, and nothing waits any more.
fn delivered(mut s: Scenario) {
    s.run_until_reported(30_000);
    assert!(s.all_delivered(0..s.ledger.next()));
    assert_eq!(why(&mut s), Explain::Nothing);
    s.finish();
}

#[test]
fn nothing_waits_before_the_first_record() {
    let mut s = Scenario::start(1, 1);
    assert_eq!(why(&mut s), Explain::Metadata { error: ErrorCode::NONE });
    s.run(500);
    assert_eq!(why(&mut s), Explain::Nothing);
    let missing = place(&mut s, 1);
    assert_eq!(s.producer().explain(missing), Explain::NoSuchPartition);
    s.finish();
}

#[test]
fn metadata_and_its_error() {
    let mut s = Scenario::start(1, 1);
    s.cluster.inject(rule(Api::Metadata, Fault::Error(5), 3));
    let record = send(&mut s);
    assert_eq!(why(&mut s), Explain::Metadata { error: ErrorCode::NONE });
    until(&mut s, |why| why == Explain::Metadata { error: ErrorCode(5) });
    assert_eq!(s.producer().explain_record(record), Explain::Metadata { error: ErrorCode(5) });
    delivered(s);
}

#[test]
fn a_partition_that_does_not_exist() {
    let mut s = Scenario::start(1, 1);
    let sample = Sample::plain(0, 8);
    s.send(TOPIC, Some(4), sample).expect("no promise is broken").expect("nobody knows yet");
    s.run(1_000);
    let missing = place(&mut s, 4);
    assert_eq!(s.producer().explain(missing), Explain::NoSuchPartition);
    assert_eq!(s.offer(4, Sample::plain(1, 8)), Err(SendError::NoSuchPartition));
    s.finish();
}

#[test]
fn no_leader() {
    let mut s = Scenario::start(1, 1);
    let fault = Fault::Metadata(MetadataFault::NoLeader);
    s.cluster.inject(rule(Api::Metadata, fault, 5));
    send(&mut s);
    until(&mut s, |why| why == Explain::Leader { error: ErrorCode(5) });
    delivered(s);
}

#[test]
fn lingering_until_its_end() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 300;
    let mut s = Scenario::new(setup);
    s.run(100);
    let end = Instant::from_micros(s.now()).plus_millis(300);
    s.sample(0, Sample::plain(0, 8));
    s.run(299);
    assert_eq!(why(&mut s), Explain::Lingering { until: end });
    s.run(2);
    assert_ne!(why(&mut s), Explain::Lingering { until: end });
    delivered(s);
}

/// The simulation sets the clock; this producer has none.
#[test]
fn the_clock() {
    use klamm::{Config, Destination, Limits, Producer, Record, Storage, Timestamp};
    let mut config = Config::new("node1:9092");
    config.linger_ms = 0;
    let storage = Storage::boxed(&Limits::default());
    let mut producer =
        Producer::new(&config, storage, 1, Instant::ZERO).expect("the options are legal");
    let topic = producer.topic(TOPIC).expect("there is room for it");
    let to = Destination::partition(topic, 0);
    producer.send(to, &Record::value(b"21.5"), Instant::ZERO).expect("there is room");
    let place = PartitionId { topic, index: 0 };
    assert_eq!(producer.explain(place), Explain::Clock);
    producer.set_clock(Timestamp::from_millis(1), Instant::ZERO);
    assert_eq!(producer.explain(place), Explain::Metadata { error: ErrorCode::NONE });
}

#[test]
fn a_producer_id_and_its_error() {
    let mut s = Scenario::start(1, 1);
    s.cluster.inject(rule(Api::InitProducerId, Fault::Error(14), 5));
    send(&mut s);
    until(&mut s, |why| matches!(why, Explain::ProducerId { error: ErrorCode(14), .. }));
    delivered(s);
}

#[test]
fn backoff_and_the_last_error() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.retry_backoff_ms = 500;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Error(19));
    send(&mut s);
    let waits = until(&mut s, |why| matches!(why, Explain::Backoff { .. }));
    let Explain::Backoff { until: end, error } = waits else { panic!("{waits:?}") };
    assert_eq!(error, ErrorCode(19));
    let left = end.micros_since(Instant::from_micros(s.now()));
    assert!((390_000..=600_000).contains(&left), "{left}");
    s.run(left / 1_000 + 1);
    assert!(!matches!(why(&mut s), Explain::Backoff { .. }));
    delivered(s);
}

#[test]
fn memory_to_split_a_batch() {
    let mut setup = Scenario::setup(2, 2);
    // Three chunks, one of them the spare, which the first split has.
    setup.limits.buffer_memory = 2_600;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    s.ledger.excuses.rejected = true;
    // A batch that may be in the log is not split in place.
    s.produce_faults(0, Fault::DropRequest, 1);
    s.produce_faults(0, Fault::Error(10), 2);
    let other = s.leader(1);
    s.stall(other, Way::Down, 8_000);
    s.batch(1);
    s.batch_of(0, 4);
    until(&mut s, |why| matches!(why, Explain::Memory { .. }));
    delivered(s);
}

#[test]
fn answers_and_what_comes_first() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.stall(1, Way::Down, 1_000);
    let records: Vec<RecordId> = (0..8).map(|_| send(&mut s)).collect();
    s.run(100);
    assert_eq!(why(&mut s), Explain::Answer { in_flight: 5 });
    let explain = |s: &mut Scenario, n: usize| s.producer().explain_record(records[n]);
    assert_eq!(explain(&mut s, 0), Explain::Answer { in_flight: 5 });
    assert_eq!(explain(&mut s, 5), Explain::Answer { in_flight: 5 });
    assert_eq!(explain(&mut s, 7), Explain::Behind { batches: 7 });
    s.run_until_reported(5_000);
    assert_eq!(explain(&mut s, 7), Explain::Nothing);
    delivered(s);
}

#[test]
fn an_address_and_a_connection_that_cannot_be_made() {
    let mut setup = Scenario::setup(2, 2);
    setup.bootstrap = "node1:9092".to_owned();
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    let partition = i32::from(s.leader(0) == 1);
    let node = s.leader(partition);
    s.network.set_reachable(node, false);
    let slot = s.network.slot_of(node).expect("it is connected");
    let now = s.now();
    s.network.reset(slot, now);
    s.run(1);
    s.batch(partition);
    let place = place(&mut s, partition);
    let waits = s.producer().explain(place);
    let Explain::Reconnect { node: named, until } = waits else { panic!("{waits:?}") };
    assert_eq!(named, node);
    let left = until.micros_since(Instant::from_micros(s.now()));
    assert!(left > 0 && left <= 60_000, "{left}");
    s.run(left / 1_000 + 1);
    assert_eq!(s.producer().explain(place), Explain::Connecting { node });
    let now = s.now();
    s.network.heal(now);
    delivered(s);
}

#[test]
fn a_leader_whose_address_metadata_does_not_say() {
    let mut s = Scenario::start(1, 1);
    let fault = Fault::Metadata(MetadataFault::UnknownLeader);
    s.cluster.inject(rule(Api::Metadata, fault, 4));
    send(&mut s);
    until(&mut s, |why| matches!(why, Explain::Address { .. }));
    delivered(s);
}

#[test]
fn a_connection_slot() {
    let mut setup = Scenario::setup(2, 2);
    setup.limits.connections = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    let (first, second) = (s.leader(1), s.leader(0));
    s.batch(1);
    s.run_until_reported(5_000);
    s.stall(first, Way::Down, 500);
    s.batch(1);
    s.run(10);
    s.batch(0);
    s.run(10);
    assert_eq!(why(&mut s), Explain::Slot { node: second });
    delivered(s);
}

#[test]
fn a_quota() {
    let mut setup = Scenario::setup(1, 1);
    setup.cluster.produce_quota = Some(100);
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    send(&mut s);
    s.run_until_reported(20_000);
    send(&mut s);
    let waits = until(&mut s, |why| matches!(why, Explain::Throttled { .. }));
    let Explain::Throttled { node, until: end } = waits else { panic!("{waits:?}") };
    assert_eq!(node, 1);
    assert!(end > Instant::from_micros(s.now()));
    delivered(s);
}

#[test]
fn a_busy_connection() {
    let mut setup = Scenario::setup(1, 2);
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    s.stall(1, Way::Down, 500);
    s.batch(1);
    s.run(10);
    send(&mut s);
    s.run(10);
    assert_eq!(why(&mut s), Explain::Busy { node: 1 });
    delivered(s);
}

#[test]
fn the_adapter_and_then_the_report() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let record = send(&mut s);
    assert_eq!(s.producer().explain_record(record), Explain::Transmit { node: 1 });
    s.half_open(0);
    let now = Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    assert_eq!(s.producer().explain_record(record), Explain::Report);
    assert_eq!(why(&mut s), Explain::Report);
    s.run_until_reported(5_000);
    assert_eq!(why(&mut s), Explain::Nothing);
    s.finish();
}

#[test]
fn it_says_so_in_words() {
    let until = Instant::from_millis(7);
    for (why, words) in [
        (Explain::Lingering { until }, "lingers until 7000 us"),
        (
            Explain::Backoff { until, error: ErrorCode(19) },
            "backs off until 7000 us, last error: not enough in-sync replicas (19)",
        ),
        (Explain::Behind { batches: 3 }, "3 batches of its partition come first"),
        (
            Explain::Reconnect { node: 2, until },
            "broker 2 could not be reached; dialed again at 7000 us",
        ),
    ] {
        assert_eq!(why.to_string(), words);
    }
}
