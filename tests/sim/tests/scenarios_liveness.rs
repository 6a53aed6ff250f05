//! Bugs that other producers had with liveness and the end, replayed on klamm: what holds others back, what never ends.

use klamm::{Acks, Idempotence, Instant, Outcome, Reason, Record, SendError};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::{INIT_PRODUCER_ID, METADATA};
use klamm_sim::simulator::{Exchange, Fate, Sample, Scenario, Simulation, Way};

use super::scenarios_timeouts::{flush, small};

fn close(s: &mut Scenario) {
    let now = Instant::from_micros(s.now());
    s.producer().close(now);
}

/// KAFKA-4557: who sends from within the callback of an expired batch changes the queue that is
/// being gone through.
#[test]
fn s54_kafka_4557_a_report_may_be_answered_by_a_record() {
    const RECORDS: u64 = 30;
    let mut setup = Scenario::setup(1, 2);
    setup.hands_off = true;
    setup.config.delivery_timeout_ms = 3_000;
    setup.config.request_timeout_ms = 1_000;
    let mut s = Simulation::new(setup).expect("the options are legal");
    let now = s.now();
    s.cluster.kill(1, now).expect("node 1 is up");
    let topic = s.producer().topic(TOPIC).expect("there is room for it");
    let send = |s: &mut Simulation, number: u64| {
        let (partition, value) = (i32::from(number.is_multiple_of(3)), [b'v'; 200]);
        let to = klamm::Destination::partition(topic, partition);
        let now = Instant::from_micros(s.now());
        s.producer().send(to, &Record::value(&value), now).expect("there is room for it");
    };
    (0..RECORDS).for_each(|number| send(&mut s, number));
    let (mut expired, mut delivered) = (0, 0);
    for second in 0..60 {
        s.run_ms(1_000).expect("no promise is broken");
        while let Some(report) = s.producer().poll_report() {
            match report.outcome {
                Outcome::NotPersisted(Reason::TimedOut { .. }) => {
                    expired += 1;
                    // At once: other batches that have expired wait behind it.
                    send(&mut s, expired);
                }
                Outcome::Delivered { .. } => delivered += 1,
                other => panic!("{other:?}"),
            }
        }
        if second == 20 {
            let now = s.now();
            s.cluster.start(1, now).expect("node 1 is down");
        }
    }
    let stats = s.producer().stats();
    assert!(expired >= 3 * RECORDS, "{expired} expired");
    assert_eq!((stats.accepted, delivered), (RECORDS + expired, RECORDS), "{stats:?}");
    assert_eq!(stats.buffered, 0, "{stats:?}");
}

/// KAFKA-4235, 3655: a close at a bad moment loses callbacks; a flush that is given up leaves its
/// counter behind.
#[test]
fn s55_kafka_4235_a_close_at_any_step_reports_everything() {
    for steps in 0..120 {
        let mut setup = Scenario::setup(2, 3);
        setup.config.linger_ms = 3;
        setup.config.delivery_timeout_ms = 6_000;
        let mut s = Scenario::new(setup);
        s.produce_fault(0, Fault::CloseAfter);
        s.produce_fault(1, Fault::Error(6));
        s.cluster.inject(Rule { skip: 2, ..Rule::once(Api::Produce, Fault::DropResponse) });
        for step in 0..steps {
            if step % 4 == 0 {
                small(&mut s, step % 3);
            }
            if step % 7 == 0 {
                // Nobody asks for this ticket again.
                flush(&mut s);
            }
            s.step().expect("no promise is broken");
        }
        let ticket = flush(&mut s);
        close(&mut s);
        // What is closed stays closed.
        close(&mut s);
        s.run_for(60_000, |s| s.ledger.unreported() == 0);
        assert_eq!(s.ledger.unreported(), 0, "closed after {steps} steps");
        assert!(s.producer().is_flushed(ticket), "closed after {steps} steps");
        assert!(s.all_delivered(0..s.ledger.next()), "closed after {steps} steps");
        s.finish();
    }
}

