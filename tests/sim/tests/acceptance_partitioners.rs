//! Which partition a record goes to: every partitioner, against the model cluster. The hashes' golden vectors are unit
//! tests of `core/src/partition/hash.rs`.

use core::sync::atomic::{AtomicU32, Ordering};

use klamm::partitioner::{self, GroupHashing, Partitioner, Partitions};
use klamm::{Reason, SendError, TopicId};
use klamm_sim::cluster::{Api, Fault, MetadataFault, Rule, TopicConfig};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario, Setup};

fn scenario(partitions: i32, partitioner: &'static dyn Partitioner) -> Scenario {
    let mut setup = Scenario::setup(1, partitions);
    setup.config.partitioner = partitioner;
    connected(setup)
}

/// Metadata has been read.
fn connected(setup: Setup) -> Scenario {
    let mut s = Scenario::new(setup);
    topic(&mut s);
    s.run(1_000);
    s
}

fn topic(s: &mut Scenario) -> TopicId {
    s.producer().topic(TOPIC).expect("there is room for it")
}

fn offer(s: &mut Scenario, key: Option<&[u8]>, size: usize) -> Result<u64, SendError> {
    let number = s.ledger.next();
    let mut sample = Sample::plain(number, size);
    sample.key = key.map(<[u8]>::to_vec);
    match s.send(TOPIC, None, sample) {
        Ok(answer) => answer.map(|_| number),
        Err(what) => panic!("{what}"),
    }
}

/// Sends a small record with this key, and waits for it: its partition.
fn partition_of(s: &mut Scenario, key: Option<&[u8]>) -> i32 {
    let number = offer(s, key, 8).expect("it is accepted");
    s.run_until_reported(5_000);
    let entry = s.ledger.entry(number).expect("it was accepted");
    assert!(matches!(entry.fate, Some(Fate::Delivered(_))), "{entry:?}");
    entry.partition.expect("the report names it")
}

/// How many records each partition got.
fn counts(s: &Scenario, partitions: i32) -> Vec<usize> {
    (0..partitions).map(|partition| s.log(partition).len()).collect()
}

/// Partitions of 12 by `BuiltInPartitioner` of kafka-clients 4.3.0.
#[test]
fn ck_16_keys_go_where_java_sends_them() {
    let mut s = connected(Scenario::setup(1, 12));
    for (key, partition) in [
        (&b""[..], 9),
        (b"21", 0),
        (b"foobar", 6),
        (b"kafka", 4),
        (b"abc", 3),
        (&[0, 0x80, 0xff], 5),
        (b"giberish123456789", 8),
        (b"a-little-bit-long-string", 8),
    ] {
        assert_eq!(partition_of(&mut s, Some(key)), partition, "{key:?}");
    }
    s.finish();
}

