//! Bugs that other producers had with sequences, retries and epochs, replayed on klamm. Each says
//! where it was seen.

use klamm::{ErrorCode, Reason};
use klamm_sim::cluster::{Api, ApiVersions, Fault, MetadataFault, Rule, UnknownProducer};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::INIT_PRODUCER_ID;
use klamm_sim::simulator::{Fate, Sample, Scenario, Way};

/// A record that Kafka 4.3 refuses for good (32): its timestamp is in the far future.
fn poison(s: &mut Scenario, partition: i32) -> u64 {
    let mut sample = Sample::plain(s.ledger.next(), 200);
    sample.timestamp = Some(1_900_000_000_000);
    s.ledger.excuses.rejected = true;
    s.sample(partition, sample)
}

/// KAFKA-15591, 14312, 19880, 14359: A is refused, B is appended by a broker without state, A can
/// never follow.
#[test]
fn s01_first_batch_of_a_new_partition_goes_alone() {
    for mode in [UnknownProducer::Accept, UnknownProducer::OutOfOrder] {
        let mut setup = Scenario::setup(1, 1);
        setup.cluster.unknown_producer = mode;
        let mut s = Scenario::new(setup);
        s.produce_fault(0, Fault::Error(6));
        let all = s.batches(0, 3);
        s.run_until_reported(5_000);
        assert_eq!(s.sent(0)[..2], [vec![0], vec![0]], "{mode:?}");
        let first_success = s.observer.exchanges[1].answer.expect("the second try is answered").0;
        assert!(s.observer.exchanges[2].at >= first_success, "{mode:?}");
        assert!(s.all_delivered(all));
        s.finish();
    }
}

/// KAFKA-5494: with several in flight a leader change answers them in an order that is not that of
/// the sequences.
#[test]
fn s02_after_a_failure_the_lowest_sequence_goes_first() {
    let mut s = Scenario::start(2, 1);
    s.warm_up(0..1);
    let all = s.batches(0, 5);
    let leader = s.leader(0);
    s.stall(leader, Way::Up, 100);
    s.run(50);
    s.move_leader(0);
    s.run_until_reported(5_000);
    let retried = s.lines(0).into_iter().skip(6).map(|line| line.records).collect::<Vec<_>>();
    assert_eq!(s.lines(0).iter().filter(|l| l.code == Some(6)).count(), 5);
    assert_eq!(retried, all.map(|n| vec![n]).collect::<Vec<_>>());
    assert_eq!(s.log(0), (0..6).collect::<Vec<_>>());
    s.finish();
}

/// KAFKA-14034: a batch fails for good while the one before it is still unknown.
#[test]
fn s03_predecessors_are_resolved_before_a_bump() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::AppendThenError { code: 7, keep_offset: true });
    let unknown = s.batch(0);
    let bad = poison(&mut s, 0);
    let good = s.batches(0, 3);
    s.run_until_reported(5_000);
    assert!(matches!(s.fate(unknown), Some(Fate::Delivered(Some(1)))), "{:?}", s.fate(unknown));
    let refused = Some(Fate::NotPersisted(Reason::Rejected(ErrorCode(32))));
    assert_eq!(s.fate(bad), refused);
    assert!(s.all_delivered(good));
    s.finish();
}

/// KAFKA-12152, franz-go 0.6.3: an idle partition sends the new epoch with its old sequence.
#[test]
fn s04_a_bump_concerns_one_partition() {
    let mut s = Scenario::start(1, 3);
    s.warm_up(0..3);
    s.ledger.excuses.data_loss = true;
    s.produce_fault(0, Fault::Error(45));
    s.batch(0);
    s.batch(1);
    s.run_until_reported(5_000);
    s.batch(2);
    s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.stats().bumps, 1);
    let last = |p: i32| s.lines(p).pop().map(|l| (l.epoch, l.sequence));
    assert_eq!(last(0), Some((1, 1)));
    assert_eq!(last(1), Some((0, 1)));
    assert_eq!(last(2), Some((0, 1)));
    s.finish();
}

/// KAFKA-8483: a reset of the producer id renumbers batches in the order of a heap.
#[test]
fn s05_a_reset_with_five_in_flight_keeps_the_order() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.start_epoch = i16::MAX - 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.ledger.excuses.data_loss = true;
    s.produce_fault(0, Fault::Error(45));
    let all = s.batches(0, 5);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(all));
    assert_eq!(s.log(0), (0..6).collect::<Vec<_>>());
    s.finish();
}