/// KAFKA-10520: with one request in flight, metadata that is not answered holds all others back for
/// ever.
#[test]
fn s61_kafka_10520_slow_metadata_blocks_nothing() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.config.metadata_max_age_ms = 100;
    setup.limits.connections = 1;
    let mut s = Scenario::new(setup);
    let slow = Fault::Delay(1_500_000);
    s.cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::Metadata, slow) });
    let first = s.batch(0);
    s.run(100);
    assert_eq!(s.observer.requests[&METADATA], 1);
    assert_eq!(s.observer.requests[&INIT_PRODUCER_ID], 1, "not behind the answer to Metadata");
    s.run_until_reported(8_000);
    for _ in 0..5 {
        let asked = s.observer.requests[&METADATA];
        assert!(s.run_for(5_000, |s| s.observer.requests[&METADATA] > asked));
        s.batch(0);
        let sent = s.sent(0).len();
        s.run(2);
        assert_eq!(s.sent(0).len(), sent + 1, "not behind the answer to Metadata");
        s.run_until_reported(8_000);
    }
    assert!(s.all_delivered(first..s.ledger.next()));
    assert_eq!(s.stats().connects, 1);
    s.finish();
}

/// KAFKA-13834: two nodes share the place at which the next drain begins, so partitions of one of
/// them are passed over. (For a single node: `no_partition_starves_where_requests_are_small`.)
#[test]
fn s63_kafka_13834_nodes_drain_their_own_partitions() {
    const PARTITIONS: i32 = 12;
    let mut setup = Scenario::setup(2, PARTITIONS);
    setup.config.max_request_size = 600;
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..PARTITIONS);
    let first = s.observer.exchanges.len();
    for _ in 0..200 {
        for partition in 0..PARTITIONS {
            let waits = |e: &&klamm_sim::simulator::Entry| {
                e.partition == Some(partition) && e.fate.is_none()
            };
            while s.ledger.entries().iter().filter(waits).count() < 4 {
                s.batch(partition);
            }
        }
        s.run(2);
    }
    s.run_until_reported(10_000);
    let all = &s.observer.exchanges[first..];
    let steady: Vec<&Exchange> = all[..all.len() * 9 / 10].iter().collect();
    for node in [1, 2] {
        let here: Vec<&&Exchange> = steady.iter().filter(|e| e.node == node).collect();
        let places: Vec<i32> = here.iter().map(|e| e.place.1).collect();
        for partition in (0..PARTITIONS).filter(|p| s.leader(*p) == node) {
            let turns: Vec<usize> =
                (0..places.len()).filter(|turn| places[*turn] == partition).collect();
            assert!(turns.len() > 10, "partition {partition} was sent {} times", turns.len());
            let longest = turns.windows(2).map(|w| w[1] - w[0]).max().unwrap_or_default();
            assert!(longest <= PARTITIONS.unsigned_abs() as usize, "{partition}: {longest}");
        }
    }
    s.finish();
}

/// librdkafka 1.7.0: a purge does not find what is on its way from one broker to another.
#[test]
fn s64_librdkafka_a_purge_finds_what_is_on_its_way() {
    let mut setup = Scenario::setup(3, 5).with_topic("new", 2, 1);
    setup.config.delivery_timeout_ms = 60_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..5);
    let old = s.leader(0);
    // 0: in flight to a leader that is deposed meanwhile; 1: waits for its backoff; 2: has no
    // leader; 3: lost its connection; 4: waits behind what is in flight; a topic that is not known.
    s.stall(old, Way::Down, 30_000);
    s.batches(0, 7);
    s.produce_faults(1, Fault::Error(19), u32::MAX);
    s.produce_faults(2, Fault::Error(6), u32::MAX);
    s.produce_fault(3, Fault::CloseBefore);
    (1..5).for_each(|partition| _ = s.batches(partition, 7));
    let now = s.now();
    s.cluster.depose(TOPIC, 2, now).expect("partition 2 is there");
    s.run(300);
    s.move_leader(0);
    s.run(20);
    s.cluster.inject(Rule::once(Api::Metadata, Fault::DropRequest));
    let number = s.ledger.next();
    let new = s.send("new", Some(1), Sample::plain(number, 200)).expect("no promise is broken");
    assert!(new.is_ok());
    let waiting = s.ledger.unreported();
    assert!(waiting > 20, "{waiting}");
    let now = Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    let buffered = s.stats().buffered;
    s.run(5);
    assert_eq!(s.ledger.unreported(), 0, "{buffered} were in flight");
    let purged = |e: &&klamm_sim::simulator::Entry| {
        matches!(e.fate, Some(Fate::NotPersisted(Reason::Purged) | Fate::Unknown(Reason::Purged)))
    };
    assert_eq!(s.ledger.entries().iter().filter(purged).count(), waiting);
    s.cluster.clear_faults();
    let first = s.ledger.next();
    (0..5).for_each(|partition| _ = s.batches(partition, 3));
    s.finish();
    let again = (first..s.ledger.next()).filter(|r| matches!(s.fate(*r), Some(Fate::Delivered(_))));
    assert!(again.count() >= 12, "all but those of the partition without a leader");
}

