//! Who waits how long, and how many may: the bounds of the queue, thresholds, intervals, delivery by hand, pauses. The id of an
//! acceptance row is in the name of its test.

use klamm::{ConfigError, SendError, Timer};
use klamm_sim::cluster::Fault;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario, Way};

use super::acceptance::{by_hand, flush, produces, refused, small};

#[test]
fn pk_09_a_broker_has_a_queue_with_a_bound_of_its_own() {
    let mut setup = Scenario::setup(2, 2);
    setup.config.policies.broker_queue_records_max = 1_000;
    setup.config.linger_ms = 5_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    let (one, other) = (s.leader(0), s.leader(1));
    assert_ne!(one, other);
    let now = s.instant();
    s.producer().pause(true, now);
    for _ in 0..1_000 {
        small(&mut s, 0);
    }
    let number = s.ledger.next();
    let refused = s.offer(0, Sample::plain(number, 8));
    let Err(SendError::QueueFull { topic, option, max }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(s.producer().topic_name(topic), TOPIC);
    assert_eq!((option, max), ("broker_queue_records_max", 1_000));
    assert_eq!(s.ledger.next(), number, "nothing was accepted");
    small(&mut s, 1);
    s.producer().pause(false, now);
    s.run(100);
    small(&mut s, 0);
    s.run_until_reported(20_000);
    s.finish();
}

/// The same in bytes, and in all.
#[test]
fn pk_09_rk_03_bounds_in_bytes_and_in_all() {
    for (records, bytes) in [(3, u32::MAX), (u32::MAX, 300)] {
        let mut setup = Scenario::setup(2, 2);
        by_hand(&mut setup);
        setup.config.policies.queue_records_max = records;
        setup.config.policies.queue_bytes_max = bytes;
        let mut s = Scenario::new(setup);
        for partition in [0, 1, 0] {
            let number = s.ledger.next();
            s.sample(partition, Sample::plain(number, 80));
        }
        for partition in [0, 1] {
            let number = s.ledger.next();
            let refused = s.offer(partition, Sample::plain(number, 80));
            assert!(matches!(refused, Err(SendError::QueueFull { .. })), "{refused:?}");
        }
        s.run(5_000);
        assert_eq!(produces(&s), 0, "full is no reason to deliver");
        flush(&mut s);
        s.run_until_reported(10_000);
        small(&mut s, 0);
        s.finish();
    }
}

/// A record that alone is larger than the bound is accepted when nothing else waits: it would never
/// be otherwise.
#[test]
fn a_large_record_passes_a_small_bound_alone() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.policies.queue_bytes_max = 50;
    let mut s = Scenario::new(setup);
    s.batches(0, 1);
    let number = s.ledger.next();
    assert!(s.offer(0, Sample::plain(number, 200)).is_err());
    s.run_until_reported(10_000);
    s.batches(0, 1);
    s.finish();
}

/// What waits for a partition counts for its new leader when that moves.
#[test]
fn pk_25_a_queue_follows_the_leader() {
    let mut setup = Scenario::setup(2, 1);
    setup.config.delivery_timeout_ms = u32::MAX;
    setup.config.policies.broker_queue_records_max = 5;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let now = s.instant();
    s.producer().pause(true, now);
    let queued = s.batches(0, 5);
    s.move_leader(0);
    s.produce_fault(0, Fault::Error(6));
    s.run(400_000);
    let number = s.ledger.next();
    assert!(matches!(s.offer(0, Sample::plain(number, 8)), Err(SendError::QueueFull { .. })));
    let now = s.instant();
    s.producer().purge(klamm::Scope::ALL.queued_only(), now);
    let kept = s.batches(0, 5);
    s.producer().pause(false, now);
    s.run_until_reported(20_000);
    assert!(s.all_delivered(kept.clone()));
    assert_eq!(s.log(0), [0].into_iter().chain(kept).collect::<Vec<_>>());
    assert!(queued.into_iter().all(|n| matches!(s.fate(n), Some(Fate::NotPersisted(_)))));
    s.finish();
}

