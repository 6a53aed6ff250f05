//! Bugs that other producers had with batches, splitting and sizes, replayed on klamm. (28 to 30
//! are in `scenarios_other.rs`.)

use klamm::{Acks, Compression, ErrorCode, Idempotence, Instant, Reason};
use klamm_sim::cluster::{Api, Fault, LoggedRecord, Rule};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario, Setup};

/// All codecs of the core.
const CODECS: [Compression; 2] = [Compression::None, Compression::Gzip { level: 6 }];
/// Bytes of a batch's header.
const HEADER: usize = 61;

/// One partition, and batches of this size that linger until they are full.
fn lingering(batch_size: u32) -> Setup {
    let mut setup = Scenario::setup(1, 1);
    setup.config.linger_ms = 1_000;
    setup.config.batch_size = batch_size;
    setup.limits.batch_size = batch_size;
    setup
}

fn flush(s: &mut Scenario) {
    let now = Instant::from_micros(s.now());
    s.producer().flush(now);
}

/// A record of 100 to 150 bytes with everything that one can have.
fn varied(number: u64, dice: &mut Dice) -> Sample {
    let mut sample = Sample::plain(number, 100);
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    if dice.chance(300) {
        // The number that the simulation reads is a header, then.
        sample.value = None;
        sample.headers.push(header("number", Some(&number.to_be_bytes())));
        sample.headers.push(header("", Some(&[b'h'; 90])));
    }
    if dice.chance(500) {
        sample.headers.push(header("unit", None));
        sample.headers.push(header("degrees", Some(b"")));
    }
    sample.key = dice.pick(&[None, Some(""), Some("sensor-7")]).map(|key| key.into());
    if dice.chance(500) {
        let minutes = i64::try_from(dice.below(100)).expect("few") - 50;
        sample.timestamp = Some(1_699_999_000_000 + minutes * 60_000);
    }
    sample
}

/// KAFKA-5340, 5700: what a split makes has no headers, or another timestamp.
#[test]
fn s31_kafka_5340_a_split_keeps_headers() {
    for codec in CODECS {
        for seed in 0..20 {
            let mut setup = lingering(4_000);
            setup.config.compression_type = codec;
            let mut s = Scenario::new(setup);
            s.warm_up(0..1);
            // A record fits, two do not.
            s.ledger.excuses.rejected = true;
            let limit = if codec == Compression::None { HEADER + 170 } else { HEADER + 150 };
            s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = limit;
            let mut dice = Dice::new(seed);
            let records = 2 + dice.below(20);
            let first = s.ledger.next();
            for number in first..first + records as u64 {
                s.sample(0, varied(number, &mut dice));
            }
            flush(&mut s);
            s.run_until_reported(30_000);
            let case = format!("{codec:?}, seed {seed}");
            assert!(s.all_delivered(first..s.ledger.next()), "{case}");
            let sent = s.observer.sent_to(TOPIC, 0);
            let (whole, splits) = (sent[1].batch.numbers.len(), sent.len() - 2);
            assert!(codec != Compression::None || whole == records && splits >= records, "{case}");
            let log: Vec<_> = s.cluster.log(TOPIC, 0).collect();
            assert_eq!(log.len(), 1 + records, "{case}");
            for (record, number) in log.iter().zip(0..).skip(1) {
                let entry = s.ledger.entry(number).expect("it was sent");
                assert_eq!(entry.sample.check(record), Ok(()), "{case}");
                let of = |r: &LoggedRecord| (r.producer_id, r.producer_epoch);
                assert_eq!(of(record), of(&log[0]), "{case}");
                assert_eq!(i64::from(record.sequence), record.offset, "{case}");
            }
            s.finish();
        }
    }
}

/// KAFKA-5457: headers do not count when room is looked for: batches are too large, or not full.
#[test]
fn s32_kafka_5457_headers_count_as_bytes() {
    const BATCH_SIZE: usize = 1_000;
    for size in (0..400).step_by(13) {
        let mut s = Scenario::new(lingering(1_000));
        s.warm_up(0..1);
        let sample = |number: u64| {
            let mut sample = Sample::plain(number, 8);
            // All records have one size: deltas and numbers take a byte each.
            sample.timestamp = Some(1_690_000_000_000);
            sample.headers = vec![("h".to_owned(), Some(vec![b'h'; size])), ("n".to_owned(), None)];
            sample
        };
        let first = s.ledger.next();
        for number in first..first + 200 {
            s.sample(0, sample(number));
        }
        flush(&mut s);
        s.run_until_reported(5_000);
        let sent: Vec<_> = s.observer.sent_to(TOPIC, 0).into_iter().skip(1).collect();
        let (last, full) = sent.split_last().expect("something was sent");
        assert!(last.batch.bytes.len() <= BATCH_SIZE, "headers of {size} bytes");
        let records = full[0].batch.numbers.len();
        let record = (full[0].batch.bytes.len() - HEADER) / records;
        assert!(record > size, "headers of {size} bytes");
        for exchange in full {
            let bytes = exchange.batch.bytes.len();
            assert!(bytes <= BATCH_SIZE, "headers of {size} bytes: a batch of {bytes}");
            assert!(bytes + record > BATCH_SIZE, "headers of {size} bytes: room left at {bytes}");
        }
        s.finish();
    }
}

