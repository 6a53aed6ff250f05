//! Bugs that other producers had with buffers and memory, replayed on klamm. (39 is in
//! `scenarios_other.rs`; 44 and 50 are in `adapters/std/tests/suite`.)

use klamm::{
    Compression, Config, Destination, ErrorCode, Instant, Limits, Producer, Reason, Record, Scope,
    SendError, Storage,
};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario, Setup, Way};

/// Memory for about 20 batches.
fn small(partitions: i32) -> Setup {
    let mut setup = Scenario::setup(1, partitions);
    setup.config.max_request_size = 2_000;
    setup.limits.max_request_size = 2_000;
    setup.limits.buffer_memory = 18_000;
    setup
}

fn purge(s: &mut Scenario) {
    let now = Instant::from_micros(s.now());
    s.producer().purge(Scope::ALL, now);
}

/// KAFKA-5957: batches that were given up are freed again when their answers come.
#[test]
fn s40_kafka_5957_what_was_given_up_is_freed_once() {
    let mut s = Scenario::new(small(1));
    s.warm_up(0..1);
    let capacity = s.capacity(0);
    for round in 0..5 {
        let given_up = s.batches(0, 5);
        for slot in s.network.open() {
            let until = s.now() + 300_000;
            s.network.stall(slot, Way::Down, until);
        }
        s.run(50);
        assert_eq!(s.lines(0).iter().rev().take_while(|l| l.code.is_none()).count(), 5);
        purge(&mut s);
        s.run(1_000);
        assert!(given_up.map(|r| s.fate(r)).all(|f| f == Some(Fate::Unknown(Reason::Purged))));
        assert_eq!(s.capacity(0), capacity, "round {round}");
    }
    s.finish();
}

/// KAFKA-3122: a way to fail that never frees, looked for by failing ten thousand times.
#[test]
fn s41_kafka_3122_ten_thousand_failures_leak_nothing() {
    for code in [29, 87, 10, 2, -1] {
        let mut setup = small(1);
        setup.config.retry_backoff_ms = 1;
        setup.config.retry_backoff_max_ms = 1;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.ledger.excuses.rejected = true;
        s.ledger.excuses.data_loss = true;
        let capacity = s.capacity(0);
        s.produce_faults(0, Fault::Error(code), u32::MAX);
        let first = s.ledger.next();
        for _ in 0..500 {
            s.batches(0, 4);
            s.run_until_reported(60_000);
        }
        let failed = first..s.ledger.next();
        assert_eq!(failed.clone().count(), 2_000, "for each of five codes");
        assert!(failed.clone().all(|r| !matches!(s.fate(r), Some(Fate::Delivered(_)))), "{code}");
        s.cluster.clear_faults();
        assert_eq!(s.capacity(0), capacity, "code {code}");
        s.finish();
    }
}

/// KAFKA-4741: what fails between the reservation of memory and the record's place in a batch
/// leaks.
#[test]
fn s42_kafka_4741_a_refused_record_reserves_nothing() {
    let mut setup = small(3);
    setup.limits.partitions = 2;
    setup.limits.topics = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    let capacity = s.capacity(0);
    let topic = s.producer().topic(TOPIC).expect("it is registered");
    let large = vec![b'x'; 3_000];
    for _ in 0..1_000 {
        let now = Instant::from_micros(s.now());
        let mut send = |partition: i32, value: &[u8]| {
            let to = Destination::partition(topic, partition);
            s.producer().send(to, &Record::value(value), now)
        };
        assert!(matches!(send(0, &large), Err(SendError::TooLarge { .. })));
        assert_eq!(send(2, b"v"), Err(SendError::NoPartitionSlot));
        assert_eq!(send(3, b"v"), Err(SendError::NoSuchPartition));
        assert_eq!(send(-1, b"v"), Err(SendError::NoSuchPartition));
        assert_eq!(s.producer().topic("u"), Err(SendError::NoTopicSlot));
        assert_eq!(s.producer().topic("/"), Err(SendError::InvalidTopic));
        let (to, head) = (Destination::partition(topic, 0), Record::null());
        let refused = s.producer().send_with(to, &head, 3_000, now, |_| panic!("not called"));
        assert!(matches!(refused, Err(SendError::TooLarge { .. })));
    }
    assert_eq!(s.capacity(0), capacity);
    // Where the last byte of memory is in use, and one refusal follows the other.
    while s.offer(0, Sample::plain(s.ledger.next(), 200)).is_ok() {}
    for size in (8..1_900).step_by(17) {
        let sample = Sample::plain(s.ledger.next(), size);
        assert_eq!(s.offer(1, sample), Err(SendError::Full), "{size}");
    }
    s.run_until_reported(10_000);
    assert_eq!(s.capacity(0), capacity);
    s.finish();
}