#[test]
fn pk_11_rk_14_a_full_queue_is_an_immediate_error() {
    let mut setup = Scenario::setup(1, 1);
    by_hand(&mut setup);
    setup.config.policies.queue_records_max = 1;
    let mut s = Scenario::new(setup);
    small(&mut s, 0);
    let number = s.ledger.next();
    let Err(error) = s.offer(0, Sample::plain(number, 8)) else { panic!("accepted") };
    assert_eq!(error.to_string(), "queue full: queue_records_max = 1 reached");
    s.finish();
    assert_eq!(s.log(0), [0]);
}

#[test]
fn pk_12_min_queued_messages_sends_at_once() {
    let mut setup = Scenario::setup(1, 4);
    setup.config.batch_size = 1 << 20;
    setup.limits.batch_size = 1 << 20;
    setup.limits.buffer_memory = 24 << 20;
    setup.config.linger_ms = 5_000;
    setup.config.policies.send_at_records = 70_000;
    let mut s = Scenario::new(setup);
    for number in 0..69_999 {
        small(&mut s, number % 4);
    }
    s.run(2_000);
    assert_eq!(produces(&s), 0);
    let before = s.now();
    small(&mut s, 3);
    assert!(s.run_for(1, |s| s.observer.exchanges.len() >= 4));
    assert_eq!(s.observer.exchanges.first().map(|e| e.at), Some(before));
    s.run_until_reported(10_000);
    s.finish();
    assert_eq!(
        refused(|c| c.policies.send_at_records = 0),
        Some(ConfigError::OutOfRange { option: "send_at_records", min: 1, max: u32::MAX })
    );
}

#[test]
fn pk_13_the_threshold_does_not_wait_for_linger() {
    for bytes in [false, true] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.linger_ms = 5_000;
        let policies = &mut setup.config.policies;
        if bytes {
            policies.send_at_bytes = 40;
        } else {
            policies.send_at_records = 3;
        }
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        let sent = s.observer.exchanges.len();
        small(&mut s, 0);
        small(&mut s, 0);
        s.run(10);
        assert_eq!(s.observer.exchanges.len(), sent);
        let before = s.now();
        small(&mut s, 0);
        s.run(1);
        assert_eq!(s.observer.exchanges.last().map(|e| e.at), Some(before));
        assert_eq!(s.sent(0).last(), Some(&vec![1, 2, 3]));
        s.finish();
    }
}

#[test]
fn ki_08_pk_28_what_waits_is_counted_exactly() {
    let mut setup = Scenario::setup(1, 2);
    setup.config.linger_ms = 1_000;
    let mut s = Scenario::new(setup);
    small(&mut s, 0);
    small(&mut s, 1);
    assert_eq!(s.stats().buffered, 2);
    let ticket = {
        let now = s.instant();
        s.producer().flush(now)
    };
    assert_eq!(s.stats().buffered, 2, "queued is not delivered");
    s.produce_fault(0, Fault::Error(19));
    s.run_until_reported(10_000);
    assert!(s.producer().is_flushed(ticket));
    assert_eq!((s.stats().buffered, s.stats().delivered, s.stats().retries), (0, 2, 1));
    s.finish();
}

#[test]
fn rk_02_nothing_goes_before_it_is_delivered_by_hand() {
    let mut setup = Scenario::setup(1, 1);
    by_hand(&mut setup);
    let mut s = Scenario::new(setup);
    // Full batches and an open one.
    s.batches(0, 3);
    small(&mut s, 0);
    s.run(10_000_000);
    assert_eq!((produces(&s), s.stats().buffered), (0, 4));
    flush(&mut s);
    s.run_until_reported(5_000);
    assert_eq!(s.log(0), [0, 1, 2, 3]);
    s.finish();
}

#[test]
fn rk_04_rk_05_rk_06_bounds_are_checked() {
    let out_of_range = |option| Some(ConfigError::OutOfRange { option, min: 1, max: u32::MAX });
    assert_eq!(refused(|c| c.policies.queue_records_max = 0), out_of_range("queue_records_max"));
    assert_eq!(refused(|c| c.policies.send_at_bytes = 0), out_of_range("send_at_bytes"));
    assert_eq!(refused(|c| c.policies.delivery_interval_ms = 0), None);
}

