//! Bugs that other producers had with splitting, buffers, timers and metadata, replayed on klamm.

use klamm::{ErrorCode, Reason};
use klamm_sim::cluster::{Api, ApiVersions, Fault, MetadataFault, Rule, UnknownProducer};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::METADATA;
use klamm_sim::simulator::{Fate, Sample, Scenario, Way};

fn limit(s: &mut Scenario, bytes: usize) {
    s.ledger.excuses.rejected = true;
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = bytes;
}

/// KAFKA-8350, 8202: the target of a split never shrinks, so it goes on for ever.
#[test]
fn s28_a_split_ends_at_single_records() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    limit(&mut s, 61 + 40);
    let small = s.batch_of(0, 8);
    let large = s.batch(0);
    let last = s.batch_of(0, 8);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(small.clone()) && s.all_delivered(last.clone()));
    assert_eq!(s.fate(large), Some(Fate::NotPersisted(Reason::TooLarge)));
    let kept: Vec<u64> = (0..1).chain(small).chain(last).collect();
    assert_eq!(s.log(0), kept);
    s.finish();
}

/// KAFKA-8325: a batch that was split stays among those in flight, expires there, and is freed
/// twice.
#[test]
fn s29_a_split_batch_expires_once() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.delivery_timeout_ms = 3_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    limit(&mut s, 61 + 120);
    s.produce_faults(0, Fault::Error(10), 1);
    s.produce_faults(0, Fault::Error(19), u32::MAX);
    let records = s.batch_of(0, 8);
    s.run_until_reported(10_000);
    for record in records {
        let late = Fate::NotPersisted(Reason::TimedOut { last: ErrorCode(19) });
        assert_eq!(s.fate(record), Some(late));
    }
    s.cluster.clear_faults();
    let more = s.batch_of(0, 4);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(more));
    s.finish();
}

/// KAFKA-7501: `MESSAGE_TOO_LARGE` for a batch that has expired.
#[test]
fn s30_an_expired_batch_is_not_split() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.delivery_timeout_ms = 2_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    limit(&mut s, 61 + 40);
    let now = s.now();
    s.cluster.kill(1, now).expect("up");
    let records = s.batch_of(0, 8);
    s.run(1_000);
    let now = s.now();
    s.cluster.start(1, now).expect("down");
    s.produce_fault(0, Fault::Delay(1_500_000));
    s.run_until_reported(10_000);
    for record in records {
        assert!(!matches!(s.fate(record), Some(Fate::Delivered(_)) | None));
    }
    assert_eq!(s.log(0), [0]);
    limit(&mut s, 1_000_000);
    let more = s.batch_of(0, 8);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(more));
    s.finish();
}

/// CVE-2026-35554, KAFKA-19012: a delivery timeout frees a buffer that the socket still writes;
/// another topic's records go into it, and out under the first topic's name.
#[test]
fn s39_a_batch_that_expires_while_it_is_written_keeps_its_memory() {
    for window in [1, 50, 150, 200, 340] {
        let mut setup = Scenario::setup(1, 1).with_topic("other", 1, 1);
        setup.config.delivery_timeout_ms = 2_000;
        setup.config.request_timeout_ms = 1_900;
        setup.config.max_request_size = 400;
        setup.limits.max_request_size = 400;
        setup.limits.buffer_memory = 2_000;
        setup.network.late_requests = 1_000;
        setup.network.late_by = 4_000_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.network.conditions.window = window;
        s.stall(1, Way::Up, 60_000);
        let first = s.batch(0);
        s.run(1_000);
        // As long as memory lasts; each goes to the other topic, some after the first has expired.
        for _ in 0..200 {
            let number = s.ledger.next();
            let sample = Sample::plain(number, 200);
            let _ = s.send("other", Some(0), sample).expect("no promise is broken");
            s.run(20);
        }
        s.network.conditions.window = 1 << 20;
        s.run_until_reported(20_000);
        assert!(s.fate(first).is_some());
        // Every record in a log is checked against what was sent there.
        s.finish();
    }
}

