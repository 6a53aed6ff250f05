//! Batches that are too large while memory is full, and batches of which some records are invalid.

use klamm::{ErrorCode, Instant, Reason};
use klamm_sim::cluster::{ApiVersions, Fault};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario};

/// A chunk of scenarios: a batch of 300 bytes, and room for heads and tags.
const CHUNK: u32 = 300 + 44 + 255 + 249 + 3;

/// A producer with so many chunks and one more, the spare, for a topic with this limit.
fn small_memory(chunks: u32, limit: usize) -> Scenario {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = (chunks + 1) * CHUNK;
    setup.config.delivery_timeout_ms = 10_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.warm_up(1..2);
    s.ledger.excuses.rejected = true;
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = limit;
    s
}

/// Seed 8396: each batch waited for memory to be split, which only the others could have freed, and all expired.
#[test]
fn batches_that_fill_the_memory_are_split_in_place() {
    for (chunks, limit) in [(1, 300), (1, 61 + 90), (2, 61 + 40), (3, 61 + 40)] {
        let mut s = small_memory(chunks, limit);
        let first = s.ledger.next();
        for chunk in 0..chunks {
            s.batch_of(i32::try_from(chunk % 2).expect("small"), 8);
        }
        let full = s.offer(0, Sample::plain(s.ledger.next(), 200));
        assert!(full.is_err(), "{chunks} chunks are taken");
        s.run_until_reported(9_000);
        assert!(s.all_delivered(first..s.ledger.next()), "{chunks} chunks, limit {limit}");
        // All memory is back: it can be filled again.
        for _ in 0..chunks {
            s.batch(1);
        }
        s.run_until_reported(9_000);
        s.finish();
    }
}

/// A record that is too large by itself fails alone; what was split off behind it, in place, goes on.
#[test]
fn the_rest_goes_on_when_the_first_part_fails() {
    let mut s = small_memory(1, 61 + 60);
    let large = s.sample(0, Sample::plain(s.ledger.next(), 100));
    let first = s.ledger.next();
    for number in first..first + 4 {
        s.sample(0, Sample::plain(number, 10));
    }
    s.run_until_reported(9_000);
    assert_eq!(s.fate(large), Some(Fate::NotPersisted(Reason::TooLarge)));
    assert!(s.all_delivered(first..first + 4));
    assert_eq!(s.log(0)[1..], [first, first + 1, first + 2, first + 3]);
    s.finish();
}

/// Both parts of a batch that was split in place can fail: each report still has its records.
#[test]
fn parts_in_one_chunk_expire_with_all_their_records() {
    for answers in [1, u32::MAX] {
        let mut s = small_memory(1, 61 + 120);
        s.produce_faults(0, Fault::Error(10), 1);
        s.produce_faults(0, Fault::Error(19), answers);
        let records = s.batch_of(0, 8);
        s.run(300);
        if answers == 1 {
            s.run_until_reported(9_000);
            assert!(s.all_delivered(records));
        } else {
            s.run_until_reported(13_000);
            for record in records {
                let fate = s.fate(record);
                assert!(matches!(fate, Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
            }
        }
        s.cluster.clear_faults();
        let more = s.batch_of(0, 2);
        s.run_until_reported(9_000);
        assert!(s.all_delivered(more));
        s.finish();
    }
}

/// A stored batch whose answer was lost is split because the limit was lowered since. Its parts answer 45, and what
/// follows them proves that they are in the log: they must not wait for each other's chunk.
#[test]
fn an_unsure_batch_is_split_without_memory() {
    let mut s = small_memory(2, 300);
    s.produce_fault(0, Fault::CloseAfter);
    let records = s.batch_of(0, 8);
    assert!(s.run_for(2_000, |s| s.cluster.log(TOPIC, 0).count() > 1));
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 61 + 120;
    let next = s.sample(0, Sample::plain(s.ledger.next(), 60));
    s.run_until_reported(15_000);
    assert!(s.all_delivered(records) && s.all_delivered(next..next + 1));
    s.finish();
}

/// Seed 982: a part that was compressed moved to another chunk, and the other part's records lay in the one it left.
#[test]
fn a_part_that_shares_its_chunk_is_not_compressed() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 2 * CHUNK;
    setup.config.compression_type = klamm::Compression::Gzip { level: 6 };
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(10), 2);
    let records = s.batch_of(0, 8);
    s.run_until_reported(9_000);
    assert!(s.all_delivered(records));
    s.finish();
}