/// Librdkafka's test 0048: the partitions of five keys of 17, `None` where it may be any.
#[test]
fn librdkafkas_partitioners_by_their_names() {
    const COUNT: u32 = 17;
    let keys: [Option<&[u8]>; 5] = [
        None,
        Some(b""),
        Some(b"23456"),
        Some(b"this is another string with more length to it perhaps"),
        Some(b"hejsan"),
    ];
    let crc = [0, 0xb1b4_51d7, 0xb015_0df7, 0xd077_037e];
    let murmur = [0x106e_08d9, 0x058d_780f, 0x4f77_03da, 0x5ec1_9395];
    let fnv = [0x7ee3_623b, 0x27e6_f469, 0x155e_3e5f, 0x17b1_e27a];
    // Is a null key hashed as an empty one, is an empty key hashed?
    let cases: [(&'static dyn Partitioner, [u32; 4], bool, bool); 7] = [
        (&partitioner::consistent, crc, true, true),
        (&partitioner::consistent_random, crc, false, false),
        (&partitioner::crc32, crc, false, true),
        (&partitioner::murmur2, murmur, true, true),
        (&partitioner::murmur2_random, murmur, false, true),
        (&partitioner::fnv1a, fnv, true, true),
        (&partitioner::fnv1a_random, fnv, false, true),
    ];
    for (case, (partitioner, hashes, null, empty)) in cases.into_iter().enumerate() {
        let mut s = scenario(COUNT.cast_signed(), partitioner);
        for (number, key) in keys.into_iter().enumerate() {
            let partition = partition_of(&mut s, key);
            let hashed = match number {
                0 => null,
                1 => empty,
                _ => true,
            };
            if hashed {
                let hash = hashes[number.saturating_sub(1)];
                assert_eq!(partition.cast_unsigned(), hash % COUNT, "case {case}, {key:?}");
            }
        }
        // What is not hashed is not always the same partition.
        if !null {
            let mut seen = Vec::new();
            for _ in 0..40 {
                offer(&mut s, None, 150).expect("it is accepted");
                s.run(50);
            }
            s.run_until_reported(5_000);
            seen.extend(counts(&s, COUNT.cast_signed()).into_iter().filter(|count| *count > 0));
            assert!(seen.len() > 8, "case {case}: {seen:?}");
        }
        s.finish();
    }
}

fn uniform(s: &mut Scenario) {
    const RECORDS: usize = 10_000;
    for number in 0..RECORDS {
        // Eight keys would fill few partitions, were they looked at.
        let key = format!("{}", number % 8);
        while offer(s, Some(key.as_bytes()), 8) == Err(SendError::Full) {
            s.run(5);
        }
    }
    s.run_until_reported(20_000);
    // The expected 1,250 and five standard deviations of 33.
    for (partition, count) in counts(s, 8).into_iter().enumerate() {
        assert!((1_085..1_415).contains(&count), "partition {partition} got {count}");
    }
    s.finish();
}

#[test]
fn pk_02_random_is_uniform_and_ignores_keys() {
    uniform(&mut scenario(8, &partitioner::random));
}

#[test]
fn ki_04_random_is_uniform_whatever_the_seed() {
    let mut setup = Scenario::setup(1, 8);
    setup.seed = 77;
    setup.config.partitioner = &partitioner::random;
    uniform(&mut connected(setup));
}

#[test]
fn round_robin_takes_turns_among_partitions_with_leaders() {
    let mut setup = Setup::quiet(2).with_topic(TOPIC, 6, 1);
    setup.config.partitioner = &partitioner::round_robin;
    let mut s = connected(setup);
    let turn: Vec<i32> = (0..12).map(|_| partition_of(&mut s, Some(b"same"))).collect();
    assert_eq!(turn, [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]);
    let gone: Vec<i32> = (0..6).filter(|partition| s.leader(*partition) == 2).collect();
    assert_eq!(gone.len(), 3);
    let now = s.now();
    s.cluster.kill(2, now).expect("node 2 is up");
    s.run(400_000);
    for _ in 0..6 {
        let partition = partition_of(&mut s, None);
        assert!(!gone.contains(&partition), "{partition} has no leader");
    }
    let left = counts(&s, 6).into_iter().filter(|count| *count == 4).count();
    assert_eq!(left, 3, "{:?}", counts(&s, 6));
    s.finish();
}

/// A record that is refused takes no turn.
#[test]
fn round_robin_passes_nobody_over() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.buffer_memory = 2_500;
    setup.config.partitioner = &partitioner::round_robin;
    let mut s = connected(setup);
    offer(&mut s, None, 200).expect("it is accepted");
    while offer(&mut s, None, 200).is_ok() {}
    let first = s.ledger.next();
    s.run_until_reported(5_000);
    let before = counts(&s, 2);
    offer(&mut s, None, 200).expect("there is room again");
    s.run_until_reported(5_000);
    let expected = if first.is_multiple_of(2) { [1, 0] } else { [0, 1] };
    let after = counts(&s, 2);
    assert_eq!([after[0] - before[0], after[1] - before[1]], expected);
    s.finish();
}

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Counted;

impl Partitioner for Counted {
    fn choose(&self, key: Option<&[u8]>, _: &mut Partitions<'_>) -> i32 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        key.and_then(<[u8]>::first).map_or(0, |byte| i32::from(byte - b'0'))
    }
}

/// Also where the batch is sent twice: a retry never asks again.
#[test]
fn pk_03_a_partitioner_of_ones_own_is_asked_once_a_record() {
    static OWN: Counted = Counted;
    let mut s = scenario(4, &OWN);
    s.produce_fault(3, Fault::CloseAfter);
    for (number, key) in [b"3", b"1", b"0", b"3"].into_iter().enumerate() {
        assert_eq!(partition_of(&mut s, Some(key)), i32::from(key[0] - b'0'));
        assert_eq!(CALLS.load(Ordering::Relaxed) as usize, number + 1);
    }
    assert_eq!(s.lines(3).len(), 3, "one of the two was sent twice");
    s.finish();
}

