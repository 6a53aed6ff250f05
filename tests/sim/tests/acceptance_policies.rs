//! What becomes of records that cannot go: retries, final errors, full memory, purge, time. The id of
//! an acceptance row is in the name of its test.

use klamm::{
    Acks, Compression, ErrorCode, Idempotence, Outcome, Overflow, Policies, Reason, Scope,
    SendError, Timestamp,
};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::METADATA;
use klamm_sim::simulator::{Fate, Sample, Scenario, Setup, Way};

const NOT_ENOUGH: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS;
const AFTER_APPEND: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND;

/// A small record; returns its number.
fn small(s: &mut Scenario, partition: i32) -> u64 {
    let number = s.ledger.next();
    s.sample(partition, Sample::plain(number, 8))
}

fn purge(s: &mut Scenario, scope: Scope) {
    let now = s.instant();
    s.producer().purge(scope, now);
}

fn pause(s: &mut Scenario, paused: bool) {
    let now = s.instant();
    s.producer().pause(paused, now);
}

fn purged(s: &Scenario, record: u64) -> bool {
    s.fate(record) == Some(Fate::NotPersisted(Reason::Purged))
}

#[test]
fn pk_05_a_batch_fails_with_the_last_error_after_its_attempts() {
    for (errors, delivered) in [(2, true), (3, false)] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.retries = 2;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.produce_faults(0, Fault::Error(19), errors);
        let record = s.batch(0);
        s.run_until_reported(10_000);
        assert_eq!(s.sent(0).len(), 4, "three attempts, and the first record");
        match s.fate(record) {
            Some(Fate::Delivered(_)) => assert!(delivered),
            fate => {
                assert!(!delivered);
                let last = NOT_ENOUGH;
                assert_eq!(fate, Some(Fate::NotPersisted(Reason::Retries { last })));
            }
        }
        s.finish();
    }
}

#[test]
fn pk_06_backoff_between_retries() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.retry_backoff_ms = 100;
    setup.config.retry_backoff_max_ms = 100;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 5);
    s.batch(0);
    s.run_until_reported(10_000);
    let times: Vec<u64> = s.observer.exchanges.iter().skip(1).map(|e| e.at).collect();
    assert_eq!(times.len(), 6);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 100_000), "{times:?}");
    s.finish();
}

#[test]
fn pk_08_the_brokers_ack_timeout_is_an_option() {
    for (option, expected) in [(0, 2_000), (10_000, 10_000)] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.policies.ack_timeout_ms = option;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        assert_eq!(s.observer.last_terms, Some((-1, expected)));
        s.finish();
    }
}

#[test]
fn ak_19_too_few_replicas_is_final_if_asked_for() {
    for strict in [false, true] {
        for code in [NOT_ENOUGH, AFTER_APPEND] {
            let mut setup = Scenario::setup(1, 1);
            if strict {
                setup.config.policies.final_errors = Policies::NOT_ENOUGH_REPLICAS;
            }
            let mut s = Scenario::new(setup);
            s.warm_up(0..1);
            let fault = match code {
                AFTER_APPEND => Fault::AppendThenError { code: 20, keep_offset: false },
                _ => Fault::Error(19),
            };
            s.produce_fault(0, fault);
            let record = s.batch(0);
            s.run_until_reported(10_000);
            let expected = match (strict, code) {
                (false, _) => None,
                (true, AFTER_APPEND) => Some(Fate::Unknown(Reason::Rejected(code))),
                (true, _) => Some(Fate::NotPersisted(Reason::Rejected(code))),
            };
            match expected {
                Some(fate) => assert_eq!(s.fate(record), Some(fate)),
                None => assert!(s.all_delivered(record..record + 1)),
            }
            // Nothing is lost or doubled behind it.
            let later = s.batches(0, 3);
            s.run_until_reported(10_000);
            assert!(s.all_delivered(later));
            s.finish();
        }
    }
}

#[test]
fn ak_15_ak_16_the_last_error_is_reported_when_time_is_over() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.delivery_timeout_ms = 3_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), u32::MAX);
    let record = s.batch(0);
    s.run_until_reported(10_000);
    let last = NOT_ENOUGH;
    assert_eq!(s.fate(record), Some(Fate::NotPersisted(Reason::TimedOut { last })));
    assert!(s.sent(0).len() > 4, "it was tried again and again");
    s.finish();
}