/// Seed 70626: a batch that may be in the log was to be split, no chunk was free, and it went out again compressed where
/// it had gone out plain.
#[test]
fn what_cannot_be_split_goes_out_as_it_was() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 3 * CHUNK;
    setup.config.compression_type = klamm::Compression::Gzip { level: 6 };
    setup.config.linger_ms = 3_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.warm_up(1..2);
    // The parts of the first batch have a chunk and the spare.
    s.produce_faults(0, Fault::Error(7), 1);
    s.produce_faults(0, Fault::Error(10), 1);
    s.produce_faults(0, Fault::Error(19), u32::MAX);
    s.batch_of(0, 8);
    let now = Instant::from_micros(s.now());
    s.producer().flush(now);
    // The second one lingers, and is sent when the spare is gone.
    s.produce_faults(1, Fault::Error(7), 1);
    s.produce_faults(1, Fault::Error(10), 1);
    s.batch_of(1, 6);
    let refused = |s: &mut klamm_sim::simulator::Simulation| {
        s.observer.sent_to(TOPIC, 1).iter().any(|e| matches!(e.answer, Some((_, 10, _))))
    };
    assert!(s.run_for(9_000, refused));
    // There is memory again before the next round.
    s.cluster.clear_faults();
    s.run_until_reported(15_000);
    assert!(s.all_delivered(0..s.ledger.next()));
    s.finish();
}

/// KIP-467: only the records that the broker names are `Rejected`, also where innocent ones stand between them, and
/// whether the batch is compressed or not.
#[test]
fn exactly_the_named_records_are_rejected() {
    let codecs = [klamm::Compression::None, klamm::Compression::Gzip { level: 6 }];
    for compression in codecs {
        let mut setup = Scenario::setup(1, 1);
        setup.config.compression_type = compression;
        setup.config.linger_ms = 10;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.ledger.excuses.rejected = true;
        s.cluster.topic_config(TOPIC).expect("the topic is there").compacted = true;
        let first = s.ledger.next();
        for number in first..first + 8 {
            let mut sample = Sample::plain(number, 8);
            // On a compacted topic a record without a key is invalid.
            sample.key = [1, 4, 5, 7].contains(&(number - first)).then(|| b"k".to_vec());
            s.sample(0, sample);
        }
        s.run_until_reported(5_000);
        for number in first..first + 8 {
            let reason = match number - first {
                1 | 4 | 5 | 7 => Reason::Neighbour,
                _ => Reason::Rejected(ErrorCode(87)),
            };
            assert_eq!(s.fate(number), Some(Fate::NotPersisted(reason)), "{}", number - first);
        }
        s.finish();
    }
}

/// Brokers before Produce 8 name none: all records are rejected.
#[test]
fn where_no_record_is_named_all_are_rejected() {
    let mut setup = Scenario::setup(1, 1);
    setup.cluster.nodes[0].versions = ApiVersions::KAFKA_2_1;
    setup.config.linger_ms = 10;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.ledger.excuses.rejected = true;
    s.cluster.topic_config(TOPIC).expect("the topic is there").compacted = true;
    let records = s.batch_of(0, 2);
    s.run_until_reported(5_000);
    for record in records {
        assert!(matches!(s.fate(record), Some(Fate::NotPersisted(Reason::Rejected(_)))));
    }
    s.finish();
}

/// Seed 503008: a batch that may be in the log took the last chunk for its second part. The others were compressed, and
/// there was none left to unpack them in: all waited for one another until they expired.
#[test]
fn the_last_chunk_is_for_those_who_can_go_on() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 3 * CHUNK;
    setup.config.compression_type = klamm::Compression::Gzip { level: 6 };
    setup.config.delivery_timeout_ms = 10_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.warm_up(1..2);
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 61 + 70;
    s.produce_faults(0, Fault::Error(7), 1);
    s.produce_faults(1, Fault::Error(19), 3);
    let first = s.ledger.next();
    s.batch_of(0, 8);
    s.batch_of(1, 8);
    s.run_until_reported(15_000);
    assert!(s.all_delivered(first..s.ledger.next()), "{:?}", s.ledger.entries());
    s.finish();
}

/// The same seed: what is compressed outside when no chunk is left could not be unpacked to be split. It goes out plain.
#[test]
fn nothing_is_compressed_that_could_not_be_unpacked() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 3 * CHUNK;
    setup.config.compression_type = klamm::Compression::Gzip { level: 6 };
    setup.config.compress_outside = true;
    setup.squeezes = true;
    setup.config.delivery_timeout_ms = 10_000;
    setup.config.linger_ms = 3_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.warm_up(1..2);
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 61 + 55;
    // The first batch may be in the log, and takes the spare while the second one lingers.
    s.produce_faults(0, Fault::Error(7), 1);
    let first = s.ledger.next();
    s.batch_of(0, 8);
    let now = Instant::from_micros(s.now());
    s.producer().flush(now);
    s.batch_of(1, 6);
    s.run_until_reported(15_000);
    assert!(s.all_delivered(first..s.ledger.next()), "{:?}", s.ledger.entries());
    s.finish();
}

