//! One node of each Kafka behind a proxy that cuts, splits, delays and stalls requests and answers
//! of every kind: at every byte where that is quick, at every class of bytes otherwise, and anywhere
//! under load.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::PATIENCE;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::ledger::Ledger;
use klamm_interop::load::Load;
use klamm_interop::run_dir::RunDir;
use klamm_interop::scalpel::{Bytes, Incision, KINDS, PRODUCE_ANSWERS, PRODUCE_REQUESTS, Scalpel};
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

    at_every_byte(&mut kafka, &scalpel);
    the_same_without_sequences_writes_twice(&mut kafka, &scalpel);
    anywhere_under_load(&mut kafka, &scalpel);
    run.done();
}

fn at_every_byte(kafka: &mut Cluster, scalpel: &Scalpel) {
    let short = Incision::Wait(Duration::from_millis(2));
    let long = Incision::Wait(Duration::from_millis(60));
    for (topic, what, bytes, timeout_ms) in [
        ("cut", Incision::Cut, Bytes::Every, "10000"),
        ("split", short, Bytes::Every, "10000"),
        ("delayed", long, Bytes::Classes, "10000"),
        ("stalled", Incision::Stall, Bytes::Classes, "250"),
    ] {
        kafka.create_topic(topic, PARTITIONS.try_into().unwrap(), &[]).unwrap();
        let (incisions, connections) = (scalpel.incisions(), scalpel.connections());
        scalpel.sweep(&KINDS, what, bytes);
        let (ledger, rounds) = rounds(scalpel, topic, ("request.timeout.ms", timeout_ms));
        let bootstrap = kafka.bootstrap();
        let log = kafka.helper.read(&bootstrap, topic).unwrap();
        ledger.check_delivered(&log).unwrap();

        let incisions = scalpel.incisions() - incisions;
        let connections = scalpel.connections() - connections;
        println!("{topic} {incisions} times, {rounds} rounds, {connections} connections");
        if matches!(what, Incision::Wait(_)) {
            assert_eq!(connections, rounds, "a late byte is no reason for another connection");
        } else {
            // A connection may be cut, or stall, in both directions at once.
            assert!(2 * connections >= incisions, "{connections} after {incisions} incisions");
        }
    }
}

/// What shows that the cuts bite, and that a second copy would be seen.
fn the_same_without_sequences_writes_twice(kafka: &mut Cluster, scalpel: &Scalpel) {
    let topic = "twice";
    kafka.create_topic(topic, PARTITIONS.try_into().unwrap(), &[]).unwrap();
    scalpel.sweep(&[PRODUCE_ANSWERS], Incision::Cut, Bytes::Every);
    let (ledger, _) = rounds(scalpel, topic, ("enable.idempotence", "false"));
    let bootstrap = kafka.bootstrap();
    let log = kafka.helper.read(&bootstrap, topic).unwrap();
    assert!(log.len() > ledger.len(), "{} copies of {}", log.len(), ledger.len());
    ledger.check(&log).unwrap_err();
}

/// Several batches in flight, and requests of several partitions.
fn anywhere_under_load(kafka: &mut Cluster, scalpel: &Scalpel) {
    let seed = match std::env::var("KLAMM_SEED") {
        Ok(seed) => seed.parse().expect("KLAMM_SEED is a whole number"),
        Err(_) => 1,
    };
    println!("KLAMM_SEED={seed}; another one cuts elsewhere");
    let kinds = [PRODUCE_REQUESTS, PRODUCE_ANSWERS];
    for (topic, what, count, timeout_ms) in
        [("cut-load", Incision::Cut, 40, "10000"), ("stalled-load", Incision::Stall, 12, "250")]
    {
        kafka.create_topic(topic, PARTITIONS.try_into().unwrap(), &[]).unwrap();
        let load = Load::start(producer(scalpel, ("request.timeout.ms", timeout_ms)), topic, 100);
        let incisions = scalpel.incisions();
        scalpel.sweep(&kinds, what, Bytes::Anywhere { seed, count });
        load.wait_until("the sweep to come to its end", |_| scalpel.sweeping().is_empty()).unwrap();
        load.wait_for(1_000).unwrap();
        let ledger = load.finish().unwrap();
        let bootstrap = kafka.bootstrap();
        let log = kafka.helper.read(&bootstrap, topic).unwrap();
        ledger.check_delivered(&log).unwrap();
        println!("{topic} {} times, {} records", scalpel.incisions() - incisions, log.len());
    }
}

/// Until the sweep is over: a producer of its own writes a record to each partition.
fn rounds(scalpel: &Scalpel, topic: &str, option: (&str, &str)) -> (Ledger, u64) {
    let (mut ledger, mut rounds) = (Ledger::default(), 0);
    while !scalpel.sweeping().is_empty() {
        let producer = producer(scalpel, option);
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

fn producer(scalpel: &Scalpel, option: (&str, &str)) -> Producer {
    let address = scalpel.address();
    let options = [
        ("bootstrap.servers", &*address),
        ("linger.ms", "0"),
        ("reconnect.backoff.ms", "1"),
        ("reconnect.backoff.max.ms", "2"),
        ("retry.backoff.ms", "1"),
        ("retry.backoff.max.ms", "2"),
        option,
    ];
    Producer::from_properties(options).unwrap()
}