/// KAFKA-4840: memory that runs out at an awkward place leaves wrong accounts behind.
#[test]
fn s43_kafka_4840_accounts_are_right_wherever_memory_runs_out() {
    for chunks in 2..16 {
        let mut setup = small(3);
        setup.limits.buffer_memory = chunks * 858;
        // Compression moves the spare chunk about.
        setup.config.compression_type = Compression::Gzip { level: 1 };
        let mut s = Scenario::new(setup);
        let first = s.batch(0);
        s.run_until_reported(10_000);
        assert!(s.all_delivered(first..first + 1), "{chunks} chunks");
        let capacity = s.capacity(0);
        let mut dice = Dice::new(chunks.into());
        for round in 0..10 {
            for _ in 0..20 {
                // One to three chunks a record, until two find no room; then some are free again.
                let mut full = 0;
                while full < 2 {
                    let sample = Sample::plain(s.ledger.next(), dice.pick(&[20, 200, 900, 1_700]));
                    let partition = i32::from(dice.chance(500)) + i32::from(dice.chance(500));
                    match s.offer(partition, sample) {
                        Ok(()) => {}
                        Err(SendError::Full | SendError::TooLarge { .. }) => full += 1,
                        Err(error) => panic!("{chunks} chunks, round {round}: {error}"),
                    }
                }
                s.step().expect("no promise is broken");
            }
            s.run_until_reported(10_000);
            assert_eq!(s.capacity(0), capacity, "{chunks} chunks, round {round}");
        }
        assert!(s.all_delivered(0..s.ledger.next()));
        s.finish();
    }
}

/// KAFKA-12736: a flush holds on to all batches that it waits for, also those that are done.
#[test]
fn s45_kafka_12736_memory_is_free_again_while_a_flush_goes_on() {
    let mut s = Scenario::new(small(2));
    s.warm_up(0..2);
    let capacity = s.capacity(1);
    s.produce_faults(0, Fault::Error(19), u32::MAX);
    s.batch(0);
    while s.offer(1, Sample::plain(s.ledger.next(), 200)).is_ok() {}
    let now = Instant::from_micros(s.now());
    let ticket = s.producer().flush(now);
    s.run(1_000);
    assert_eq!(s.ledger.unreported(), 1);
    for _ in 0..10 {
        let count = (0..).find(|_| s.offer(1, Sample::plain(s.ledger.next(), 200)).is_err());
        assert_eq!(count, Some(capacity - 1), "all but the batch that is not done");
        s.run(500);
        assert!(!s.producer().is_flushed(ticket));
    }
    s.cluster.clear_faults();
    s.run_until_reported(5_000);
    assert!(s.producer().is_flushed(ticket));
    s.finish();
}

/// sarama 3026, 3088: what is to be sent again goes into a buffer without bounds.
#[test]
fn s46_sarama_3026_retries_take_no_further_memory() {
    for fault in [Fault::Error(19), Fault::Error(6), Fault::CloseBefore] {
        let mut s = Scenario::new(small(2));
        s.warm_up(0..2);
        let capacity = s.capacity(0);
        let endless = Rule { times: u32::MAX, ..Rule::once(Api::Produce, fault.clone()) };
        s.cluster.inject(endless);
        let mut refused = 0;
        for number in 0..10 * capacity {
            let sample = Sample::plain(s.ledger.next(), 200);
            match s.offer(i32::from(number % 2 == 0), sample) {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, SendError::Full, "{fault:?}");
                    refused += 1;
                }
            }
            assert!(s.stats().buffered <= capacity, "{fault:?}");
            s.run(20);
        }
        assert!(refused >= 8 * capacity, "{fault:?}: {refused} refused");
        assert!(s.stats().retries > 10, "{fault:?}");
        s.cluster.clear_faults();
        s.run_until_reported(10_000);
        assert!(s.all_delivered(0..s.ledger.next()), "{fault:?}");
        assert_eq!(s.capacity(0), capacity, "{fault:?}");
        s.finish();
    }
}

/// sarama 2208, 2378: batches to be sent again are dropped without a report when their partition
/// has no leader, or their tries are used up.
#[test]
fn s47_sarama_2208_a_retry_that_cannot_go_is_reported() {
    for leaderless in [false, true] {
        let mut setup = Scenario::setup(2, 2);
        setup.config.retries = 2;
        setup.config.max_in_flight_requests_per_connection = 1;
        setup.config.delivery_timeout_ms = 5_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..2);
        s.produce_faults(0, Fault::Error(19), if leaderless { 1 } else { 3 });
        let records = s.batches(0, 5);
        let others = s.batches(1, 5);
        s.run(20);
        if leaderless {
            let now = s.now();
            s.cluster.depose(TOPIC, 0, now).expect("partition 0 is there");
        }
        s.run_until_reported(20_000);
        assert!(s.all_delivered(others));
        let reason = |r: u64| match s.fate(r) {
            Some(Fate::NotPersisted(reason)) => Some(reason),
            _ => None,
        };
        if leaderless {
            let late = |r: u64| matches!(reason(r), Some(Reason::TimedOut { .. }));
            assert!(records.clone().all(late), "{:?}", s.ledger.entries());
        } else {
            let last = ErrorCode(19);
            assert_eq!(reason(records.start), Some(Reason::Retries { last }));
            assert!(s.all_delivered(records.start + 1..records.end));
        }
        s.finish();
    }
}

