//! A batch's codec, and batches that are compressed outside of the producer.

use klamm::{Compression, Destination, ErrorCode, Reason, Record, Scope, Uncompressed};
use klamm_sim::cluster::Fault;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::squeeze::CODECS;
use klamm_sim::simulator::{Fate, Sample, Scenario, Setup};

/// One node and one partition, and batches of up to 4,000 bytes that wait until they are flushed.
fn setup() -> Setup {
    let mut setup = Scenario::setup(1, 1);
    setup.config.batch_size = 4_000;
    setup.limits.batch_size = 4_000;
    setup.config.linger_ms = 1_000;
    setup.limits.codecs = CODECS;
    setup
}

/// Codec and number of records of each batch on the wire.
fn batches(s: &Scenario) -> Vec<(u8, usize)> {
    let exchanges = s.observer.exchanges.iter();
    exchanges.map(|e| (e.batch.bytes[22] & 7, e.batch.numbers.len())).collect()
}

fn offer(s: &mut Scenario, records: u64, codec: Option<Compression>) {
    for _ in 0..records {
        let number = s.ledger.next();
        s.codec = codec;
        s.sample(0, Sample::plain(number, 100));
    }
}

#[test]
fn an_open_batch_is_sealed_when_another_codec_is_asked_for() {
    let mut s = Scenario::new(setup());
    let (gzip, lz4) = (Compression::Gzip { level: 6 }, Compression::Lz4 { level: 1 });
    s.warm_up(0..1);
    let before = s.observer.exchanges.len();
    offer(&mut s, 3, None);
    offer(&mut s, 4, Some(gzip));
    offer(&mut s, 2, Some(lz4));
    offer(&mut s, 2, Some(lz4));
    // Another level is another codec.
    offer(&mut s, 5, Some(Compression::Lz4 { level: 9 }));
    offer(&mut s, 6, Some(Compression::Snappy));
    offer(&mut s, 7, Some(Compression::Zstd { level: 1 }));
    offer(&mut s, 3, Some(Compression::None));
    s.run_until_reported(5_000);
    assert_eq!(batches(&s)[before..], [(0, 3), (1, 4), (3, 4), (3, 5), (2, 6), (4, 7), (0, 3)]);
    s.finish();
}

/// librdkafka 4056: a batch that was to be compressed was filled eight times over.
#[test]
fn s35_a_batch_is_full_at_its_plain_size_whatever_the_codec() {
    for codec in CODECS.iter().copied().chain([Compression::None]) {
        for outside in [false, true] {
            let mut setup = setup();
            setup.config.compression_type = codec;
            setup.config.compress_outside = outside;
            let mut s = Scenario::new(setup);
            offer(&mut s, 200, None);
            s.run_until_reported(5_000);
            let records: Vec<usize> = batches(&s).iter().map(|(_, records)| *records).collect();
            // 61 bytes, and 109 for each record.
            assert_eq!(records, [36, 36, 36, 36, 36, 20], "{codec:?}");
            s.finish();
        }
    }
}

#[test]
fn what_would_not_shrink_goes_out_plain() {
    for codec in CODECS {
        for outside in [false, true] {
            let mut setup = setup();
            setup.config.compression_type = *codec;
            setup.config.compress_outside = outside;
            let mut s = Scenario::new(setup);
            let number = s.ledger.next();
            let mut sample = Sample::plain(number, 8);
            sample.value.as_mut().expect("a value").extend(noise().take(1_000));
            s.sample(0, sample);
            s.run_until_reported(5_000);
            assert_eq!(batches(&s), [(0, 1)], "{codec:?}");
            s.finish();
        }
    }
}

/// A record of many chunks is not compressed into the spare, which has fewer: behind that lie others' batches.
#[test]
fn a_large_record_is_compressed_beside_other_batches() {
    for codec in CODECS {
        let mut setup = Scenario::setup(1, 2);
        setup.config.max_request_size = 20_000;
        setup.config.linger_ms = 1_000;
        setup.limits.codecs = CODECS;
        setup.limits.buffer_memory = 60 * 951;
        setup.limits.max_request_size = 20_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..2);
        let before = s.observer.exchanges.len();
        // The memory behind the spare is theirs.
        offer(&mut s, 40, Some(Compression::None));
        let number = s.ledger.next();
        let mut sample = Sample::plain(number, 2_000);
        sample.value.as_mut().expect("a value").extend(noise().take(8_000));
        s.codec = Some(*codec);
        s.sample(1, sample);
        s.run_until_reported(5_000);
        let codecs: Vec<u8> = batches(&s)[before..].iter().map(|(codec, _)| *codec).collect();
        assert_eq!(codecs.iter().filter(|codec| **codec > 0).count(), 1, "{codec:?}: {codecs:?}");
        s.finish();
    }
}