#[test]
fn ak_17_without_an_answer_nobody_knows() {
    for stored in [false, true] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.delivery_timeout_ms = 3_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        let fault = if stored { Fault::DropResponse } else { Fault::DropRequest };
        s.produce_faults(0, fault, u32::MAX);
        let record = s.batch(0);
        s.run_until_reported(20_000);
        assert!(matches!(s.fate(record), Some(Fate::Unknown(Reason::TimedOut { .. }))));
        assert_eq!(s.log(0).contains(&record), stored);
        s.finish();
    }
}

#[test]
fn ak_21_without_acks_nothing_is_awaited() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.acks = Acks::None;
    setup.config.enable_idempotence = Idempotence::Off;
    let mut s = Scenario::new(setup);
    let record = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(record), Some(Fate::Delivered(None)));
    assert_eq!(s.stats().retries, 0);
    s.finish();
}

#[test]
fn ki_11_ki_12_an_unknown_topic_is_asked_for_then_refused() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.allow_auto_create_topics = false;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let asked = s.observer.requests[&METADATA];
    let offer = |s: &mut Scenario| {
        let number = s.ledger.next();
        s.send("late", None, Sample::plain(number, 8)).expect("no promise is broken")
    };
    assert_eq!(offer(&mut s).err(), Some(SendError::TopicPending));
    s.run(50);
    assert_eq!(s.observer.requests[&METADATA], asked + 1);
    assert_eq!(offer(&mut s).err(), Some(SendError::Topic(ErrorCode(3))));
    s.cluster
        .create_topic("late", klamm_sim::cluster::TopicConfig::new(1, 1))
        .expect("a legal name");
    let id = s.cluster.topic_id("late").expect("it is there");
    s.observer.learn(id, "late");
    s.run(3_000);
    assert!(offer(&mut s).is_ok());
    s.run_until_reported(5_000);
    s.finish();
}

#[test]
fn ki_23_a_fatal_error_is_reported_and_not_retried() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.ledger.excuses.rejected = true;
    s.produce_fault(0, Fault::Error(29));
    let record = s.batch(0);
    let next = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(record), Some(Fate::NotPersisted(Reason::Rejected(ErrorCode(29)))));
    assert!(s.all_delivered(next..next + 1));
    assert_eq!(s.stats().not_persisted, 1);
    s.finish();
}

#[test]
fn ak_13_ak_04_memory_is_bounded_and_what_is_refused_is_never_sent() {
    let mut setup = Scenario::setup(1, 1);
    setup.limits.buffer_memory = 8 * 900;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.stall(1, Way::Up, 1_000);
    let mut refused = 0;
    for _ in 0..100 {
        let number = s.ledger.next();
        let answer = s.offer(0, Sample::plain(number, 200));
        if answer == Err(SendError::Full) {
            refused += 1;
        }
        s.run(1);
    }
    assert!(refused > 80, "{refused}");
    let accepted = s.ledger.next();
    s.run_until_reported(20_000);
    assert_eq!(s.log(0), (0..accepted).collect::<Vec<_>>());
    s.finish();
}

#[test]
fn ck_27_unread_reports_stop_acceptance() {
    let mut setup = Scenario::setup(1, 1);
    setup.limits.buffer_memory = 8 * 900;
    let mut s = Scenario::new(setup);
    s.hands_off();
    let topic = s.producer().topic(TOPIC).expect("there is room");
    let to = klamm::Destination::partition(topic, 0);
    let record = klamm::Record::value(&[0; 200]);
    let mut accepted = 0;
    for _ in 0..200 {
        let now = s.instant();
        accepted += u64::from(s.producer().send(to, &record, now).is_ok());
        s.run(10);
    }
    assert!(accepted < 10, "{accepted}");
    assert_eq!(s.stats().delivered, accepted);
    while s.producer().poll_report().is_some() {}
    let now = s.instant();
    assert!(s.producer().send(to, &record, now).is_ok());
}

fn overflowing(overflow: Overflow) -> Scenario {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 8 * 900;
    setup.config.policies.overflow = overflow;
    Scenario::new(setup)
}

/// Offers batches of one record each, and reads reports after each; returns what was refused.
fn offer_batches(s: &mut Scenario, partition: i32, count: usize) -> Vec<SendError> {
    let offer = |_| {
        let number = s.ledger.next();
        let refused = s.offer(partition, Sample::plain(number, 200)).err();
        s.run(1);
        refused
    };
    (0..count).filter_map(offer).collect()
}