/// KAFKA-8484: an answer to the old identity after a reset must not touch the new one.
#[test]
fn s06_late_answers_of_an_old_identity_are_ignored() {
    let mut setup = Scenario::setup(1, 1);
    setup.network.late_requests = 1_000;
    setup.network.late_by = 3_000_000;
    setup.config.delivery_timeout_ms = 2_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let old = s.batches(0, 3);
    s.stall(1, Way::Up, 60_000);
    s.run(100);
    s.run_until_reported(10_000);
    for record in old {
        assert!(matches!(s.fate(record), Some(Fate::Unknown(_))), "{:?}", s.fate(record));
    }
    let new = s.batches(0, 3);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(new));
    assert!(s.lines(0).last().is_some_and(|l| l.epoch == 1), "{:?}", s.lines(0));
    s.finish();
}

/// KAFKA-13794: batches known by their sequence alone, so that one of another epoch is taken for
/// it.
#[test]
fn s07_the_same_sequence_in_two_epochs_is_two_batches() {
    let mut s = Scenario::start(1, 1);
    s.ledger.excuses.data_loss = true;
    s.produce_fault(0, Fault::Error(45));
    let all = s.batches(0, 3);
    s.run_until_reported(5_000);
    let lines = s.lines(0);
    assert_eq!((lines[0].epoch, lines[0].sequence), (0, 0));
    assert_eq!((lines[1].epoch, lines[1].sequence), (1, 0));
    assert!(s.all_delivered(all));
    s.finish();
}

/// KAFKA-7693, franz-go 216 and 227, kafkajs 1310: sequences become negative, also when they are
/// rewound.
#[test]
fn s08_sequences_wrap_to_zero_also_on_rewind() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.start_sequence = i32::MAX - 2;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::CloseAfter);
    let all = s.batches(0, 5);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(all));
    let sequences: Vec<i32> = s.lines(0).iter().rev().take(3).rev().map(|l| l.sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
    assert!(s.lines(0).iter().all(|l| l.sequence >= 0));
    s.finish();
}

/// kafkajs 1790: wraps one too early, so that 2^31-1 is left out.
#[test]
fn s09_a_batch_may_straddle_the_wrap() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.start_sequence = i32::MAX - 2;
    let mut s = Scenario::new(setup);
    let straddling = s.batch_of(0, 5);
    s.run_until_reported(5_000);
    let next = s.batch(0);
    s.run_until_reported(5_000);
    let lines = s.lines(0);
    assert_eq!((lines[0].sequence, lines[0].records.len()), (i32::MAX - 2, 5));
    assert_eq!(lines[1].sequence, 2);
    assert!(s.all_delivered(straddling.start..next + 1));
    let sequences: Vec<i32> = s.cluster.log(TOPIC, 0).map(|r| r.sequence).collect();
    assert_eq!(sequences, [i32::MAX - 2, i32::MAX - 1, i32::MAX, 0, 1, 2]);
    s.finish();
}

/// KAFKA-18660, 19367, sarama 2178: the epoch overflows. klamm takes a new producer id.
#[test]
fn s10_when_epochs_are_used_up_there_is_a_new_producer_id() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.start_epoch = i16::MAX - 2;
    let mut s = Scenario::new(setup);
    s.ledger.excuses.data_loss = true;
    for _ in 0..5 {
        s.produce_fault(0, Fault::Error(45));
        s.batch(0);
        s.run_until_reported(10_000);
    }
    assert!(s.all_delivered(0..5));
    let mut ids: Vec<i64> = s.observer.exchanges.iter().map(|e| e.batch.producer_id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(s.observer.requests[&INIT_PRODUCER_ID], 2);
    assert!(s.lines(0).iter().all(|l| l.epoch >= 0));
    s.finish();
}

