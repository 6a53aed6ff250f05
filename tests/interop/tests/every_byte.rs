//! One node of each Kafka behind a proxy that cuts, splits, delays and stalls requests and answers
//! of every kind, at every byte where that is quick and at every class of bytes otherwise.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::PATIENCE;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::ledger::Ledger;
use klamm_interop::run_dir::RunDir;
use klamm_interop::scalpel::{Bytes, Incision, KINDS, Scalpel};
use klamm_interop::setup::{self, KAFKA_VERSIONS};
use klamm_std::{Producer, Record};

const PARTITIONS: i32 = 3;

#[test]
fn of_the_newest() {
    of(KAFKA_VERSIONS[0]);
}

#[test]
fn of_the_last_3() {
    of(KAFKA_VERSIONS[1]);
}

#[test]
fn before_kraft() {
    of(KAFKA_VERSIONS[2]);
}

fn of(version: &str) {
    let run = RunDir::new(&format!("every-byte-{version}")).unwrap();
    let scalpel = Scalpel::start().unwrap();
    let ports = [scalpel.port()];
    let options = Options { nodes: 1, advertised_ports: &ports, ..Options::default() };
    let mut kafka = Cluster::start(&setup::tools_of(version).unwrap(), &run, &options).unwrap();
    scalpel.forward_to(kafka.node(1).unwrap().proxied_port());

    let short = Duration::from_millis(2);
    let long = Duration::from_millis(60);
    for (topic, what, bytes, timeout_ms) in [
        ("cut", Incision::Cut, Bytes::Every, "10000"),
        ("split", Incision::Wait(short), Bytes::Every, "10000"),
        ("delayed", Incision::Wait(long), Bytes::Classes, "10000"),
        ("stalled", Incision::Stall, Bytes::Classes, "250"),
    ] {
        kafka.create_topic(topic, PARTITIONS.try_into().unwrap(), &[]).unwrap();
        let (incisions, connections) = (scalpel.incisions(), scalpel.connections());
        scalpel.sweep(&KINDS, what, bytes);
        let (ledger, rounds) = rounds(&scalpel, topic, timeout_ms);
        let bootstrap = kafka.bootstrap();
        let log = kafka.helper.read(&bootstrap, topic).unwrap();
        ledger.check_delivered(&log).unwrap();

        let incisions = scalpel.incisions() - incisions;
        let connections = scalpel.connections() - connections;
        println!(
            "{version}: {topic} {incisions} times, {rounds} rounds, {connections} connections"
        );
        if matches!(what, Incision::Wait(_)) {
            assert_eq!(connections, rounds, "a late byte is no reason for another connection");
        } else {
            // A connection may be cut, or stall, in both directions at once.
            assert!(2 * connections >= incisions, "{connections} after {incisions} incisions");
        }
    }
    run.done();
}

/// Until the sweep is over: a producer of its own writes a record to each partition.
fn rounds(scalpel: &Scalpel, topic: &str, request_timeout_ms: &str) -> (Ledger, u64) {
    let address = scalpel.address();
    let options = [
        ("bootstrap.servers", &*address),
        ("request.timeout.ms", request_timeout_ms),
        ("linger.ms", "0"),
        ("reconnect.backoff.ms", "1"),
        ("reconnect.backoff.max.ms", "2"),
        ("retry.backoff.ms", "1"),
        ("retry.backoff.max.ms", "2"),
    ];
    let (mut ledger, mut rounds) = (Ledger::default(), 0);
    while !scalpel.sweeping().is_empty() {
        let producer = Producer::from_properties(options).unwrap();
        for partition in 0..PARTITIONS {
            let number = u64::try_from(ledger.len()).unwrap();
            let value = number.to_string();
            let record = Record::value(value.as_bytes());
            ledger.push(number, producer.send_to_partition(topic, partition, &record).unwrap());
        }
        producer.close(PATIENCE);
        rounds += 1;
        assert!(rounds < 10_000, "the sweep goes on over {:?}", scalpel.sweeping());
    }
    (ledger, rounds)
}