/// Bytes that do not shrink.
fn noise() -> impl Iterator<Item = u8> {
    let mut random = 1u32;
    core::iter::repeat_with(move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        random.to_be_bytes()[0]
    })
}

/// Brokers before 2.1 answer -1 to zstd: nobody would know what became of the records.
#[test]
fn zstd_goes_out_plain_to_a_broker_that_does_not_know_it() {
    for (newest, codec) in [(6, 0), (7, 4)] {
        for outside in [false, true] {
            let mut setup = setup();
            setup.config.compression_type = Compression::Zstd { level: 1 };
            setup.config.compress_outside = outside;
            setup.cluster.nodes[0].versions.produce.1 = newest;
            let mut s = Scenario::new(setup);
            offer(&mut s, 20, None);
            s.run_until_reported(5_000);
            assert_eq!(batches(&s), [(codec, 20)], "Produce {newest}");
            s.finish();
        }
    }
}

/// In the middle of an upgrade from 2.0: the new leader is one of the old brokers.
#[test]
fn a_zstd_batch_that_was_sent_is_rejected_by_a_leader_that_does_not_know_it() {
    for outside in [false, true] {
        let mut setup = Scenario::setup(2, 1);
        setup.config.compression_type = Compression::Zstd { level: 1 };
        setup.config.compress_outside = outside;
        setup.config.batch_size = 4_000;
        setup.limits.batch_size = 4_000;
        let first = Scenario::new(setup.clone()).leader(0);
        let old = setup.cluster.nodes.iter_mut().find(|node| node.id != first);
        old.expect("there are two").versions.produce.1 = 6;
        let mut s = Scenario::new(setup);
        s.produce_faults(0, Fault::Error(19), 2);
        s.ledger.excuses.rejected = true;
        let number = s.ledger.next();
        s.sample(0, Sample::plain(number, 1_000));
        s.run_for(5_000, |s| s.observer.exchanges.len() > 1);
        s.move_leader(0);
        s.run_until_reported(10_000);
        let rejected = Reason::Rejected(ErrorCode(76));
        assert_eq!(s.fate(number), Some(Fate::NotPersisted(rejected)));
        // What was not sent before goes out as it is.
        let next = s.ledger.next();
        s.sample(0, Sample::plain(next, 1_000));
        s.run_until_reported(10_000);
        assert_eq!(batches(&s).last(), Some(&(0, 1)));
        assert_eq!(s.log(0), [next]);
        s.finish();
    }
}

/// KAFKA-9703 and 8350: the parts of a compressed batch are compressed again, each by itself.
#[test]
fn a_compressed_batch_that_is_too_large_is_split_and_compressed_again() {
    for codec in CODECS {
        for outside in [false, true] {
            let mut setup = setup();
            setup.config.compression_type = *codec;
            setup.config.compress_outside = outside;
            let mut s = Scenario::new(setup);
            s.ledger.excuses.rejected = true;
            s.warm_up(0..1);
            let before = s.observer.exchanges.len();
            s.produce_fault(0, Fault::Error(10));
            let first = s.ledger.next();
            offer(&mut s, 20, None);
            s.run_until_reported(10_000);
            assert!(s.all_delivered(first..first + 20));
            let parts = batches(&s)[before..].to_vec();
            assert!(parts.len() > 2 && parts.iter().all(|(codec, _)| *codec > 0), "{parts:?}");
            s.finish();
        }
    }
}

