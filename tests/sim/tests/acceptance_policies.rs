//! What becomes of records that cannot go: retries, final errors, purge. The id of
//! an acceptance row is in the name of its test.

use klamm::{
    Acks, Compression, ErrorCode, Idempotence, Outcome, Policies, Reason, Scope, SendError,
};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::METADATA;
use klamm_sim::simulator::{Fate, Sample, Scenario, Way};

const NOT_ENOUGH: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS;
const AFTER_APPEND: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND;

fn purge(s: &mut Scenario, scope: Scope) {
    let now = s.instant();
    s.producer().purge(scope, now);
}

fn purged(s: &Scenario, record: u64) -> bool {
    s.fate(record) == Some(Fate::NotPersisted(Reason::Purged))
}

#[test]
fn pk_05_a_batch_fails_with_the_last_error_after_its_attempts() {
    for (errors, delivered) in [(2, true), (3, false)] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.retries = 2;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        s.produce_faults(0, Fault::Error(19), errors);
        let record = s.batch(0);
        s.run_until_reported(10_000);
        assert_eq!(s.sent(0).len(), 4, "three attempts, and the first record");
        match s.fate(record) {
            Some(Fate::Delivered(_)) => assert!(delivered),
            fate => {
                assert!(!delivered);
                let last = NOT_ENOUGH;
                assert_eq!(fate, Some(Fate::NotPersisted(Reason::Retries { last })));
            }
        }
        s.finish();
    }
}

#[test]
fn pk_06_backoff_between_retries() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.retry_backoff_ms = 100;
    setup.config.retry_backoff_max_ms = 100;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 5);
    s.batch(0);
    s.run_until_reported(10_000);
    let times: Vec<u64> = s.observer.exchanges.iter().skip(1).map(|e| e.at).collect();
    assert_eq!(times.len(), 6);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 100_000), "{times:?}");
    s.finish();
}

#[test]
fn pk_08_the_brokers_ack_timeout_is_an_option() {
    for (option, expected) in [(0, 2_000), (10_000, 10_000)] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.policies.ack_timeout_ms = option;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        assert_eq!(s.observer.last_terms, Some((-1, expected)));
        s.finish();
    }
}

#[test]
fn ak_19_too_few_replicas_is_final_if_asked_for() {
    for strict in [false, true] {
        for code in [NOT_ENOUGH, AFTER_APPEND] {
            let mut setup = Scenario::setup(1, 1);
            if strict {
                setup.config.policies.final_errors = Policies::NOT_ENOUGH_REPLICAS;
            }
            let mut s = Scenario::new(setup);
            s.warm_up(0..1);
            let fault = match code {
                AFTER_APPEND => Fault::AppendThenError { code: 20, keep_offset: false },
                _ => Fault::Error(19),
            };
            s.produce_fault(0, fault);
            let record = s.batch(0);
            s.run_until_reported(10_000);
            let expected = match (strict, code) {
                (false, _) => None,
                (true, AFTER_APPEND) => Some(Fate::Unknown(Reason::Rejected(code))),
                (true, _) => Some(Fate::NotPersisted(Reason::Rejected(code))),
            };
            match expected {
                Some(fate) => assert_eq!(s.fate(record), Some(fate)),
                None => assert!(s.all_delivered(record..record + 1)),
            }
            // Nothing is lost or doubled behind it.
            let later = s.batches(0, 3);
            s.run_until_reported(10_000);
            assert!(s.all_delivered(later));
            s.finish();
        }
    }
}

#[test]
fn ak_15_ak_16_the_last_error_is_reported_when_time_is_over() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.delivery_timeout_ms = 3_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), u32::MAX);
    let record = s.batch(0);
    s.run_until_reported(10_000);
    let last = NOT_ENOUGH;
    assert_eq!(s.fate(record), Some(Fate::NotPersisted(Reason::TimedOut { last })));
    assert!(s.sent(0).len() > 4, "it was tried again and again");
    s.finish();
}

#[test]
fn ak_17_without_an_answer_nobody_knows() {
    for stored in [false, true] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.delivery_timeout_ms = 3_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..1);
        let fault = if stored { Fault::DropResponse } else { Fault::DropRequest };
        s.produce_faults(0, fault, u32::MAX);
        let record = s.batch(0);
        s.run_until_reported(20_000);
        assert!(matches!(s.fate(record), Some(Fate::Unknown(Reason::TimedOut { .. }))));
        assert_eq!(s.log(0).contains(&record), stored);
        s.finish();
    }
}

#[test]
fn ak_21_without_acks_nothing_is_awaited() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.acks = Acks::None;
    setup.config.enable_idempotence = Idempotence::Off;
    let mut s = Scenario::new(setup);
    let record = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(record), Some(Fate::Delivered(None)));
    assert_eq!(s.stats().retries, 0);
    s.finish();
}

#[test]
fn ki_11_ki_12_an_unknown_topic_is_asked_for_then_refused() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.allow_auto_create_topics = false;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let asked = s.observer.requests[&METADATA];
    let offer = |s: &mut Scenario| {
        let number = s.ledger.next();
        s.send("late", None, Sample::plain(number, 8)).expect("no promise is broken")
    };
    assert_eq!(offer(&mut s).err(), Some(SendError::TopicPending));
    s.run(50);
    assert_eq!(s.observer.requests[&METADATA], asked + 1);
    assert_eq!(offer(&mut s).err(), Some(SendError::Topic(ErrorCode(3))));
    s.cluster
        .create_topic("late", klamm_sim::cluster::TopicConfig::new(1, 1))
        .expect("a legal name");
    let id = s.cluster.topic_id("late").expect("it is there");
    s.observer.learn(id, "late");
    s.run(3_000);
    assert!(offer(&mut s).is_ok());
    s.run_until_reported(5_000);
    s.finish();
}