/// PR 189 of ruby-kafka, wolff: the newest records are worth more.
#[test]
fn drop_oldest_gives_the_oldest_batchs_memory_to_the_newest_record() {
    let mut s = overflowing(Overflow::DropOldest);
    s.warm_up(0..2);
    pause(&mut s, true);
    // As many as there is memory for.
    assert_eq!(offer_batches(&mut s, 0, 3), []);
    assert_eq!(offer_batches(&mut s, 1, 20), []);
    let last = s.ledger.next();
    s.run(10);
    assert!(s.stats().dropped > 10);
    pause(&mut s, false);
    s.run_until_reported(10_000);
    let dropped = s.stats().dropped;
    for number in 2..last {
        let expected = number >= 2 + dropped;
        assert_eq!(s.all_delivered(number..number + 1), expected, "{number}");
        assert_eq!(s.fate(number) == Some(Fate::Dropped), !expected, "{number}");
    }
    s.finish();
}

/// A sequence that was given must never be missing.
#[test]
fn drop_oldest_spares_what_was_sent() {
    let mut s = overflowing(Overflow::DropOldest);
    s.warm_up(0..2);
    s.stall(1, Way::Down, 1_000);
    let sent = s.batches(0, 3);
    s.run(100);
    let refused = offer_batches(&mut s, 0, 20);
    assert_eq!(refused, []);
    s.run_until_reported(20_000);
    assert!(s.all_delivered(sent.start..sent.start + 1), "it was sent");
    let dropped = |n: &u64| s.fate(*n) == Some(Fate::Dropped);
    assert!((sent.end..s.ledger.next()).filter(dropped).count() >= 10);
    s.finish();
}

/// Reports that nobody reads keep their slots: then there is nothing to drop for.
#[test]
fn drop_oldest_refuses_while_reports_are_unread() {
    let mut s = overflowing(Overflow::DropOldest);
    pause(&mut s, true);
    let offer = |s: &mut Scenario| {
        let number = s.ledger.next();
        s.offer(0, Sample::plain(number, 200))
    };
    while offer(&mut s).is_ok() {}
    assert_eq!(offer(&mut s), Err(SendError::Full));
    assert_eq!(s.pending_report(), Some(Outcome::Dropped));
    assert!(s.producer().report_records().is_none(), "the new record has the memory");
    s.run(1);
    assert_eq!(offer_batches(&mut s, 0, 1), []);
    s.finish();
}

#[test]
fn drop_oldest_also_keeps_the_queues_bounds() {
    let mut setup = Scenario::setup(2, 2);
    setup.config.policies.overflow = Overflow::DropOldest;
    setup.config.policies.queue_records_max = 6;
    setup.config.policies.broker_queue_records_max = 4;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    pause(&mut s, true);
    assert_eq!(offer_batches(&mut s, 0, 5), []);
    s.run(1);
    assert_eq!(s.fate(2), Some(Fate::Dropped), "the oldest for that broker");
    assert_eq!(offer_batches(&mut s, 1, 3), []);
    s.run(1);
    assert_eq!((s.stats().dropped, s.stats().buffered), (2, 6));
    assert_eq!(s.fate(3), Some(Fate::Dropped), "the oldest of all");
    pause(&mut s, false);
    s.run_until_reported(5_000);
    s.finish();
}

/// What is dropped while reports are unread makes no room, so nothing is.
#[test]
fn drop_oldest_drops_nothing_in_vain() {
    let mut setup = Scenario::setup(1, 1);
    setup.limits.buffer_memory = 8 * 900;
    setup.config.policies.overflow = Overflow::DropOldest;
    setup.config.policies.queue_records_max = 2;
    let mut s = Scenario::new(setup);
    pause(&mut s, true);
    let mut dropped = 0;
    for _ in 0..100 {
        let number = s.ledger.next();
        if s.offer(0, Sample::plain(number, 200)).is_ok() {
            dropped = s.stats().dropped;
        }
    }
    assert_eq!(s.stats().dropped, dropped, "the last one was dropped for a record");
    assert_eq!(s.stats().buffered, 2);
    s.finish();
}

#[test]
fn rk_24_free_memory_can_be_asked_for() {
    let mut s = overflowing(Overflow::Reject);
    s.warm_up(0..1);
    pause(&mut s, true);
    let all = s.producer().free_bytes();
    assert_eq!(offer_batches(&mut s, 0, 3), []);
    assert_eq!(s.producer().free_bytes(), all - 3 * 300);
    assert!(!offer_batches(&mut s, 0, 20).is_empty());
    assert_eq!(s.producer().free_bytes(), 0);
    pause(&mut s, false);
    s.run_until_reported(5_000);
    assert_eq!(s.producer().free_bytes(), all);
    s.finish();
}

