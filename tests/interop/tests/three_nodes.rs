//! Three nodes under a steady load, while leaders freeze, replicas are lost, partitions move, are
//! added, and a topic is deleted and created again. One cluster for all of it: its start costs more
//! than each scenario. (`kill -9` of leaders has a test of its own, `leaders_killed`.)

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::load::Load;
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup;
use klamm_std::{Producer, Stats};

/// Node 1 is the only controller, and is left alone.
const LED_BY_2_AND_3: &str = "2,3,1;3,2,1;2,3,1;3,2,1";
const PARTITIONS: u32 = 4;
/// Records between two events.
const SOME: u64 = 1_000;

#[test]
fn nothing_is_lost_twice_or_out_of_order() {
    let run = RunDir::new("three-nodes").unwrap();
    let options = Options { nodes: 3, one_controller: true, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    let scenarios: [(&str, Scenario); 5] = [
        ("frozen-leader", a_leader_is_frozen_for_longer_than_a_request_may_take),
        ("moved", partitions_move),
        ("added", partitions_are_added),
        ("recreated", a_topic_is_deleted_and_created_again),
        ("min-isr", replicas_are_lost_and_return),
    ];
    for (topic, scenario) in scenarios {
        println!("{topic}");
        scenario(&mut kafka, topic);
    }
    run.done();
}

/// Given a cluster of which all is alive, and the name of a topic that is not there.
type Scenario = fn(&mut Cluster, &str);

fn a_leader_is_frozen_for_longer_than_a_request_may_take(kafka: &mut Cluster, topic: &str) {
    let bootstrap = kafka.bootstrap();
    kafka.helper.create_topic_on(&bootstrap, topic, LED_BY_2_AND_3, &[]).unwrap();
    // The cluster misses a node after 6 s.
    let load = load(&bootstrap, topic, &[("request.timeout.ms", "2000")]);
    load.wait_for(SOME).unwrap();
    kafka.node(2).unwrap().freeze().unwrap();
    kafka.helper.wait_for_other_leader(&bootstrap, topic, 0, 2).unwrap();
    load.wait_for(SOME).unwrap();
    kafka.node(2).unwrap().thaw().unwrap();
    kafka.helper.wait_in_sync(&bootstrap, topic, 3).unwrap();
    load.wait_for(SOME).unwrap();
    let stats = finish(kafka, topic, load);
    assert!(stats.retries > 0, "no request was lost: {stats:?}");
}

fn replicas_are_lost_and_return(kafka: &mut Cluster, topic: &str) {
    let bootstrap = kafka.bootstrap();
    let two = ["min.insync.replicas=2"];
    kafka.helper.create_topic_on(&bootstrap, topic, LED_BY_2_AND_3, &two).unwrap();
    let load = load(&bootstrap, topic, &[("request.timeout.ms", "5000")]);
    load.wait_for(SOME).unwrap();
    for (node, others_replica) in [(2, 0), (3, 1)] {
        kafka.node(node).unwrap().kill().unwrap();
        kafka.helper.wait_for_other_leader(&bootstrap, topic, others_replica, node).unwrap();
    }
    let alone = load.producer().stats();
    load.wait_until("refusals", |producer| producer.stats().retries > alone.retries + 20).unwrap();
    let stats = load.producer().stats();
    assert_eq!(stats.delivered, alone.delivered, "delivered with one replica of two");
    for node in [2, 3] {
        kafka.node(node).unwrap().start().unwrap();
    }
    kafka.helper.wait_in_sync(&bootstrap, topic, 3).unwrap();
    load.wait_for(SOME).unwrap();
    finish(kafka, topic, load);
}

fn partitions_move(kafka: &mut Cluster, topic: &str) {
    let bootstrap = kafka.bootstrap();
    kafka.helper.create_topic_on(&bootstrap, topic, "2,3;3,2;2,3;3,2", &[]).unwrap();
    let load = load(&bootstrap, topic, &[]);
    for brokers in ["1,2;1,3;3,1;2,1", "3,1;2,1;1,2;1,3", "2,3;3,2;2,3;3,2"] {
        load.wait_for(SOME).unwrap();
        kafka.helper.move_topic(&bootstrap, topic, brokers).unwrap();
    }
    load.wait_for(SOME).unwrap();
    let stats = finish(kafka, topic, load);
    assert!(stats.retries > 0, "no request met a broker that led no more: {stats:?}");
}

fn partitions_are_added(kafka: &mut Cluster, topic: &str) {
    let bootstrap = kafka.bootstrap();
    kafka.create_topic(topic, PARTITIONS, &[]).unwrap();
    let load = load(&bootstrap, topic, &[("metadata.max.age.ms", "1000")]);
    for count in [5, 12] {
        load.wait_for(SOME).unwrap();
        kafka.helper.add_partitions(&bootstrap, topic, count).unwrap();
        load.wait_until("the partitions to be noticed", |producer| {
            producer.partitions_for(topic) == Ok(count.try_into().unwrap())
        })
        .unwrap();
    }
    load.wait_for(SOME).unwrap();
    finish(kafka, topic, load);
    let log = kafka.helper.read(&bootstrap, topic).unwrap();
    let written = |partition| log.iter().any(|record| record.partition == partition);
    assert!((0..12).all(written), "a partition that nothing was written to");
}

/// The log that is there in the end has each record once that was not written to an earlier one.
fn a_topic_is_deleted_and_created_again(kafka: &mut Cluster, topic: &str) {
    let bootstrap = kafka.bootstrap();
    kafka.create_topic(topic, PARTITIONS, &[]).unwrap();
    let load = load(&bootstrap, topic, &[]);
    for patient in [false, true] {
        load.wait_for(SOME).unwrap();
        kafka.helper.delete_topic(&bootstrap, topic).unwrap();
        if patient {
            load.wait_until("records to wait", |p| p.stats().buffered > 2 * SOME).unwrap();
        }
        kafka.create_topic(topic, PARTITIONS, &[]).unwrap();
    }
    load.wait_for(2 * SOME).unwrap();
    let ledger = load.finish().unwrap();
    // An older Kafka knows topics by name when records are written: see `versions`.
    if setup::tools().unwrap().version == setup::NEWEST {
        let outcomes = ledger.outcomes();
        let failed = outcomes.iter().find(|(_, outcome)| outcome.is_err());
        assert_eq!(failed, None, "topic ids tell the incarnations apart");
    }
    let log = kafka.helper.read(&bootstrap, topic).unwrap();
    let gone = ledger.check_recreated(&log).unwrap();
    assert!(gone > 0 && !log.is_empty(), "{gone} records in earlier incarnations");
}

fn load(bootstrap: &str, topic: &str, options: &[(&str, &str)]) -> Load {
    let common = [("bootstrap.servers", bootstrap), ("linger.ms", "2")];
    let producer = Producer::from_properties(common.iter().chain(options).copied()).unwrap();
    Load::start(producer, topic, 100)
}

/// Ends a load of which every record is to be delivered, and checks the log.
fn finish(kafka: &mut Cluster, topic: &str, load: Load) -> Stats {
    let producer = load.producer().clone();
    let ledger = load.finish().unwrap();
    let bootstrap = kafka.bootstrap();
    let log = kafka.helper.read(&bootstrap, topic).unwrap();
    ledger.check_delivered(&log).unwrap();
    producer.stats()
}