#[test]
fn pk_31_the_key_decides_where_the_partitioner_hashes() {
    let mut s = scenario(8, &partitioner::consistent_random);
    let first = partition_of(&mut s, Some(b"sensor-7"));
    for _ in 0..20 {
        assert_eq!(partition_of(&mut s, Some(b"sensor-7")), first);
    }
    s.finish();
}

#[test]
fn ki_07_a_function_is_a_partitioner() {
    fn last(_: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
        partitions.count() - 1
    }
    let mut s = scenario(5, &last);
    assert_eq!(partition_of(&mut s, Some(b"any")), 4);
    assert_eq!(partition_of(&mut s, None), 4);
    s.finish();
}

#[test]
fn ck_17_a_partitioner_sees_all_and_available_partitions() {
    /// The key says which available one.
    fn available(key: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
        let nth = key.and_then(<[u8]>::first).map_or(0, |byte| i32::from(byte - b'0'));
        assert_eq!(partitions.count(), 6);
        let chosen = partitions.nth_available(nth).unwrap_or(-1);
        assert_eq!(chosen >= 0, nth < partitions.available());
        assert!(chosen < 0 || partitions.is_available(chosen));
        chosen
    }
    let mut setup = Setup::quiet(2).with_topic(TOPIC, 6, 1);
    setup.config.partitioner = &available;
    let mut s = connected(setup);
    let all: Vec<i32> = (b'0'..b'6').map(|digit| partition_of(&mut s, Some(&[digit]))).collect();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    assert_eq!(offer(&mut s, Some(b"6"), 8), Err(SendError::NoSuchPartition));
    let live: Vec<i32> = (0..6).filter(|partition| s.leader(*partition) == 1).collect();
    let now = s.now();
    s.cluster.kill(2, now).expect("node 2 is up");
    s.run(400_000);
    let mut left: Vec<i32> =
        (b'0'..b'3').map(|digit| partition_of(&mut s, Some(&[digit]))).collect();
    left.sort_unstable();
    assert_eq!(left, live);
    assert_eq!(offer(&mut s, Some(b"3"), 8), Err(SendError::NoSuchPartition));
    s.finish();
}

#[test]
fn ck_18_an_explicit_partition_is_taken_whatever_the_key() {
    let mut s = connected(Scenario::setup(1, 3));
    let mut sample = Sample::plain(0, 8);
    sample.key = Some(b"kafka".to_vec());
    s.sample(2, sample);
    s.run_until_reported(5_000);
    assert_eq!(s.log(2), [0]);
    s.finish();
}

/// KIP-480: records without keys share batches; KIP-794: a partition is left after about a batch.
#[test]
fn sticky_fills_a_batch_before_it_moves_on() {
    let mut setup = Scenario::setup(1, 6);
    setup.config.linger_ms = 1_000;
    let mut s = connected(setup);
    for _ in 0..600 {
        while offer(&mut s, None, 20) == Err(SendError::Full) {
            s.run(10);
        }
    }
    s.run_until_reported(10_000);
    let batches: Vec<usize> = s.observer.exchanges.iter().map(|e| e.batch.numbers.len()).collect();
    let average = 600.0 / batches.len() as f64;
    assert!(average > 5.0, "{average} records a batch, of at most 7: {batches:?}");
    assert!(counts(&s, 6).into_iter().all(|count| count > 30), "{:?}", counts(&s, 6));
    s.finish();
}

/// Batches may be as large as all of these records, but linger seals them small: the partition is left all the same.
#[test]
fn sticky_is_left_by_a_slow_sender_too() {
    let mut setup = Scenario::setup(1, 60);
    setup.limits.buffer_memory = 4 << 20;
    setup.limits = setup.limits.for_batches(1 << 20);
    setup.config.batch_size = 1 << 20;
    setup.config.linger_ms = 5;
    let mut s = connected(setup);
    // Ten a visit, of 1,500 bytes each.
    for _ in 0..300 {
        offer(&mut s, None, 1_500).expect("there is memory");
        s.run(10);
    }
    s.run_until_reported(10_000);
    let counts = counts(&s, 60);
    let reached = counts.iter().filter(|&&count| count > 0).count();
    assert!(reached >= 15, "{reached} of 60 partitions in 30 visits: {counts:?}");
    assert!(counts.iter().all(|count| count % 10 == 0), "whole visits: {counts:?}");
    s.finish();
}