/// KAFKA-9703: after a split the buffers of the compression are still held.
#[test]
fn s33_kafka_9703_a_split_gives_its_memory_back() {
    for codec in CODECS {
        let mut setup = lingering(1_000);
        setup.config.compression_type = codec;
        setup.limits.buffer_memory = 12_000;
        setup.config.max_request_size = 2_000;
        setup.limits.max_request_size = 2_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        let capacity = s.capacity(0);
        for round in 0..3 {
            // All memory is in use while everything is to be split.
            let rule = Rule { times: 4, ..Rule::once(Api::Produce, Fault::Error(10)) };
            s.cluster.inject(rule);
            assert_eq!(s.capacity(0), capacity, "{codec:?}, round {round}");
            assert_eq!(s.capacity(0), capacity, "{codec:?}, round {round}, after the splits");
        }
        assert!(s.all_delivered(0..s.ledger.next()), "{codec:?}");
        s.finish();
    }
}

/// KAFKA-14303: with `batch.size = 0` the partitioner goes round for ever.
#[test]
fn s34_kafka_14303_extreme_batch_sizes_work() {
    for batch_size in [0, 1, 61, 128, 1 << 20, u32::MAX] {
        for linger_ms in [0, 5] {
            let mut setup = Scenario::setup(1, 3);
            setup.config.batch_size = batch_size;
            setup.config.linger_ms = linger_ms;
            setup.limits.batch_size = batch_size.min(1 << 16);
            let mut s = Scenario::new(setup);
            s.warm_up(0..3);
            let first = s.ledger.next();
            for number in first..first + 40 {
                let sent = s.send(TOPIC, None, Sample::plain(number, 20));
                let case = format!("batch_size {batch_size}, linger_ms {linger_ms}");
                assert!(sent.expect("no promise is broken").is_ok(), "{case}");
            }
            s.run_until_reported(5_000);
            assert!(s.all_delivered(first..first + 40), "{batch_size}");
            if batch_size <= 61 {
                let one = |e: &klamm_sim::simulator::Exchange| e.batch.numbers.len() == 1;
                assert!(s.observer.exchanges.iter().all(one), "batch_size {batch_size}");
            }
            s.finish();
        }
    }
}

/// librdkafka 4056: batches of a codec that does not compress are filled as if it shrank them to an
/// eighth.
#[test]
fn s35_librdkafka_4056_batches_are_full_whatever_the_codec() {
    const BATCH_SIZE: usize = 4_000;
    const RECORD: usize = 100;
    for codec in CODECS {
        for compressible in [true, false] {
            let mut setup = lingering(4_000);
            setup.config.compression_type = codec;
            let mut s = Scenario::new(setup);
            s.warm_up(0..1);
            let mut dice = Dice::new(7);
            let first = s.ledger.next();
            for number in first..first + 500 {
                let mut sample = Sample::plain(number, RECORD);
                sample.timestamp = Some(1_690_000_000_000);
                if let Some(value) = sample.value.as_mut().filter(|_| !compressible) {
                    value[8..].fill_with(|| dice.any().to_le_bytes()[0]);
                }
                s.sample(0, sample);
            }
            flush(&mut s);
            s.run_until_reported(5_000);
            let sent: Vec<_> = s.observer.sent_to(TOPIC, 0).into_iter().skip(1).collect();
            let full = &sent[..sent.len() - 1];
            assert!(full.len() > 5, "{codec:?}, {compressible}: {}", full.len());
            for exchange in full {
                let bytes = exchange.batch.numbers.len() * (RECORD + 10) + HEADER;
                let fill = BATCH_SIZE - 2 * RECORD..=BATCH_SIZE + RECORD;
                assert!(fill.contains(&bytes), "{codec:?}, {compressible}: {bytes} plain bytes");
                let on_the_wire = exchange.batch.bytes.len();
                assert!(on_the_wire <= BATCH_SIZE, "{codec:?}, {compressible}: {on_the_wire}");
                let shrinks = codec != Compression::None && compressible;
                assert_eq!(on_the_wire < BATCH_SIZE / 2, shrinks, "{codec:?}, {compressible}");
            }
            s.finish();
        }
    }
}