/// KAFKA-7311: the next expiry is kept as a minimum and never reset, so that the producer spins.
#[test]
fn s52_an_idle_producer_sleeps() {
    let mut s = Scenario::start(1, 1);
    s.batches(0, 3);
    s.produce_fault(0, Fault::Error(19));
    s.run_until_reported(10_000);
    s.run(100_000);
    let before = s.trace.events();
    let mut steps = 0;
    let end = s.now() + 60_000_000;
    while s.now() < end && s.step().expect("no promise is broken") {
        steps += 1;
    }
    assert!(steps < 60, "{steps} wakeups in an idle minute");
    assert!(s.trace.events() - before < 20);
    s.finish();
}

/// KAFKA-12870: a flush that is never counted as done, so that linger is ignored from then on.
#[test]
fn s56_linger_applies_after_a_flush() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 50;
    let mut s = Scenario::new(setup);
    for round in 0..3 {
        let first = s.ledger.next();
        s.sample(0, Sample::plain(first, 20));
        let now = klamm::Instant::from_micros(s.now());
        let ticket = s.producer().flush(now);
        s.run_for(10_000, |s| s.producer().is_flushed(ticket));
        assert!(s.producer().is_flushed(ticket), "flush {round}");
        s.run(10);
        for _ in 0..4 {
            let number = s.ledger.next();
            s.sample(0, Sample::plain(number, 10));
            s.run(10);
        }
        s.run_until_reported(5_000);
        let last = s.sent(0).pop().expect("something was sent");
        assert_eq!(last, (first + 1..first + 5).collect::<Vec<_>>(), "round {round}");
    }
    s.finish();
}

/// kafkajs 1783, 1175, platformatic 377, librdkafka 4976, 777: a leader that does not answer is
/// asked for ever.
#[test]
fn s67_a_dead_leader_is_left_after_one_request_timeout() {
    for half_open in [true, false] {
        let mut s = Scenario::start(3, 1);
        s.warm_up(0..1);
        let old = s.leader(0);
        let slot = s.network.slot_of(old).expect("connected");
        s.network.set_reachable(old, false);
        if half_open {
            s.half_open(slot);
        } else {
            let now = s.now();
            s.cluster.kill(old, now).expect("up");
        }
        if s.leader(0) == old {
            s.move_leader(0);
        }
        let record = s.batch(0);
        let began = s.now();
        s.run_until_reported(15_000);
        let answered = s.observer.exchanges.last().and_then(|e| e.answer).expect("delivered").0;
        let took = (answered - began) / 1_000;
        assert!(s.all_delivered(record..record + 1));
        assert!(took < 2_000 + 1_000, "half open {half_open}: {took} ms");
        s.finish();
    }
}

/// librdkafka 1.4.2, 3009, 4898, franz-go 1.13.1, KAFKA-16012: a topic created again starts with
/// leader epoch 0, so that its metadata is taken for stale for ever.
#[test]
fn s68_a_topic_that_is_created_again_is_written_to() {
    for mode in [UnknownProducer::Accept, UnknownProducer::OutOfOrder] {
        let mut setup = Scenario::setup(2, 2);
        setup.cluster.unknown_producer = mode;
        let mut s = Scenario::new(setup);
        s.warm_up(0..2);
        for _ in 0..4 {
            s.move_leader(0);
        }
        s.batch(0);
        s.run_until_reported(10_000);
        s.recreate_topic(TOPIC);
        let new = s.batches(0, 3);
        s.run_until_reported(15_000);
        assert!(s.all_delivered(new.clone()), "{mode:?}: {:?}", s.ledger.entries());
        assert_eq!(s.log(0), new.collect::<Vec<_>>(), "{mode:?}");
        s.finish();
    }
}