/// KIP-794's example: queues of 0, 3 and 1 batches weigh 4, 1 and 3.
#[test]
fn adaptive_prefers_short_queues_by_javas_weights() {
    /// Chooses a new sticky partition for each record.
    fn afresh(_: Option<&[u8]>, partitions: &mut Partitions<'_>) -> i32 {
        assert_eq!([0, 1, 2].map(|index| partitions.queued(index)), [0, 3, 1]);
        let chosen = usize::try_from(partitions.adaptive()).expect("at least 0");
        CHOICES[chosen].fetch_add(1, Ordering::Relaxed);
        -1
    }
    static CHOICES: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];
    let mut setup = Scenario::setup(1, 3);
    setup.config.partitioner = &afresh;
    let mut s = connected(setup);
    // No time passes, so they stay where they are.
    s.batches(1, 3);
    s.batch(2);
    for _ in 0..8_000 {
        // Too large to share a batch, so that the partition is not kept.
        assert_eq!(offer(&mut s, None, 320), Err(SendError::NoSuchPartition));
    }
    let chosen = [0, 1, 2].map(|index| CHOICES[index].load(Ordering::Relaxed));
    for (count, share) in chosen.into_iter().zip([4_000, 1_000, 3_000]) {
        assert!(count.abs_diff(share) < 250, "{chosen:?}");
    }
    s.finish();
}

/// The partition whose broker is slow gets less, and what is accepted is delivered all the same.
#[test]
fn adaptive_spares_a_slow_broker() {
    let shares = |partitioner: &'static dyn Partitioner, timeout: u32| {
        let mut setup = Scenario::setup(2, 2);
        setup.config.partitioner = partitioner;
        setup.config.partitioner_availability_timeout_ms = timeout;
        setup.limits.buffer_memory = 100_000;
        let mut s = connected(setup);
        s.warm_up(0..2);
        let slow = s.leader(1);
        for _ in 0..200 {
            s.stall(slow, klamm_sim::simulator::Way::Up, 40);
            offer(&mut s, None, 200).expect("there is memory");
            s.run(10);
        }
        s.run_until_reported(10_000);
        let counts = counts(&s, 2);
        s.finish();
        counts[1]
    };
    let uniform = shares(&partitioner::java, 0);
    let adaptive = shares(&partitioner::java_adaptive, 0);
    assert!(adaptive * 2 < uniform, "{adaptive} of {uniform}");
}

/// KIP-794: with `partitioner_availability_timeout_ms` a leader that takes nothing gets nothing.
#[test]
fn adaptive_leaves_out_leaders_that_take_nothing() {
    let late = |timeout: u32| {
        let mut setup = Scenario::setup(2, 2);
        setup.config.partitioner = &partitioner::java_adaptive;
        setup.config.partitioner_availability_timeout_ms = timeout;
        setup.limits.buffer_memory = 200_000;
        let mut s = connected(setup);
        s.warm_up(0..2);
        let node = s.leader(1);
        s.network.set_reachable(node, false);
        let slot = s.network.slot_of(node).expect("it is connected");
        let now = s.now();
        s.network.reset(slot, now);
        s.batch(1);
        s.run(300);
        let first = s.ledger.next();
        for _ in 0..60 {
            offer(&mut s, None, 200).expect("there is memory");
            s.run(2);
        }
        let waiting = (first..s.ledger.next()).filter(|record| s.fate(*record).is_none()).count();
        let now = s.now();
        s.network.heal(now);
        s.run_until_reported(15_000);
        s.finish();
        waiting
    };
    assert!(late(0) > 5, "{}", late(0));
    assert!(late(100) <= 2, "{}", late(100));
}

/// One socket is enough where keys do not say otherwise.
#[test]
fn few_connections_stay_with_a_connected_leader() {
    let leaders = |partitioner: &'static dyn Partitioner| {
        let mut setup = Scenario::setup(3, 6);
        setup.config.partitioner = partitioner;
        setup.bootstrap = "node1:9092".to_owned();
        let mut s = connected(setup);
        for _ in 0..50 {
            offer(&mut s, None, 200).expect("there is memory");
            s.run(20);
        }
        s.run_until_reported(5_000);
        let mut nodes: Vec<i32> = s.observer.exchanges.iter().map(|e| e.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        s.finish();
        nodes.len()
    };
    assert_eq!(leaders(&partitioner::few_connections), 1);
    assert_eq!(leaders(&partitioner::java), 3);
}

