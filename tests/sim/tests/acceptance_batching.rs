//! When batches go: the rows of the acceptance table about batching, queues and flushing. The id of a
//! row is in the name of its test.

use klamm::{
    Config, ConfigError, Idempotence, Instant, Limits, Producer, SendError, Storage, Timer,
};
use klamm_sim::cluster::{Api, ApiVersions, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::{METADATA, PRODUCE};
use klamm_sim::simulator::{Exchange, Fate, Sample, Scenario, Setup, Way};

/// A day in milliseconds: longer than any timer of these tests.
const DAY: u64 = 86_400_000;

/// Nothing goes by itself: linger without an end, and no delivery timeout.
fn by_hand(setup: &mut Setup) {
    setup.config.policies.hold_full_batches = true;
    setup.config.linger_ms = u32::MAX;
    setup.config.delivery_timeout_ms = u32::MAX;
}

/// A small record; returns its number.
fn small(s: &mut Scenario, partition: i32) -> u64 {
    let number = s.ledger.next();
    s.sample(partition, Sample::plain(number, 8))
}

fn produces(s: &Scenario) -> u64 {
    s.observer.requests.get(&PRODUCE).copied().unwrap_or_default()
}

fn flush(s: &mut Scenario) {
    let now = s.instant();
    s.producer().flush(now);
}

/// A producer without a network, for options that it has to refuse.
fn refused(change: impl FnOnce(&mut Config<'static>)) -> Option<ConfigError> {
    let mut config = Config::new("node1:9092");
    change(&mut config);
    Producer::new(&config, Storage::boxed(&Limits::new()), 1, Instant::ZERO).err()
}

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
fn pk_14_ak_11_linger_is_the_upper_bound() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 5_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let before = s.now();
    small(&mut s, 0);
    s.run(3_000);
    small(&mut s, 0);
    s.run(3_000);
    let last: &Exchange = s.observer.exchanges.last().expect("it was sent");
    assert_eq!((last.at, last.batch.numbers.clone()), (before + 5_000_000, vec![1, 2]));
    s.finish();
}

#[test]
fn pk_15_ak_10_without_linger_a_batch_goes_at_once() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let before = s.now();
    small(&mut s, 0);
    s.run(1);
    assert_eq!(s.observer.exchanges.last().map(|e| e.at), Some(before));
    // The next follows the one before, full or not.
    s.run_until_reported(1_000);
    small(&mut s, 0);
    s.run_until_reported(1_000);
    assert_eq!(s.sent(0), [[0], [1], [2]]);
    s.finish();
}

#[test]
fn ak_12_a_full_batch_does_not_linger() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 5_000;
    let mut s = Scenario::new(setup);
    // The first has no room for the second.
    s.batches(0, 2);
    s.run(1_000);
    assert_eq!(s.log(0), [0]);
    s.finish();
}

#[test]
fn ki_14_a_batch_is_full_by_records_too() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 60_000;
    setup.config.delivery_timeout_ms = 100_000;
    setup.config.batch_records = 3;
    let mut s = Scenario::new(setup);
    for _ in 0..8 {
        small(&mut s, 0);
    }
    s.run(1_000);
    assert_eq!(s.sent(0), [vec![0, 1, 2], vec![3, 4, 5]]);
    s.finish();
    assert_eq!(s.sent(0).last(), Some(&vec![6, 7]));
    let out_of_range = ConfigError::OutOfRange { option: "batch_records", min: 1, max: 65_535 };
    assert_eq!(refused(|c| c.batch_records = 0), Some(out_of_range));
}

#[test]
fn pk_16_ak_02_ki_09_send_only_queues() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let sent = produces(&s);
    s.batches(0, 3);
    assert_eq!((produces(&s), s.stats().buffered), (sent, 3));
    s.run_until_reported(1_000);
    assert_eq!(s.log(0), [0, 1, 2, 3]);
    s.finish();
}