/// librdkafka 2.12.0 (4628): headers are freed twice when the partition does not exist.
#[test]
fn s48_librdkafka_4628_headers_of_a_refused_record_stay_the_callers() {
    let mut setup = small(2);
    setup.config.delivery_timeout_ms = 3_000;
    let mut s = Scenario::new(setup);
    let with_headers = |number: u64| {
        let mut sample = Sample::plain(number, 20);
        sample.headers = vec![("a".to_owned(), Some(vec![1; 50])), ("b".to_owned(), None)];
        sample
    };
    // Accepted before the partitions are known; there is no such one.
    let lost = s.sample(7, with_headers(0));
    s.run_until_reported(10_000);
    assert!(matches!(s.fate(lost), Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
    let capacity = s.capacity(0);
    for round in 0..100 {
        let sample = with_headers(s.ledger.next());
        assert_eq!(s.offer(7, sample.clone()), Err(SendError::NoSuchPartition), "{round}");
        assert_eq!(s.offer(0, sample), Ok(()), "{round}");
        s.run(5);
    }
    s.run_until_reported(5_000);
    assert_eq!(s.capacity(0), capacity);
    s.finish();
}

/// franz-go 1.17.1: at the limit of memory everybody waits: the batches for more records, the
/// caller for room.
#[test]
fn s49_franz_go_full_memory_drains_by_itself() {
    let mut setup = small(20);
    setup.config.linger_ms = 5_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..20);
    let began = s.now();
    let first = s.ledger.next();
    // Batches of one small record each hold all the memory, and none is full.
    let mut partition = 0;
    while s.ledger.next() < first + 2_000 {
        let sample = Sample::plain(s.ledger.next(), 20);
        match s.offer(partition, sample) {
            Ok(()) => partition = (partition + 7) % 20,
            Err(error) => {
                assert_eq!(error, SendError::Full);
                s.run(1);
            }
        }
    }
    let took = (s.now() - began) / 1_000;
    assert!(took < 3_000, "{took} ms: lingering does not end");
    s.run_until_reported(20_000);
    assert!(s.all_delivered(first..s.ledger.next()));
    s.finish();
}

/// ruby-kafka 707: when the buffer is full the producer tries again for ever, and does nothing else.
#[test]
fn s51_ruby_kafka_707_a_full_producer_is_idle() {
    let mut setup = small(1);
    setup.config.delivery_timeout_ms = 120_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let now = s.now();
    s.cluster.kill(1, now).expect("node 1 is up");
    s.run(1_000);
    while s.offer(0, Sample::plain(s.ledger.next(), 200)).is_ok() {}
    s.producer().take_wake();
    let mut steps = 0;
    let end = s.now() + 60_000_000;
    while s.now() < end && s.step().expect("no promise is broken") {
        let sample = Sample::plain(s.ledger.next(), 200);
        assert_eq!(s.offer(0, sample), Err(SendError::Full));
        assert!(!s.producer().take_wake(), "a refusal is no work");
        steps += 1;
    }
    // Two addresses are dialed once a second: asked for, begun, refused.
    assert!(steps < 600, "{steps} wakeups in a minute");
    let now = s.now();
    s.cluster.start(1, now).expect("node 1 is down");
    s.run_until_reported(10_000);
    assert!(s.all_delivered(0..s.ledger.next()));
    s.finish();
}

/// A record takes a chunk of its own until others join it: with fewer chunks than partitions each batch would go off with
/// the one record that it began with, and a broker is asked for ten thousand of them.
#[test]
fn records_of_ten_thousand_partitions_share_the_memory() {
    let mut limits = Limits::new();
    limits.partitions = 10_000;
    limits = limits.for_batches(1 << 20);
    let config = Config::new("localhost:9092");
    let storage = Storage::boxed(&limits);
    let mut producer = Producer::new(&config, storage, 1, Instant::ZERO).expect("a producer");
    let topic = producer.topic("readings").expect("a topic");
    for partition in (0..10_000).flat_map(|partition| [partition; 10]) {
        let to = Destination::partition(topic, partition);
        let sent = producer.send(to, &Record::value(&[7; 100]), Instant::ZERO);
        assert!(sent.is_ok(), "{sent:?}, partition {partition}");
    }
}

/// Chunks have numbers of 16 bits, and 533 bytes besides their part of a batch: what is beyond lies idle.
#[test]
fn there_are_no_more_chunks_than_numbers() {
    for mib in [1, 8, 32, 33, 60, 64, 128, 255, 256, 1_024] {
        for partitions in [1, 4_096, 4_097, 10_000, 65_535] {
            let mut limits = Limits::new();
            limits.buffer_memory = mib << 20;
            limits.partitions = partitions;
            let limits = limits.for_batches(1 << 20);
            let chunks = limits.buffer_memory / (limits.batch_size + 533);
            assert!(chunks < 65_535, "{chunks} chunks in {mib} MiB for {partitions} partitions");
        }
    }
}