/// A batch that lies in several chunks was split, and its second part written into one: over the records behind it.
#[test]
fn parts_of_a_batch_of_several_chunks_keep_to_their_chunks() {
    for unsure in [false, true] {
        let mut setup = Scenario::setup(1, 2);
        setup.config.batch_size = 4_000;
        setup.limits.buffer_memory = 20 * CHUNK;
        setup.user.largest = 60;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.warm_up(1..2);
        s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 2_500;
        s.produce_faults(1, Fault::Error(19), 20);
        let first = s.ledger.next();
        // The first one's chunk will be free, and is followed by one that is taken.
        s.batches(0, 1);
        s.batches(1, 1);
        s.run_for(500, |s| s.cluster.log(TOPIC, 0).count() > 1);
        if unsure {
            s.produce_faults(0, Fault::Error(7), 1);
        }
        let taken = s.send_batch(TOPIC, Some(0), 90, true).expect("no promise is broken");
        assert!(taken.expect("there is room") > 50);
        s.batches(1, 3);
        s.run_until_reported(60_000);
        assert!(s.all_delivered(first..s.ledger.next()), "unsure: {unsure}");
        s.finish();
    }
}

/// What is cut off a batch that is larger than `batch_size`, and may be in the log, has not room in the spare: it waits until
/// others' memory is free.
#[test]
fn an_unsure_batch_larger_than_the_spare_waits_for_memory() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 10 * CHUNK;
    setup.config.delivery_timeout_ms = 100_000;
    setup.user.largest = 60;
    setup.user.builder = Some(3_000);
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.warm_up(1..2);
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 2_500;
    s.produce_faults(0, Fault::Error(7), 1);
    s.produce_faults(1, Fault::Error(19), 10);
    let first = s.ledger.next();
    let taken = s.send_batch(TOPIC, Some(0), 200, true).expect("no promise is broken");
    assert!(taken.expect("there is room") > 40);
    s.batches(1, 2);
    s.run_until_reported(60_000);
    assert!(s.all_delivered(first..s.ledger.next()), "{:?}", s.ledger.entries());
    s.finish();
}

/// Chunks of 128 bytes and 551 for heads and tags, over which batches of up to 1,000 bytes grow.
fn small_chunks(chunks: u32) -> klamm_sim::simulator::Setup {
    let mut setup = Scenario::setup(1, 2);
    setup.config.batch_size = 1_000;
    setup.config.linger_ms = 5;
    setup.config.delivery_timeout_ms = 10_000;
    setup.limits.batch_size = 128;
    setup.limits.buffer_memory = chunks * (128 + 551);
    setup
}

/// Small records for two partitions by turns, until one is refused; returns the first one's number.
fn fill(s: &mut Scenario) -> u64 {
    let first = s.ledger.next();
    let mut refused = false;
    while !refused {
        for partition in 0..2 {
            let sample = Sample::plain(s.ledger.next(), 40);
            refused |= s.offer(partition, sample).is_err();
        }
    }
    first
}

#[test]
fn a_batch_grows_over_free_chunks_up_to_its_size() {
    let mut s = Scenario::new(small_chunks(100));
    s.warm_up(0..1);
    let first = s.ledger.next();
    for number in first..first + 60 {
        s.sample(0, Sample::plain(number, 40));
    }
    s.run_until_reported(1_000);
    assert!(s.all_delivered(first..first + 60));
    let sizes: Vec<usize> = s.sent(0).iter().skip(1).map(|records| records.len()).collect();
    // 19 records of 48 or 49 bytes and a header are just below 1,000.
    assert_eq!(sizes, [19, 19, 19, 3]);
    s.finish();
}

/// Two partitions by turns, in memory where their batches meet: what is not free is not taken.
#[test]
fn batches_that_meet_stay_apart() {
    for chunks in 4..40 {
        let mut s = Scenario::new(small_chunks(chunks));
        s.warm_up(0..1);
        s.warm_up(1..2);
        let first = fill(&mut s);
        s.run_until_reported(1_000);
        assert!(s.all_delivered(first..s.ledger.next()), "{chunks} chunks");
        s.finish();
    }
}

/// Memory full of compressed batches of several chunks, each too large: the spare is as large as one of them.
#[test]
fn compressed_batches_of_several_chunks_are_split_where_memory_is_full() {
    for outside in [false, true] {
        let mut setup = small_chunks(8);
        setup.config.compression_type = klamm::Compression::Gzip { level: 6 };
        setup.config.compress_outside = outside;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.warm_up(1..2);
        s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 61 + 50;
        let first = fill(&mut s);
        s.run_until_reported(9_000);
        assert!(s.all_delivered(first..s.ledger.next()), "outside: {outside}");
        s.finish();
    }
}

/// A batch of 128 KiB whose first transmission was lost has to be cut five times, in full memory: what is cut off one
/// makes room for the next cut.
#[test]
fn a_large_unsure_batch_is_split_without_memory() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.batch_size = 131_072;
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.config.delivery_timeout_ms = 60_000;
    setup.limits.buffer_memory = 2 << 20;
    setup.limits = setup.limits.for_batches(131_072);
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 5_000;
    s.produce_fault(0, Fault::CloseBefore);
    let first = s.ledger.next();
    while s.offer(0, Sample::plain(s.ledger.next(), 2_000)).is_ok() {}
    s.run_until_reported(59_000);
    assert!(s.all_delivered(first..s.ledger.next()));
    s.finish();
}
