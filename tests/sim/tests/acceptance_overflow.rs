//! Full memory and full queues: what is refused, and what is dropped. The id of an acceptance row is in the name of its test.

use klamm::{Outcome, Overflow, SendError};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario, Way};

use super::acceptance::pause;

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