#[test]
fn drop_newest_refuses_and_counts() {
    let mut s = overflowing(Overflow::DropNewest);
    s.warm_up(0..2);
    pause(&mut s, true);
    let refused = offer_batches(&mut s, 0, 20);
    assert!(refused.iter().all(|error| *error == SendError::Dropped));
    assert_eq!(s.stats().refused, refused.len() as u64);
    assert_eq!((s.stats().dropped, s.stats().accepted), (0, 2 + 20 - s.stats().refused));
    pause(&mut s, false);
    s.run_until_reported(5_000);
    assert_eq!(s.stats().delivered, s.stats().accepted);
    s.finish();
}

#[test]
fn purge_knows_topics_partitions_and_what_was_sent() {
    let mut setup = Scenario::setup(1, 2).with_topic("other", 1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    s.stall(1, Way::Down, 1_000);
    let sent = s.batch(0);
    s.run(10);
    let (queued, neighbour) = (s.batch(0), s.batch(1));
    let number = s.ledger.next();
    let other = s.send("other", Some(0), Sample::plain(number, 8)).expect("no promise is broken");
    assert!(other.is_ok());
    let topic = s.producer().topic(TOPIC).expect("known");

    purge(&mut s, Scope::partition(topic, 0).queued_only());
    s.run(1);
    assert!(purged(&s, queued));
    assert_eq!((s.fate(sent), s.fate(neighbour)), (None, None));

    purge(&mut s, Scope::topic(topic));
    s.run(1);
    assert!(purged(&s, neighbour));
    assert_eq!((s.fate(sent), s.fate(number)), (None, None), "its answer is on its way");
    s.run_until_reported(5_000);
    // What the answer says counts for more than that nobody wants to know.
    assert!(s.all_delivered(sent..sent + 1) && s.all_delivered(number..number + 1));
    let later = s.batches(0, 3);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(later));
    s.finish();
}

/// It has a number, even while it waits for its next try: without it there would be a gap.
#[test]
fn what_is_tried_again_is_not_queued_only() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Error(19));
    let refused = s.batch(0);
    s.run(50);
    let queued = s.batch(0);
    purge(&mut s, Scope::ALL.queued_only());
    s.run(1);
    assert!(purged(&s, queued));
    assert_eq!(s.fate(refused), None);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(refused..refused + 1));
    let later = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.log(0), [0, refused, later]);
    s.finish();
}

#[test]
fn a_purge_of_what_was_sent_is_unknown_without_an_answer() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::DropResponse);
    let sent = s.batch(0);
    s.run(10);
    let topic = s.producer().topic(TOPIC).expect("known");
    purge(&mut s, Scope::partition(topic, 0));
    let later = s.batch(0);
    s.run_until_reported(10_000);
    assert_eq!(s.fate(sent), Some(Fate::Unknown(Reason::Purged)));
    assert!(s.all_delivered(later..later + 1));
    s.finish();
}

/// What is handed back is compared with what was sent by the simulation, on every report that has
/// records; here all must have them.
#[test]
fn ki_23_compressed_records_are_handed_back_as_they_were() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.compression_type = Compression::Gzip { level: 6 };
    setup.config.linger_ms = 50;
    let mut s = Scenario::new(setup);
    s.hands_off();
    s.produce_fault(0, Fault::Error(29));
    let topic = s.producer().topic(TOPIC).expect("there is room");
    let now = s.instant();
    let values = [[b'a'; 50], [b'b'; 50], [b'c'; 50]];
    for value in &values {
        let to = klamm::Destination::partition(topic, 0);
        s.producer().send(to, &klamm::Record::value(value), now).expect("there is room");
    }
    s.run(1_000);
    let compressed = s.observer.exchanges.last().map(|e| e.batch.bytes.len());
    assert!(compressed.is_some_and(|bytes| bytes < 150), "{compressed:?}");
    let report = s.producer().peek_report().expect("it failed");
    assert_eq!(report.outcome, Outcome::NotPersisted(Reason::Rejected(ErrorCode(29))));
    let records = s.producer().report_records().expect("they are handed back");
    let back: Vec<Vec<u8>> = records.filter_map(|r| r.value.map(<[u8]>::to_vec)).collect();
    assert_eq!(back, values.map(|value| value.to_vec()));
}