/// A record in the middle of a batch that no broker takes; `None`: it is only too large.
fn poison(s: &mut Scenario, code: Option<i16>) -> u64 {
    let number = s.ledger.next();
    let mut sample = Sample::plain(number, if code.is_none() { 300 } else { 20 });
    match code {
        // In the far future.
        Some(32) => sample.timestamp = Some(1_900_000_000_000),
        // A compacted topic wants keys.
        Some(_) | None => sample.key = code.is_none().then(|| b"k".to_vec()),
    }
    s.sample(0, sample)
}

fn keyed(s: &mut Scenario) -> u64 {
    let mut sample = Sample::plain(s.ledger.next(), 20);
    sample.key = Some(b"k".to_vec());
    s.sample(0, sample)
}

/// ruby-kafka 703, 758, 973: one record that is never accepted blocks its partition for ever.
#[test]
fn s36_ruby_kafka_703_a_poison_record_fails_alone() {
    for code in [Some(87), Some(32), None] {
        let mut s = Scenario::new(lingering(1_000));
        s.warm_up(0..1);
        s.ledger.excuses.rejected = true;
        let config = s.cluster.topic_config(TOPIC).expect("the topic is there");
        config.compacted = code == Some(87);
        config.max_message_bytes = if code.is_none() { 300 } else { config.max_message_bytes };
        let before = [keyed(&mut s), keyed(&mut s)];
        let bad = poison(&mut s, code);
        let after = [keyed(&mut s), keyed(&mut s)];
        flush(&mut s);
        s.run(1);
        let later = [keyed(&mut s), keyed(&mut s)];
        flush(&mut s);
        s.run_until_reported(10_000);
        let reason = code.map_or(Reason::TooLarge, |code| Reason::Rejected(ErrorCode(code)));
        assert_eq!(s.fate(bad), Some(Fate::NotPersisted(reason)), "{code:?}");
        for neighbour in before.into_iter().chain(after) {
            let fate = s.fate(neighbour);
            // The broker takes all of a batch or nothing; one that is too large is split.
            match code {
                None => assert!(matches!(fate, Some(Fate::Delivered(_))), "{fate:?}"),
                Some(_) => assert_eq!(fate, Some(Fate::NotPersisted(Reason::Neighbour))),
            }
        }
        for record in later {
            assert!(
                matches!(s.fate(record), Some(Fate::Delivered(_))),
                "{code:?}: {:?}",
                s.fate(record)
            );
        }
        s.finish();
    }
}

/// KAFKA-19479: without idempotence a record that is too large vanishes without a word.
#[test]
fn s37_kafka_19479_too_large_is_never_silent() {
    for acks in [Acks::Leader, Acks::All] {
        let mut setup = lingering(1_000);
        setup.config.acks = acks;
        setup.config.enable_idempotence = Idempotence::Off;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.ledger.excuses.rejected = true;
        s.cluster.topic_config(TOPIC).expect("the topic is there").max_message_bytes = 300;
        let small: Vec<u64> = (0..3).map(|_| keyed(&mut s)).collect();
        let large = poison(&mut s, None);
        let more: Vec<u64> = (0..3).map(|_| keyed(&mut s)).collect();
        flush(&mut s);
        s.run_until_reported(10_000);
        assert_eq!(s.fate(large), Some(Fate::NotPersisted(Reason::TooLarge)), "{acks:?}");
        for record in small.into_iter().chain(more) {
            assert!(matches!(s.fate(record), Some(Fate::Delivered(_))), "{acks:?}");
        }
        s.finish();
    }
}

/// aiokafka 184: a retry goes on where the first transmission had stopped to read its buffer.
#[test]
fn s38_aiokafka_184_a_retry_sends_the_batch_from_its_first_byte() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let whole = s.network.conditions.window;
    for (stored, cut) in (1..).zip((1..400).step_by(3)) {
        // So many bytes of the request, heads included, are written; then the connection breaks.
        s.network.conditions.window = cut;
        s.stall(1, klamm_sim::simulator::Way::Up, 60_000);
        let record = s.batch(0);
        s.run(10);
        let slot = s.network.slot_of(1).expect("connected");
        let now = s.now();
        s.network.reset(slot, now);
        s.run(1);
        s.network.conditions.window = whole;
        s.run_until_reported(10_000);
        assert_eq!(s.fate(record), Some(Fate::Delivered(Some(stored))), "{cut} bytes");
    }
    let lengths = s.observer.exchanges.iter().map(|e| e.batch.bytes.len());
    assert!(lengths.clone().all(|len| Some(len) == lengths.clone().next()));
    s.finish();
}