/// librdkafka 2.3.0 (4438, 3584): after a disconnect the batch was taken as persisted.
#[test]
fn s11_an_unanswered_batch_is_sent_again_as_it_was() {
    for fault in [Fault::CloseAfter, Fault::CloseBefore, Fault::DropResponse] {
        let mut s = Scenario::start(1, 1);
        s.warm_up(0..1);
        s.produce_fault(0, fault.clone());
        let record = s.batch(0);
        s.run_until_reported(10_000);
        let sent = s.observer.sent_to(TOPIC, 0);
        assert_eq!(sent.len(), 3, "{fault:?}");
        assert_eq!(sent[1].batch.bytes, sent[2].batch.bytes, "{fault:?}");
        assert_eq!(s.fate(record), Some(Fate::Delivered(Some(1))), "{fault:?}");
        assert_eq!(s.log(0), [0, 1], "{fault:?}");
        s.finish();
    }
}

/// librdkafka 1.9.0: a topic that metadata leaves out once loses its counters; the broker
/// "deduplicates" new records.
#[test]
fn s12_a_topic_that_vanishes_from_metadata_keeps_its_sequences() {
    let mut setup = Scenario::setup(1, 2);
    setup.config.metadata_max_age_ms = 1_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    let mut rule = Rule::once(Api::Metadata, Fault::Metadata(MetadataFault::MissingTopic));
    rule.times = 2;
    s.cluster.inject(rule);
    s.run(1_500);
    let during = s.batches(0, 2);
    s.run(3_000);
    let after = s.batches(0, 2);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(during) && s.all_delivered(after));
    let sequences: Vec<i32> = s.cluster.log(TOPIC, 0).map(|r| r.sequence).collect();
    assert_eq!(sequences, [0, 1, 2, 3, 4]);
    s.finish();
}

/// franz-go 1217: appended, answered with a timeout, cancelled by the user; the next record reuses
/// the sequence, and the broker takes it for the first one.
#[test]
fn s13_giving_up_an_ambiguous_batch_frees_no_sequence() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::AppendThenError { code: 7, keep_offset: true });
    let first = s.batch(0);
    assert!(s.run_for(1_000, |s| s.observer.exchanges.last().is_some_and(|e| e.answer.is_some())));
    s.run_for(1, |s| s.observer.exchanges.len() > 2);
    let now = klamm::Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    s.run_until_reported(10_000);
    assert_eq!(s.fate(first), Some(Fate::Unknown(Reason::Purged)));
    let second = s.batch(0);
    s.run_until_reported(10_000);
    assert_eq!(s.fate(second), Some(Fate::Delivered(Some(2))));
    assert_eq!(s.log(0), [0, first, second]);
    s.finish();
}

/// librdkafka 2.5.0 (4736): a retried batch is cut again, with other records.
#[test]
fn s14_a_retried_batch_is_not_cut_again() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 3);
    let small = s.sample(0, Sample::plain(1, 10));
    for _ in 0..20 {
        s.run(20);
        let number = s.ledger.next();
        s.sample(0, Sample::plain(number, 10));
    }
    s.run_until_reported(10_000);
    let tries: Vec<_> = s.sent(0).into_iter().filter(|records| records.contains(&small)).collect();
    assert!(tries.len() >= 3, "{tries:?}");
    assert!(tries.iter().all(|records| *records == tries[0]), "{tries:?}");
    s.finish();
}

/// KAFKA-9605, 5429, 5793, franz-go 1.21.0: an answer that comes after the records were given up.
#[test]
fn s16_an_answer_after_a_purge_changes_nothing() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let given_up = s.batches(0, 5);
    s.stall(1, Way::Down, 300);
    s.run(100);
    let now = klamm::Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    s.run_until_reported(5_000);
    for record in given_up {
        assert_eq!(s.fate(record), Some(Fate::Unknown(Reason::Purged)));
    }
    let new = s.batches(0, 5);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(new));
    s.finish();
}