#[test]
fn ki_23_a_fatal_error_is_reported_and_not_retried() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.ledger.excuses.rejected = true;
    s.produce_fault(0, Fault::Error(29));
    let record = s.batch(0);
    let next = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(record), Some(Fate::NotPersisted(Reason::Rejected(ErrorCode(29)))));
    assert!(s.all_delivered(next..next + 1));
    assert_eq!(s.stats().not_persisted, 1);
    s.finish();
}

#[test]
fn purge_knows_topics_partitions_and_what_was_sent() {
    let mut setup = Scenario::setup(1, 2).with_topic("other", 1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    s.stall(1, Way::Down, 1_000);
    let sent = s.batch(0);
    s.run(10);
    let (queued, neighbour) = (s.batch(0), s.batch(1));
    let number = s.ledger.next();
    let other = s.send("other", Some(0), Sample::plain(number, 8)).expect("no promise is broken");
    assert!(other.is_ok());
    let topic = s.producer().topic(TOPIC).expect("known");

    purge(&mut s, Scope::partition(topic, 0).queued_only());
    s.run(1);
    assert!(purged(&s, queued));
    assert_eq!((s.fate(sent), s.fate(neighbour)), (None, None));

    purge(&mut s, Scope::topic(topic));
    s.run(1);
    assert!(purged(&s, neighbour));
    assert_eq!((s.fate(sent), s.fate(number)), (None, None), "its answer is on its way");
    s.run_until_reported(5_000);
    // What the answer says counts for more than that nobody wants to know.
    assert!(s.all_delivered(sent..sent + 1) && s.all_delivered(number..number + 1));
    let later = s.batches(0, 3);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(later));
    s.finish();
}

/// It has a number, even while it waits for its next try: without it there would be a gap.
#[test]
fn what_is_tried_again_is_not_queued_only() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::Error(19));
    let refused = s.batch(0);
    s.run(50);
    let queued = s.batch(0);
    purge(&mut s, Scope::ALL.queued_only());
    s.run(1);
    assert!(purged(&s, queued));
    assert_eq!(s.fate(refused), None);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(refused..refused + 1));
    let later = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.log(0), [0, refused, later]);
    s.finish();
}

#[test]
fn a_purge_of_what_was_sent_is_unknown_without_an_answer() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.produce_fault(0, Fault::DropResponse);
    let sent = s.batch(0);
    s.run(10);
    let topic = s.producer().topic(TOPIC).expect("known");
    purge(&mut s, Scope::partition(topic, 0));
    let later = s.batch(0);
    s.run_until_reported(10_000);
    assert_eq!(s.fate(sent), Some(Fate::Unknown(Reason::Purged)));
    assert!(s.all_delivered(later..later + 1));
    s.finish();
}

/// What is handed back is compared with what was sent by the simulation, on every report that has
/// records; here all must have them.
#[test]
fn ki_23_compressed_records_are_handed_back_as_they_were() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.compression_type = Compression::Gzip { level: 6 };
    setup.config.linger_ms = 50;
    let mut s = Scenario::new(setup);
    s.hands_off();
    s.produce_fault(0, Fault::Error(29));
    let topic = s.producer().topic(TOPIC).expect("there is room");
    let now = s.instant();
    let values = [[b'a'; 50], [b'b'; 50], [b'c'; 50]];
    for value in &values {
        let to = klamm::Destination::partition(topic, 0);
        s.producer().send(to, &klamm::Record::value(value), now).expect("there is room");
    }
    s.run(1_000);
    let compressed = s.observer.exchanges.last().map(|e| e.batch.bytes.len());
    assert!(compressed.is_some_and(|bytes| bytes < 150), "{compressed:?}");
    let report = s.producer().peek_report().expect("it failed");
    assert_eq!(report.outcome, Outcome::NotPersisted(Reason::Rejected(ErrorCode(29))));
    let records = s.producer().report_records().expect("they are handed back");
    let back: Vec<Vec<u8>> = records.filter_map(|r| r.value.map(<[u8]>::to_vec)).collect();
    assert_eq!(back, values.map(|value| value.to_vec()));
}

#[test]
fn ck_30_a_record_that_is_too_large_is_refused_with_both_sizes_or_named() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let refused = s.offer(0, Sample::plain(1, 2 << 20));
    let Err(SendError::TooLarge { size, max }) = refused else { panic!("{refused:?}") };
    assert!(size > 2 << 20 && max <= 1 << 20);
    s.ledger.excuses.rejected = true;
    s.cluster.topic_config(TOPIC).expect("there").max_message_bytes = 100;
    let large = s.batch(0);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(large), Some(Fate::NotPersisted(Reason::TooLarge)));
    s.finish();
}

#[test]
fn ck_05_ck_02_delivered_records_have_their_offsets() {
    let mut s = Scenario::start(2, 2);
    s.cluster.inject(Rule { times: 2, ..Rule::once(Api::Produce, Fault::Error(19)) });
    let records = s.batches(0, 4);
    s.run_until_reported(10_000);
    for (offset, record) in (0..).zip(records) {
        assert_eq!(s.fate(record), Some(Fate::Delivered(Some(offset))));
    }
    s.finish();
}