#[test]
fn pk_19_a_stalled_broker_does_not_delay_others() {
    let mut s = Scenario::start(3, 3);
    s.warm_up(0..3);
    let nodes: Vec<i32> = (0..3).map(|p| s.leader(p)).collect();
    s.stall(nodes[0], Way::Up, 1_500);
    s.batches(0, 3);
    let others = s.ledger.next()..s.ledger.next() + 2;
    s.batch(1);
    s.batch(2);
    s.run(500);
    assert!(s.all_delivered(others));
    assert_eq!(s.ledger.unreported(), 3);
    s.run_until_reported(10_000);
    s.finish();
}

#[test]
fn pk_22_pk_24_records_go_to_the_partitions_leader() {
    let mut s = Scenario::start(3, 3);
    s.warm_up(0..3);
    for e in &s.observer.exchanges {
        assert_eq!(Some(e.node), s.cluster.leader(TOPIC, e.place.1));
    }
    s.finish();
}

#[test]
fn pk_26_pk_27_ki_16_an_error_refreshes_metadata_and_nothing_is_lost() {
    let mut setup = Scenario::setup(2, 1);
    // Newer ones name the new leader in the answer.
    setup.cluster.nodes.iter_mut().for_each(|node| node.versions = ApiVersions::KAFKA_2_8);
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let asked = s.observer.requests.get(&METADATA).copied();
    s.move_leader(0);
    let records = s.batches(0, 5);
    s.run_until_reported(10_000);
    assert!(s.observer.requests.get(&METADATA).copied() > asked);
    assert!(s.all_delivered(records));
    assert_eq!(s.log(0), (0..6).collect::<Vec<_>>());
    s.finish();
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
fn ki_13_ki_14_batch_size_counts_what_waits_in_all() {
    let mut setup = Scenario::setup(2, 4);
    by_hand(&mut setup);
    setup.config.policies.send_at_records = 10;
    let mut s = Scenario::new(setup);
    for partition in 0..9 {
        small(&mut s, partition % 4);
    }
    s.run(DAY);
    assert_eq!((produces(&s), s.stats().buffered), (0, 9));
    small(&mut s, 0);
    s.run_until_reported(5_000);
    assert_eq!(s.stats().buffered, 0);
    s.finish();
}

#[test]
fn ki_15_ki_22_only_what_failed_is_sent_again() {
    let mut setup = Scenario::setup(1, 2);
    setup.config.linger_ms = 50;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    s.produce_fault(0, Fault::Error(19));
    small(&mut s, 0);
    small(&mut s, 1);
    s.run(60);
    assert_eq!(s.stats().buffered, 1);
    s.run_until_reported(5_000);
    assert_eq!((s.sent(0), s.sent(1)), (vec![vec![0], vec![2], vec![2]], vec![vec![1], vec![3]]));
    s.finish();
}

#[test]
fn ki_17_ki_18_ki_20_a_flush_is_one_request_per_leader() {
    let mut setup = Scenario::setup(2, 6);
    by_hand(&mut setup);
    let mut s = Scenario::new(setup);
    for partition in 0..6 {
        small(&mut s, partition);
    }
    flush(&mut s);
    s.run_until_reported(5_000);
    let mut requests: Vec<(i32, i32)> =
        s.observer.exchanges.iter().map(|e| (e.node, e.correlation)).collect();
    requests.sort_unstable();
    requests.dedup();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert_eq!(s.observer.exchanges.len(), 6);
    s.finish();
}

#[test]
fn ki_19_records_without_a_leader_wait_and_metadata_is_asked_for() {
    let mut setup = Scenario::setup(2, 1);
    setup.topics[0].1.replication = 1;
    setup.config.policies.broker_queue_records_max = 2;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let (node, now) = (s.leader(0), s.now());
    s.cluster.kill(node, now).expect("it is up");
    s.run(3_000);
    let asked = s.observer.requests[&METADATA];
    // They count for no broker, so its bound is none.
    let records = s.batches(0, 6);
    s.run(3_000);
    assert!(s.observer.requests[&METADATA] > asked);
    assert_eq!(s.stats().buffered, 6);
    let number = s.ledger.next();
    let now = s.now();
    s.cluster.start(node, now).expect("it is down");
    s.cluster.elect(TOPIC, 0, node, now).expect("it is in sync");
    s.run_until_reported(10_000);
    assert!(s.all_delivered(records));
    assert_eq!(s.log(0), (0..number).collect::<Vec<_>>());
    s.finish();
}

#[test]
fn ki_21_memory_is_free_after_an_acknowledgement() {
    let mut setup = Scenario::setup(1, 1);
    setup.limits.buffer_memory = 8 * (300 + 600);
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    for _ in 0..20 {
        let mut accepted = 0;
        while let Ok(()) = {
            let number = s.ledger.next();
            s.offer(0, Sample::plain(number, 200))
        } {
            accepted += 1;
        }
        assert!(accepted >= 6, "{accepted}");
        s.run_until_reported(5_000);
    }
    s.finish();
}

#[test]
fn ki_10_ki_24_rk_23_close_delivers_what_there_is_and_takes_no_more() {
    let mut setup = Scenario::setup(1, 3);
    by_hand(&mut setup);
    let mut s = Scenario::new(setup);
    for number in 0..100 {
        small(&mut s, number % 3);
    }
    s.finish();
    assert_eq!(s.stats().delivered, 100);
    let number = s.ledger.next();
    assert_eq!(s.offer(0, Sample::plain(number, 8)), Err(SendError::Closed));
}

#[test]
fn pk_32_a_closed_producer_says_so() {
    let mut s = Scenario::start(1, 1);
    s.finish();
    assert_eq!(s.offer(0, Sample::plain(0, 8)), Err(SendError::Closed));
}

#[test]
fn ak_03_ak_08_ck_01_a_partition_has_a_batch_in_order_of_append() {
    let mut setup = Scenario::setup(1, 2);
    setup.config.linger_ms = 50;
    let mut s = Scenario::new(setup);
    for number in 0..8 {
        small(&mut s, number % 2);
    }
    s.run_until_reported(5_000);
    assert_eq!((s.sent(0), s.sent(1)), (vec![vec![0, 2, 4, 6]], vec![vec![1, 3, 5, 7]]));
    s.finish();
}

#[test]
fn ak_07_no_batch_is_larger_than_batch_size() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 1_000;
    let mut s = Scenario::new(setup);
    for number in 0..200_usize {
        let record = s.ledger.next();
        s.sample(0, Sample::plain(record, 8 + number));
    }
    s.run_until_reported(10_000);
    let largest = s.observer.exchanges.iter().map(|e| e.batch.bytes.len()).max();
    assert!(largest.is_some_and(|bytes| (250..=300).contains(&bytes)), "{largest:?}");
    s.finish();
}

#[test]
fn ak_09_one_batch_of_a_partition_at_a_time() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.config.enable_idempotence = Idempotence::Off;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.cluster.inject(Rule { times: 3, ..Rule::once(Api::Produce, Fault::Delay(1_000)) });
    s.batches(0, 5);
    s.run_until_reported(10_000);
    let exchanges = &s.observer.exchanges;
    for pair in exchanges.windows(2) {
        let answered = pair[0].answer.map(|(at, ..)| at);
        assert!(answered.is_some_and(|at| at <= pair[1].at));
    }
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

#[test]
fn ck_07_after_a_flush_everything_has_its_report() {
    let mut setup = Scenario::setup(1, 3);
    setup.config.linger_ms = 10_000;
    let mut s = Scenario::new(setup);
    for partition in 0..30 {
        small(&mut s, partition % 3);
    }
    let now = s.instant();
    let ticket = s.producer().flush(now);
    assert!(!s.producer().is_flushed(ticket));
    assert!(s.run_for(5_000, move |s| s.producer().is_flushed(ticket)));
    s.run(0);
    s.run_until_reported(1);
    assert_eq!(s.stats().delivered, 30);
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