/// sarama 1430, 1661: the sequence is taken when the record is queued, so records that expire leave
/// a gap.
#[test]
fn s17_records_never_sent_take_no_sequence() {
    let mut setup = Scenario::setup(1, 1);
    setup.cluster.unknown_producer = UnknownProducer::OutOfOrder;
    setup.config.delivery_timeout_ms = 2_000;
    let mut s = Scenario::new(setup);
    let now = s.now();
    s.cluster.kill(1, now).expect("node 1 is up");
    let expired = s.batches(0, 2);
    s.run_until_reported(5_000);
    for record in expired {
        assert!(matches!(s.fate(record), Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
    }
    let now = s.now();
    s.cluster.start(1, now).expect("node 1 is down");
    let record = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(record), Some(Fate::Delivered(Some(0))));
    assert_eq!(s.lines(0)[0].sequence, 0);
    s.finish();
}

/// sarama 3362, 3422: order is broken when leaders bounce under load.
#[test]
fn s18_order_survives_a_bouncing_leader() {
    let mut s = Scenario::start(3, 1);
    s.warm_up(0..1);
    for round in 0..30 {
        s.batches(0, 3);
        s.run(20 + round % 7);
        s.move_leader(0);
    }
    s.run_until_reported(20_000);
    assert_eq!(s.log(0), (0..91).collect::<Vec<_>>());
    s.finish();
}

/// kafkajs 598, 1050, 1172: concurrent sends compute the same sequence, or skip one.
#[test]
fn s19_sends_at_every_step_take_consecutive_sequences() {
    let mut s = Scenario::start(2, 2);
    for number in 0..200 {
        s.batch(i32::from(number % 3 == 0));
        s.step().expect("no promise is broken");
    }
    s.run_until_reported(10_000);
    for partition in 0..2 {
        let sequences = s.cluster.log(TOPIC, partition).map(|r| r.sequence);
        assert!(sequences.eq(0..i32::try_from(s.log(partition).len()).expect("few")));
    }
    s.finish();
}

/// platformatic 309, 310, 262: a broker that forgot the producer id is never recovered from.
#[test]
fn s20_a_forgotten_producer_id_is_recovered_from() {
    let cases = [
        (UnknownProducer::OutOfOrder, ApiVersions::KAFKA_4_3),
        (UnknownProducer::UnknownProducerId, ApiVersions::KAFKA_2_1),
        (UnknownProducer::Accept, ApiVersions::KAFKA_4_3),
    ];
    for (mode, versions) in cases {
        let mut setup = Scenario::setup(1, 1);
        setup.cluster.unknown_producer = mode;
        setup.cluster.nodes[0].versions = versions;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.cluster.forget_producers(TOPIC, 0, 1, None).expect("node 1 has partition 0");
        s.ledger.excuses.data_loss = true;
        let all = s.batches(0, 3);
        s.run_until_reported(10_000);
        assert!(s.all_delivered(all), "{mode:?}: {:?}", s.ledger.entries());
        assert_eq!(s.stats().bumps, u64::from(mode != UnknownProducer::Accept), "{mode:?}");
        assert_eq!(s.log(0), [0, 1, 2, 3], "{mode:?}");
        s.finish();
    }
}

/// aiokafka 1017, dotnet 1943: after an outage of the whole cluster nothing is ever sent again.
#[test]
fn s21_an_outage_of_ten_minutes_is_recovered_from() {
    let mut s = Scenario::start(3, 3);
    s.warm_up(0..3);
    let before = s.batches(0, 2);
    s.run(1);
    let now = s.now();
    for node in 1..=3 {
        s.cluster.kill(node, now).expect("up");
    }
    s.run(50);
    let during = s.batches(1, 3);
    s.run(600_000);
    assert_eq!(s.ledger.unreported(), 0);
    let now = s.now();
    for node in 1..=3 {
        s.cluster.start(node, now).expect("down");
    }
    for partition in 0..3 {
        let leader = s.cluster.isr(TOPIC, partition)[0];
        if s.cluster.leader(TOPIC, partition).is_none() {
            s.cluster.elect(TOPIC, partition, leader, now).expect("in sync");
        }
    }
    let first = s.ledger.next();
    (0..3).for_each(|partition| _ = s.batches(partition, 3));
    s.run_until_reported(10_000);
    assert!(s.all_delivered(first..s.ledger.next()));
    for record in during {
        assert!(matches!(s.fate(record), Some(Fate::NotPersisted(_))), "{:?}", s.fate(record));
    }
    assert!(before.into_iter().all(|r| s.fate(r).is_some()));
    s.finish();
}

/// fluss 2826: the answer to the first batch is lost, five later ones are acknowledged, its
/// duplicate is not known any more. At most five batches may be unresolved.
#[test]
fn s22_at_most_five_batches_are_unresolved() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let all = s.batches(0, 20);
    s.stall(1, Way::Down, 1_000);
    s.run(500);
    assert_eq!(s.sent(0).len(), 1 + 5);
    let slot = s.network.slot_of(1).expect("connected");
    let now = s.now();
    s.network.reset(slot, now);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(all));
    assert_eq!(s.log(0), (0..21).collect::<Vec<_>>());
    s.finish();
}