#[test]
fn rk_07_a_delivery_threshold_counts_what_is_buffered() {
    let mut setup = Scenario::setup(1, 2);
    by_hand(&mut setup);
    setup.config.policies.send_at_records = 4;
    let mut s = Scenario::new(setup);
    for round in 1..=3 {
        for partition in [0, 1, 0] {
            small(&mut s, partition);
        }
        s.run(60_000);
        assert_eq!(s.stats().buffered, 3, "round {round}");
        small(&mut s, 1);
        s.run_until_reported(5_000);
    }
    s.finish();
}

#[test]
fn rk_08_deliveries_by_interval() {
    let mut setup = Scenario::setup(1, 1);
    by_hand(&mut setup);
    setup.config.policies.delivery_interval_ms = 30_000;
    let mut s = Scenario::new(setup);
    let start = s.now();
    for _ in 0..10 {
        small(&mut s, 0);
        s.run(10_000);
    }
    let times: Vec<u64> = s.observer.exchanges.iter().map(|e| (e.at - start) / 1_000_000).collect();
    assert_eq!(times, [30, 60, 90]);
    s.run_until_reported(30_000);
    // While there is nothing to deliver, nobody is woken.
    let timer = s.producer().next_deadline().map(|(_, timer)| timer);
    assert_ne!(timer, Some(Timer::Linger));
    s.finish();
}

#[test]
fn rk_09_without_an_interval_there_is_no_timer() {
    let mut setup = Scenario::setup(1, 1);
    by_hand(&mut setup);
    let mut s = Scenario::new(setup);
    s.run(1_000);
    small(&mut s, 0);
    s.run(1_000);
    // A refresh of the metadata and an idle connection's end are all there is to wait for.
    let timer = s.producer().next_deadline().map(|(_, timer)| timer);
    assert!(matches!(timer, None | Some(Timer::Metadata | Timer::Connection)), "{timer:?}");
    s.finish();
}

#[test]
fn rk_10_threshold_and_interval_whichever_is_first() {
    let mut setup = Scenario::setup(1, 1);
    by_hand(&mut setup);
    setup.config.policies.delivery_interval_ms = 30_000;
    setup.config.policies.send_at_records = 1_000;
    let mut s = Scenario::new(setup);
    s.run(100_000);
    for _ in 0..999 {
        small(&mut s, 0);
    }
    s.run(29_900);
    assert_eq!(produces(&s), 0);
    s.run(200);
    assert_eq!(s.stats().buffered, 0);
    for _ in 0..1_000 {
        small(&mut s, 0);
    }
    s.run(200);
    assert_eq!(s.stats().buffered, 0);
    s.finish();
}

#[test]
fn rk_12_records_queue_while_others_are_delivered() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Delay(1_000_000));
    s.batch(0);
    s.run(100);
    let later = s.batches(0, 20);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(later));
    s.finish();
}

#[test]
fn rk_13_what_is_under_way_and_what_waits_are_bounded_apart() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.config.policies.queue_records_max = 10;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.stall(1, Way::Up, 1_000);
    s.batch(0);
    s.run(10);
    s.batches(0, 10);
    let number = s.ledger.next();
    assert!(matches!(s.offer(0, Sample::plain(number, 8)), Err(SendError::QueueFull { .. })));
    assert_eq!(s.stats().buffered, 11);
    s.run(1_500);
    s.batches(0, 10);
    s.run_until_reported(10_000);
    s.finish();
}

#[test]
fn rk_22_a_delivery_includes_what_was_before_it_only() {
    let mut setup = Scenario::setup(1, 1);
    by_hand(&mut setup);
    let mut s = Scenario::new(setup);
    let before = small(&mut s, 0);
    flush(&mut s);
    let after = small(&mut s, 0);
    s.run(60_000);
    assert_eq!(s.log(0), [before]);
    assert_eq!(s.fate(after), None);
    s.finish();
}

/// Design 3.5.1: what was not sent waits, what was sent goes on.
#[test]
fn a_pause_holds_back_what_was_never_sent() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 2);
    let sent = s.batch(0);
    s.run(1);
    let now = s.instant();
    s.producer().pause(true, now);
    let held = s.batches(0, 3);
    flush(&mut s);
    s.run(5_000);
    assert!(s.all_delivered(sent..sent + 1), "a retry is not held back");
    assert_eq!(s.stats().buffered, 3);
    let now = s.instant();
    s.producer().pause(false, now);
    s.run_until_reported(1_000);
    assert!(s.all_delivered(held));
    s.finish();
}