/// Pykafka's partitioner: a group of partitions in a row, and no record without a key.
#[test]
fn group_hashing_shares_a_key_among_a_few_partitions() {
    static GROUPS: GroupHashing = GroupHashing { hash: partitioner::hash::crc32, size: 3 };
    let mut s = scenario(16, &GROUPS);
    assert_eq!(offer(&mut s, None, 8), Err(SendError::NoSuchPartition));
    let mut seen: Vec<i32> = (0..60).map(|_| partition_of(&mut s, Some(b"hejsan"))).collect();
    seen.sort_unstable();
    seen.dedup();
    let first = (0xd077_037e_u32 % 16).cast_signed();
    let mut expected = [first, (first + 1) % 16, (first + 2) % 16];
    expected.sort_unstable();
    assert_eq!(seen, expected);
    s.finish();
}

/// The partitions of 12 of three keys: 9, 6, 4.
const KEYS: [&[u8]; 3] = [b"", b"foobar", b"kafka"];

fn expecting(real: i32, expected: i32) -> Scenario {
    let mut s = Scenario::start(1, real);
    let topic = topic(&mut s);
    assert_eq!(offer(&mut s, Some(b"early"), 8), Err(SendError::TopicPending));
    assert!(s.producer().expect_partitions(topic, expected));
    for key in KEYS {
        offer(&mut s, Some(key), 8).expect("the number of partitions is known");
    }
    s
}

#[test]
fn a_configured_partition_count_lets_keys_in_before_the_first_metadata() {
    let mut s = expecting(12, 12);
    s.run_until_reported(5_000);
    assert_eq!([s.log(9), s.log(6), s.log(4)], [[0], [1], [2]]);
    let topic = topic(&mut s);
    assert!(!s.producer().expect_partitions(topic, 3), "metadata has the last word");
    assert!(!s.producer().expect_partitions(topic, 0));
    assert_eq!(s.producer().partition_count(topic), Some(12));
    s.finish();
}

/// More partitions than expected: what was accepted stays, later records go by the real number.
#[test]
fn keys_stay_where_they_were_accepted_when_there_are_more_partitions() {
    let mut s = expecting(24, 12);
    s.run_until_reported(5_000);
    assert_eq!([s.log(9), s.log(6), s.log(4)], [[0], [1], [2]]);
    let (foobar, count) = (0xd0e4_7bbe_u32 & 0x7fff_ffff, 24);
    assert_eq!(partition_of(&mut s, Some(b"foobar")).cast_unsigned(), foobar % count);
    s.finish();
}

/// Fewer: records of partitions that do not exist fail, and say why; the others are delivered.
#[test]
fn records_of_partitions_that_do_not_exist_fail() {
    let mut s = expecting(5, 12);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(0), Some(Fate::NotPersisted(Reason::NoSuchPartition)));
    assert_eq!(s.fate(1), Some(Fate::NotPersisted(Reason::NoSuchPartition)));
    assert_eq!(s.log(4), [2]);
    let topic = topic(&mut s);
    assert_eq!(s.producer().partition_count(topic), Some(5));
    s.finish();
}

/// One answer that leaves partitions out is no proof: a broker may lag behind.
#[test]
fn one_answer_with_fewer_partitions_fails_nothing() {
    let mut s = Scenario::start(1, 12);
    s.cluster.inject(Rule::once(Api::Metadata, Fault::Metadata(MetadataFault::MissingPartition)));
    let topic = topic(&mut s);
    assert!(s.producer().expect_partitions(topic, 12));
    s.batch(11);
    offer(&mut s, Some(b""), 8).expect("the number of partitions is known");
    s.run_until_reported(5_000);
    assert!(s.all_delivered(0..2));
    s.finish();
}

/// A topic that was created again with fewer partitions: those that are gone are not chosen any more.
#[test]
fn partitions_of_an_earlier_incarnation_are_not_available() {
    let mut s = scenario(6, &partitioner::round_robin);
    for _ in 0..6 {
        partition_of(&mut s, None);
    }
    s.observer.recreated(TOPIC);
    // The first record of each partition.
    s.ledger.excuses.lost.extend((0..6).map(|record| (record, [0].into())));
    let now = s.now();
    s.cluster.delete_topic(TOPIC, now).expect("it is there");
    s.cluster.create_topic(TOPIC, TopicConfig::new(3, 1)).expect("it is gone");
    let id = s.cluster.topic_id(TOPIC).expect("it is there");
    s.observer.learn(id, TOPIC);
    s.run(400_000);
    for _ in 0..6 {
        assert!(partition_of(&mut s, None) < 3);
    }
    assert_eq!(counts(&s, 3), [2, 2, 2]);
}