/// The same without topic ids, where the re-creation cannot be told from an answer of a broker that
/// lags behind: Metadata 9 has leader epochs that are right, and lower after it (seed 105676).
#[test]
fn s68_a_topic_that_is_created_again_is_written_to_without_topic_ids() {
    let mut setup = Scenario::setup(2, 2);
    for node in &mut setup.cluster.nodes {
        node.versions = ApiVersions::EVENT_HUBS;
    }
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    for _ in 0..4 {
        s.move_leader(0);
    }
    s.batch(0);
    s.run_until_reported(10_000);
    let now = s.now();
    s.cluster.depose(TOPIC, 0, now).expect("partition 0 is there");
    let waiting = s.batches(0, 1);
    s.run(1_000);
    s.recreate_topic(TOPIC);
    s.run_until_reported(15_000);
    assert!(s.all_delivered(waiting.clone()), "{:?}", s.ledger.entries());
    assert_eq!(s.log(0), waiting.collect::<Vec<_>>());
    s.finish();
}

/// A partition emptied by `DeleteRecords` goes on with the sequence it had (the second half of 68).
#[test]
fn s68_deleted_records_change_no_sequence() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.cluster.delete_records(TOPIC, 0, 1).expect("partition 0 is there");
    s.ledger.excuses.lost.entry(0).or_default().insert(0);
    let new = s.batches(0, 2);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(new));
    assert_eq!(s.stats().bumps, 0);
    s.finish();
}

/// Found by seed 6355: metadata says that the partition has no leader, the next answer leaves the
/// topic out, and nobody asks again before `metadata.max.age.ms`.
#[test]
fn metadata_is_asked_for_again_while_a_queued_batch_has_no_leader() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    for lie in [MetadataFault::NoLeader, MetadataFault::MissingTopic] {
        s.cluster.inject(Rule::once(Api::Metadata, Fault::Metadata(lie)));
    }
    s.produce_fault(0, Fault::Error(6));
    let record = s.batch(0);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(record..record + 1));
    s.finish();
}

/// What a producer makes of a code that answers the first transmission of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Delivered,
    NotPersisted,
    Unknown,
}

/// The table of protocol.md 4.5, and KAFKA-3122: every code ends in one outcome and gives all
/// memory back.
#[test]
fn every_error_code_has_one_outcome_and_frees_its_memory() {
    for code in -1..=130 {
        let expected = match code {
            0
            | 46
            | 3
            | 5..=9
            | 13..=16
            | 19
            | 20
            | 45
            | 47
            | 56
            | 59
            | 72
            | 74
            | 75
            | 100
            | 103 => Expected::Delivered,
            2 | 10 | 17 | 18 | 21 | 29 | 31 | 32 | 35 | 42 | 43 | 44 | 53 | 76 | 87 => {
                Expected::NotPersisted
            }
            // Codes of transactions are to a producer without them as unknown as any other.
            _ => Expected::Unknown,
        };
        let mut setup = Scenario::setup(1, 1);
        setup.config.max_request_size = 2_000;
        setup.limits.max_request_size = 2_000;
        setup.limits.buffer_memory = 20_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.ledger.excuses.rejected = true;
        s.ledger.excuses.data_loss = true;
        let capacity = s.capacity(0);
        let times = if code == 2 { u32::MAX } else { 1 };
        let fault = match code {
            0 | 46 => Fault::AppendThenError { code, keep_offset: false },
            _ => Fault::Error(code),
        };
        s.produce_faults(0, fault, times);
        let record = s.batch(0);
        s.run_until_reported(60_000);
        s.cluster.clear_faults();
        let fate = s.fate(record);
        let is = match fate {
            Some(Fate::Delivered(_)) => Expected::Delivered,
            Some(Fate::NotPersisted(_)) => Expected::NotPersisted,
            _ => Expected::Unknown,
        };
        assert_eq!(is, expected, "code {code}: {fate:?}");
        let next = s.batch(0);
        s.run_until_reported(10_000);
        assert!(s.all_delivered(next..next + 1), "code {code}");
        assert_eq!(s.capacity(0), capacity, "code {code}");
        s.finish();
    }
}

/// A metadata refresh is asked for once, not in a loop, while nothing changes.
#[test]
fn metadata_is_asked_for_when_it_is_due() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.metadata_max_age_ms = 1_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.run(100);
    let before = s.observer.requests[&METADATA];
    s.run(10_500);
    let asked = s.observer.requests[&METADATA] - before;
    assert!((9..=11).contains(&asked), "{asked} times in 10 periods");
    s.finish();
}