/// KAFKA-6768, 5503, 16217, franz-go 1.21.4: close waits for a request that is never sent; what is
/// sent after it hangs a later flush.
#[test]
fn s65_kafka_6768_close_ends_whatever_is_in_the_way() {
    type Obstacle = fn(&mut Scenario);
    let obstacles: [(&str, Obstacle); 4] = [
        ("no producer id", |s| {
            let refused = Fault::Error(15);
            s.cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::InitProducerId, refused) });
        }),
        ("nobody is reachable", |s| s.network.set_reachable(1, false)),
        ("nothing is answered", |s| {
            let rule = Rule::once(Api::Produce, Fault::DropRequest);
            s.cluster.inject(Rule { times: u32::MAX, ..rule });
        }),
        ("metadata is not answered", |s| {
            let rule = Rule::once(Api::Metadata, Fault::DropRequest);
            s.cluster.inject(Rule { times: u32::MAX, ..rule });
        }),
    ];
    for (name, obstacle) in obstacles {
        let mut s = Scenario::start(1, 1);
        obstacle(&mut s);
        s.batches(0, 7);
        s.run(1_000);
        close(&mut s);
        let ticket = flush(&mut s);
        let sample = Sample::plain(s.ledger.next(), 20);
        assert_eq!(s.offer(0, sample), Err(SendError::Closed), "{name}");
        assert_eq!(s.producer().topic("u"), Err(SendError::Closed), "{name}");
        // The delivery timeout and one request.
        s.run_until_reported(20_000 + 2_000);
        assert!(s.producer().is_flushed(ticket), "{name}");
        let ticket = flush(&mut s);
        assert!(s.producer().is_flushed(ticket), "{name}: nothing is left to flush");
        s.finish();
    }
}

/// kafkajs 181, franz-go 0.6.7: with acks = 0 an answer is waited for that never comes, or the
/// answer to another request is taken for it.
#[test]
fn s66_kafkajs_181_requests_without_answers_and_with_share_a_connection() {
    for metadata_max_age_ms in [50, 300_000] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.acks = Acks::None;
        setup.config.enable_idempotence = Idempotence::Off;
        setup.config.metadata_max_age_ms = metadata_max_age_ms;
        let mut s = Scenario::new(setup);
        for _ in 0..500 {
            s.batches(0, 3);
            s.run(10);
        }
        s.run_until_reported(1_000);
        assert!(s.all_delivered(0..s.ledger.next()));
        let asked = s.observer.requests[&METADATA];
        assert_eq!(asked > 10, metadata_max_age_ms == 50, "asked {asked} times");
        // Longer than the request timeout.
        s.run(5_000);
        assert_eq!(s.stats().connects, 1, "no answer is missed, or taken for another");
        s.finish();
    }
}

/// Nor is the answer that does not come to a request that has one overlooked.
#[test]
fn s66_kafkajs_181_a_missing_answer_is_noticed_with_acks_0() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.acks = Acks::None;
    setup.config.enable_idempotence = Idempotence::Off;
    setup.config.metadata_max_age_ms = 1_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.cluster.inject(Rule::once(Api::Metadata, Fault::DropResponse));
    for _ in 0..40 {
        s.batch(0);
        s.run(100);
    }
    assert!(s.stats().connects >= 2, "the connection was given up");
    s.run_until_reported(1_000);
    s.finish();
}
