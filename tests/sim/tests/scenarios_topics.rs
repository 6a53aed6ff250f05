//! Bugs that other producers had with metadata and topics, replayed on klamm. (68 is in
//! `scenarios_other.rs`.)

use klamm::{ErrorCode, Reason, SendError};
use klamm_sim::cluster::{Api, ApiVersions, Fault, MetadataFault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::{METADATA, TopicRef};
use klamm_sim::simulator::{Fate, Sample, Scenario, Setup};

/// Sends a record to a topic; what `send` said.
fn offer(s: &mut Scenario, topic: &str, partition: Option<i32>) -> Result<(), SendError> {
    let sample = Sample::plain(s.ledger.next(), 200);
    match s.send(topic, partition, sample) {
        Ok(answer) => answer.map(|_| ()),
        Err(what) => panic!("{what}"),
    }
}

/// Metadata answers lie about this topic, so many times.
fn lie(s: &mut Scenario, topic: &str, lie: MetadataFault, times: u32) {
    let rule = Rule::once(Api::Metadata, Fault::Metadata(lie));
    s.cluster.inject(Rule { topic: Some(topic.to_owned()), times, ..rule });
}

/// librdkafka 1985: what metadata said expires in an outage of 15 minutes, and with it a hundred
/// records.
#[test]
fn s69_librdkafka_1985_an_outage_longer_than_the_metadata_loses_nothing() {
    for delivery_timeout_ms in [3_600_000, 60_000] {
        let mut setup = Scenario::setup(3, 3);
        setup.config.metadata_max_age_ms = 300_000;
        setup.config.delivery_timeout_ms = delivery_timeout_ms;
        let mut s = Scenario::new(setup);
        s.warm_up(0..3);
        let now = s.now();
        (1..=3).for_each(|node| s.cluster.kill(node, now).expect("it is up"));
        let first = s.ledger.next();
        for number in 0..1_000 {
            s.batch(number % 3);
            s.run(900);
        }
        let now = s.now();
        (1..=3).for_each(|node| s.cluster.start(node, now).expect("it is down"));
        for partition in 0..3 {
            let replicas = s.cluster.isr(TOPIC, partition);
            if s.cluster.leader(TOPIC, partition).is_none() {
                s.cluster.elect(TOPIC, partition, replicas[0], now).expect("in sync");
            }
        }
        s.run_until_reported(30_000);
        let delivered =
            (first..s.ledger.next()).filter(|r| matches!(s.fate(*r), Some(Fate::Delivered(_))));
        let delivered = delivered.count();
        if delivery_timeout_ms == 3_600_000 {
            assert_eq!(delivered, 1_000);
        } else {
            // A minute's worth; all others were reported.
            assert!((60..80).contains(&delivered), "{delivered}");
        }
        s.finish();
    }
}

/// franz-go 1.21.4: a broker that lags behind does not know a partition that was just added, and
/// what waits for that partition fails.
#[test]
fn s70_franz_go_a_partition_that_metadata_leaves_out_again_waits() {
    let mut setup = Scenario::setup(2, 3);
    setup.config.metadata_max_age_ms = 500;
    let mut s = Scenario::new(setup);
    s.warm_up(0..3);
    assert_eq!(offer(&mut s, TOPIC, Some(3)), Err(SendError::NoSuchPartition));
    s.cluster.add_partitions(TOPIC, 4).expect("more than there are");
    s.run(1_000);
    let first = s.ledger.next();
    let refused = Rule { times: 3, ..Rule::once(Api::Produce, Fault::Error(3)) };
    s.cluster.inject(Rule { topic: Some(TOPIC.into()), partition: Some(3), ..refused });
    lie(&mut s, TOPIC, MetadataFault::MissingPartition, 5);
    let asked = s.observer.requests[&METADATA];
    for _ in 0..10 {
        assert_eq!(offer(&mut s, TOPIC, Some(3)), Ok(()), "it is known, and stays known");
        s.run(100);
    }
    s.run_until_reported(15_000);
    assert!(s.observer.requests[&METADATA] >= asked + 3);
    assert!(s.all_delivered(first..s.ledger.next()), "{:?}", s.ledger.entries());
    s.finish();
}

/// KAFKA-9261: a leader that is not in the list of brokers. franz-go: no partitions are taken for a
/// success.
#[test]
fn s71_kafka_9261_records_wait_for_metadata_that_makes_sense() {
    let unknown = (TOPIC, MetadataFault::UnknownLeader);
    let none = ("u", MetadataFault::ZeroPartitions);
    for lies in [&[unknown][..], &[none], &[unknown, none]] {
        for known in [false, true] {
            let mut setup = Scenario::setup(2, 2).with_topic("u", 2, 2);
            if known {
                setup.config.metadata_max_age_ms = 500;
            }
            let mut s = Scenario::new(setup);
            if known {
                s.warm_up(0..2);
                offer(&mut s, "u", Some(0)).expect("accepted");
                s.run_until_reported(5_000);
            }
            lies.iter().for_each(|(topic, what)| lie(&mut s, topic, *what, 4));
            if known {
                // They are told while nothing is known to be wrong.
                s.run(700);
            }
            let first = s.ledger.next();
            for (topic, _) in lies {
                for partition in 0..2 {
                    assert_eq!(offer(&mut s, topic, Some(partition)), Ok(()), "{topic}, {known}");
                }
                let sent = offer(&mut s, topic, None);
                let expected = if known { Ok(()) } else { Err(SendError::TopicPending) };
                assert_eq!(sent, expected, "{topic}, {known}");
            }
            s.run_until_reported(15_000);
            assert!(s.all_delivered(first..s.ledger.next()), "{:?}", s.ledger.entries());
            s.finish();
        }
    }
}

/// franz-go 1312: a broker offers Produce 13, which names topics by id, and Metadata without ids
/// (Event Hubs); ids of zeros go out.
#[test]
fn s72_franz_go_1312_without_an_id_the_name_is_sent() {
    let mut setup = Setup::quiet(1).with_topic(TOPIC, 2, 1).with_topic("u", 2, 1);
    setup.cluster.nodes[0].versions = ApiVersions::EVENT_HUBS;
    let mut s = Scenario::new(setup);
    for _ in 0..5 {
        for topic in [TOPIC, "u"] {
            (0..2).for_each(|p| offer(&mut s, topic, Some(p)).expect("accepted"));
        }
        s.run_until_reported(5_000);
    }
    let by_name = |e: &klamm_sim::simulator::Exchange| matches!(e.batch.topic, TopicRef::Name(_));
    assert!(s.observer.exchanges.iter().all(|e| e.version == 12 && by_name(e)));
    s.finish();
    // A broker of today that leaves out the id of one topic: no request may mix them.
    let mut setup = Setup::quiet(1).with_topic(TOPIC, 2, 1).with_topic("u", 2, 1);
    setup.config.metadata_max_age_ms = 100;
    let mut s = Scenario::new(setup);
    lie(&mut s, "u", MetadataFault::ZeroTopicId, u32::MAX);
    for _ in 0..20 {
        for topic in [TOPIC, "u"] {
            (0..2).for_each(|p| offer(&mut s, topic, Some(p)).expect("accepted"));
        }
        s.run(30);
    }
    s.run_until_reported(5_000);
    for exchange in s.observer.exchanges.iter().filter(|e| e.place.0 == "u") {
        assert_eq!(exchange.version, 12);
    }
    let version = |e: &&klamm_sim::simulator::Exchange| e.place.0 == TOPIC && e.version == 13;
    assert!(s.observer.exchanges.iter().filter(version).count() > 20);
    assert!(s.all_delivered(0..s.ledger.next()));
    s.finish();
}

/// kafkajs 1385: after an authorization error of one topic all sends fail.
#[test]
fn s73_kafkajs_1385_an_unauthorized_topic_is_one_topic() {
    for at_produce in [false, true] {
        let mut setup = Scenario::setup(1, 2).with_topic("secret", 2, 1);
        setup.config.linger_ms = 5;
        let mut s = Scenario::new(setup);
        s.ledger.excuses.rejected = true;
        s.warm_up(0..2);
        let api = if at_produce { Api::Produce } else { Api::Metadata };
        let rule = Rule::once(api, Fault::Error(29));
        s.cluster.inject(Rule { topic: Some("secret".into()), times: u32::MAX, ..rule });
        for round in 0..10 {
            let secret = s.ledger.next();
            let sent = offer(&mut s, "secret", Some(0));
            if at_produce || round == 0 {
                assert_eq!(sent, Ok(()), "round {round}");
            } else {
                assert_eq!(sent, Err(SendError::Topic(ErrorCode(29))), "round {round}");
            }
            // Some in one request with the other topic's, one still lingering when the error comes.
            let first = s.ledger.next();
            s.batches(0, 20);
            let small = Sample::plain(s.ledger.next(), 20);
            s.sample(1, small);
            s.run_until_reported(10_000);
            assert!(s.all_delivered(first..s.ledger.next()), "round {round}");
            if sent.is_ok() {
                let rejected = Fate::NotPersisted(Reason::Rejected(ErrorCode(29)));
                assert_eq!(s.fate(secret), Some(rejected), "round {round}");
            }
        }
        s.cluster.clear_faults();
        // The next answer says that it is allowed now.
        let _ = offer(&mut s, "secret", Some(1));
        s.run(2_000);
        let allowed = s.ledger.next();
        assert_eq!(offer(&mut s, "secret", Some(0)), Ok(()), "at produce {at_produce}");
        s.run_until_reported(5_000);
        assert!(s.all_delivered(allowed..allowed + 1));
        s.finish();
    }
}
