//! When batches go: the rows of the acceptance table about batching and flushing. The id of a
//! row is in the name of its test.

use klamm::{ConfigError, Idempotence, SendError};
use klamm_sim::cluster::{Api, ApiVersions, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::METADATA;
use klamm_sim::simulator::{Exchange, Sample, Scenario, Way};

use super::acceptance::{DAY, by_hand, flush, produces, refused, small};

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