/// A device that slept an hour tries before it gives up.
#[test]
fn after_a_jump_in_time_a_batch_gets_its_try() {
    for asleep in [3_600_000, 21_000] {
        let mut s = Scenario::start(1, 1);
        s.warm_up(0..1);
        let records = s.batches(0, 2);
        s.sleep(asleep);
        s.run_until_reported(10_000);
        assert!(s.all_delivered(records), "after {asleep} ms");
        s.finish();
    }
}

/// Many short turns awake add up, and an hour asleep is none.
#[test]
fn jumps_in_time_do_not_count_as_tries() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let node = s.leader(0);
    s.network.set_reachable(node, false);
    let now = s.now();
    s.cluster.kill(node, now).expect("it is up");
    let record = s.batch(0);
    let mut turns = 0;
    while s.fate(record).is_none() {
        s.run(1_200);
        s.sleep(3_600_000);
        turns += 1;
        assert!(turns < 10);
    }
    // Twice 1,200 ms are more than the 2 seconds of a request timeout: only time between calls counts.
    assert!(turns >= 3, "{turns}");
    assert!(matches!(s.fate(record), Some(Fate::Unknown(_) | Fate::NotPersisted(_))));
    let now = s.now();
    s.cluster.start(node, now).expect("it is down");
    s.network.set_reachable(node, true);
    s.finish();
}

/// Without a jump nothing changes: a deadline is a deadline.
#[test]
fn an_honest_wait_is_no_jump() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    pause(&mut s, true);
    let (record, before) = (s.batch(0), s.now());
    assert!(s.run_for(60_000, |s| s.ledger.unreported() == 0));
    assert!(matches!(s.fate(record), Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
    assert_eq!(s.now() - before, 20_000_000);
    s.finish();
}

fn clockless(wait_ms: u32) -> Setup {
    let mut setup = Scenario::setup(1, 1);
    setup.clock = false;
    setup.config.clock_wait_ms = wait_ms;
    setup.config.delivery_timeout_ms = 60_000;
    setup
}

fn timestamps(s: &Scenario) -> Vec<i64> {
    s.cluster.log(TOPIC, 0).map(|record| record.timestamp).collect()
}

#[test]
fn records_wait_for_the_clock_and_get_the_time_of_their_acceptance() {
    let mut s = Scenario::new(clockless(u32::MAX));
    small(&mut s, 0);
    s.run(7_000);
    small(&mut s, 0);
    s.run(7_000);
    assert_eq!(s.log(0).len(), 0);
    let at = s.instant();
    s.producer().set_clock(Timestamp::from_millis(1_700_000_014_000), at);
    s.run_until_reported(5_000);
    assert_eq!(timestamps(&s), [1_700_000_000_000, 1_700_000_007_000]);
    s.finish();
}

#[test]
fn the_wait_for_the_clock_may_have_an_end() {
    let mut s = Scenario::new(clockless(10_000));
    // The clock of the simulation starts at 1 s.
    small(&mut s, 0);
    s.run(9_900);
    assert_eq!(s.log(0).len(), 0);
    s.run(200);
    assert_eq!(timestamps(&s), [1_000]);
    let at = s.instant();
    s.producer().set_clock(Timestamp::from_millis(1_700_000_000_000), at);
    small(&mut s, 0);
    s.run_until_reported(5_000);
    assert_eq!(timestamps(&s), [1_000, 1_700_000_000_000]);
    s.finish();
}

#[test]
fn ck_30_a_record_that_is_too_large_is_refused_with_both_sizes_or_named() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let refused = s.offer(0, Sample::plain(1, 2 << 20));
    let Err(SendError::TooLarge { size, max }) = refused else { panic!("{refused:?}") };
    assert!(size > 2 << 20 && max <= 1 << 20);
    s.ledger.excuses.rejected = true;
    s.cluster.topic_config(TOPIC).expect("there").max_message_bytes = 100;
    let large = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(large), Some(Fate::NotPersisted(Reason::TooLarge)));
    s.finish();
}

#[test]
fn ck_05_ck_02_delivered_records_have_their_offsets() {
    let mut s = Scenario::start(2, 2);
    s.cluster.inject(Rule { times: 2, ..Rule::once(Api::Produce, Fault::Error(19)) });
    let records = s.batches(0, 4);
    s.run_until_reported(10_000);
    for (offset, record) in (0..).zip(records) {
        assert_eq!(s.fate(record), Some(Fate::Delivered(Some(offset))));
    }
    s.finish();
}