#[test]
fn a_retry_sends_the_same_bytes() {
    for codec in CODECS {
        for outside in [false, true] {
            let mut setup = setup();
            setup.config.compression_type = *codec;
            setup.config.compress_outside = outside;
            let mut s = Scenario::new(setup);
            s.warm_up(0..1);
            let before = s.observer.exchanges.len();
            s.produce_faults(0, Fault::Error(6), 3);
            offer(&mut s, 20, None);
            s.run_until_reported(10_000);
            let sent: Vec<_> =
                s.observer.exchanges[before..].iter().map(|e| &e.batch.bytes).collect();
            assert_eq!(sent.len(), 4);
            assert!(sent.iter().all(|bytes| bytes == &sent[0] && bytes[22] & 7 > 0));
            s.finish();
        }
    }
}

/// A producer whose adapter the test is.
fn by_hand(delivery_timeout_ms: u32) -> Scenario {
    let mut setup = setup();
    setup.config.compression_type = Compression::Lz4 { level: 1 };
    setup.config.compress_outside = true;
    setup.config.linger_ms = 0;
    setup.config.batch_size = 300;
    setup.config.delivery_timeout_ms = delivery_timeout_ms;
    setup.squeezes = false;
    Scenario::new(setup)
}

fn take(s: &mut Scenario) -> Option<Uncompressed> {
    let now = s.instant();
    s.producer().take_uncompressed(now)
}

fn give(s: &mut Scenario, job: Uncompressed, bytes: Option<&[u8]>) {
    let now = s.instant();
    s.producer().handle_compressed(job, bytes, now);
}

#[test]
fn batches_wait_for_their_compression_in_order() {
    let mut s = by_hand(20_000);
    let records = s.batches(0, 3);
    s.run(1_000);
    let first = take(&mut s).expect("a batch waits");
    assert_eq!(first.codec, Compression::Lz4 { level: 1 });
    assert_eq!(take(&mut s), None, "the others wait behind it");
    s.run(2_000);
    assert_eq!(s.sent(0), Vec::<Vec<u64>>::new());
    let plain = s.producer().uncompressed(first).map(<[u8]>::to_vec);
    assert!(plain.is_some_and(|plain| plain.len() > 200));
    give(&mut s, first, None);
    assert_eq!(s.producer().uncompressed(first), None, "it was given back");
    for _ in 0..2 {
        s.run(500);
        let next = take(&mut s).expect("the next one");
        give(&mut s, next, None);
    }
    s.run_until_reported(1_000);
    assert_eq!(s.log(0), records.collect::<Vec<_>>());
    s.finish();
}

#[test]
fn a_batch_may_expire_while_it_is_compressed() {
    let mut s = by_hand(3_000);
    let lost = s.batch(0);
    s.run(100);
    let job = take(&mut s).expect("a batch waits");
    s.run_until_reported(10_000);
    assert!(matches!(s.fate(lost), Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
    // Its slot has the next batch now.
    let other = s.batch(0);
    s.run(100);
    give(&mut s, job, Some(&[1, 2, 3]));
    let job = take(&mut s).expect("the next one");
    give(&mut s, job, None);
    s.run_until_reported(1_000);
    assert_eq!(s.log(0), [other]);
    s.finish();
}

#[test]
fn a_batch_may_be_purged_while_it_is_compressed() {
    let mut s = by_hand(20_000);
    let gone = s.batch(0);
    s.run(100);
    let job = take(&mut s).expect("a batch waits");
    let now = s.instant();
    s.producer().purge(Scope::ALL, now);
    give(&mut s, job, Some(&[1, 2, 3]));
    let records = s.producer().report_records().map(Iterator::count);
    assert_eq!(records, Some(1), "it is handed back as it was");
    s.run_until_reported(1_000);
    assert_eq!(s.fate(gone), Some(Fate::NotPersisted(Reason::Purged)));
    assert_eq!(take(&mut s), None);
    s.finish();
}

#[test]
fn a_codec_without_memory_is_refused_and_changes_nothing() {
    let mut setup = setup();
    setup.limits.codecs = &[];
    let mut s = Scenario::new(setup);
    let topic = s.producer().topic(TOPIC).expect("a topic");
    let now = s.instant();
    let to = Destination::partition(topic, 0).with_compression(Compression::Zstd { level: 1 });
    let answer = s.producer().send(to, &Record::value(b"v"), now);
    assert_eq!(answer, Err(klamm::SendError::CodecMissing));
    assert_eq!(s.stats().accepted, 0);
    s.finish();
}