/// KAFKA-3197, aiokafka 228: one in flight, and yet reordered, because a retry is queued behind.
#[test]
fn s23_a_retry_goes_before_what_waits() {
    for fault in [Fault::Error(19), Fault::Error(6), Fault::CloseBefore] {
        let mut setup = Scenario::setup(2, 1);
        setup.config.max_in_flight_requests_per_connection = 1;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.produce_fault(0, fault.clone());
        s.batches(0, 3);
        s.run_until_reported(10_000);
        assert_eq!(s.sent(0), [[0], [1], [1], [2], [3]], "{fault:?}");
        s.finish();
    }
}

/// ruby-kafka 956: a retry asks the partitioner again.
#[test]
fn s24_a_retry_stays_on_its_partition() {
    let mut s = Scenario::start(1, 6);
    s.warm_up(0..6);
    let mut rule = Rule::once(Api::Produce, Fault::Error(6));
    rule.times = 8;
    s.cluster.inject(rule);
    for number in 6..60 {
        let mut sample = Sample::plain(number, 200);
        if number % 2 == 0 {
            sample.key = Some(number.to_string().into_bytes());
        }
        s.send(TOPIC, None, sample).expect("no promise is broken").expect("accepted");
    }
    s.run_until_reported(10_000);
    assert!(s.stats().retries > 0);
    let mut places = std::collections::BTreeMap::new();
    for exchange in &s.observer.exchanges {
        for number in &exchange.batch.numbers {
            let place = places.entry(*number).or_insert_with(|| exchange.place.clone());
            assert_eq!(*place, exchange.place, "record {number}");
        }
    }
    s.finish();
}

/// franz-go 781: an error that metadata gives for a partition fails what is in flight to it.
#[test]
fn s25_a_metadata_error_fails_nothing_in_flight() {
    let lies = [
        Fault::Metadata(MetadataFault::NoLeader),
        Fault::Metadata(MetadataFault::MissingPartition),
        Fault::Metadata(MetadataFault::MissingTopic),
        Fault::Error(3),
    ];
    for lie in lies {
        let mut setup = Scenario::setup(2, 1);
        setup.config.metadata_max_age_ms = 300;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        let record = s.batch(0);
        let leader = s.leader(0);
        s.stall(leader, Way::Down, 900);
        let mut rule = Rule::once(Api::Metadata, lie.clone());
        rule.times = 3;
        s.cluster.inject(rule);
        s.run_until_reported(10_000);
        assert_eq!(s.fate(record), Some(Fate::Delivered(Some(1))), "{lie:?}");
        assert_eq!(s.sent(0).len(), 2, "{lie:?}");
        s.finish();
    }
}

/// librdkafka 1092, 623: the same as 23 with the queue full.
#[test]
fn s26_a_retry_goes_before_a_full_queue() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.limits.buffer_memory = 8_000;
    setup.limits.max_request_size = 2_000;
    setup.config.max_request_size = 2_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 2);
    let mut sent = 1;
    while s.offer(0, Sample::plain(sent, 200)).is_ok() {
        sent += 1;
    }
    assert!(sent > 5, "the queue holds {sent}");
    s.run_until_reported(10_000);
    assert_eq!(s.sent(0)[1..4], [[1], [1], [1]]);
    assert_eq!(s.log(0), (0..sent).collect::<Vec<_>>());
    s.finish();
}

/// KAFKA-2138, sarama 3557: retries do not wait.
#[test]
fn s27_retries_wait_for_their_backoff() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 6);
    s.batch(0);
    s.run_until_reported(20_000);
    let tries: Vec<_> = s.observer.sent_to(TOPIC, 0).into_iter().skip(1).collect();
    assert_eq!(tries.len(), 7);
    for (n, pair) in tries.windows(2).enumerate() {
        let answered = pair[0].answer.expect("answered").0;
        let waited = (pair[1].at - answered) / 1_000;
        let exact = (100_u64 << n).min(1_000);
        assert!(waited >= exact * 8 / 10, "try {n} waited {waited} ms, {exact} is due");
        assert!(waited <= exact * 12 / 10 + 10, "try {n} waited {waited} ms, {exact} is due");
    }
    s.finish();
}
