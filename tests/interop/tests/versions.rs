//! One node of each Kafka that klamm promises to work with: every acks level, codec and partitioner,
//! and a thousand partitions. What klamm reports is compared with what is read back.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::fmt::Write as _;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::ledger::Ledger;
use klamm_interop::load::Load;
use klamm_interop::log::StoredRecord;
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup::{self, KAFKA_VERSIONS};
use klamm_interop::{CODECS, PATIENCE, kcat, wait_until};
use klamm_std::{Producer, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Acks and idempotence: all that can be had together. Nothing comes last: a broker throws away what
/// nobody wants an answer to while it does not know yet that it leads, and who was answered knows.
const ACKS: [(&str, &str); 4] = [("all", "true"), ("all", "false"), ("1", "false"), ("0", "false")];

/// klamm's partitioners: the property that asks for it; the one of librdkafka, if there is one, that
/// puts keys into the same partitions; and whether records without a key go to several partitions.
const PARTITIONERS: [(&str, Option<&str>, bool); 14] = [
    ("partitioner=java", Some("murmur2_random"), true),
    ("partitioner=murmur2_random", Some("murmur2_random"), true),
    ("partitioner=murmur2", Some("murmur2"), false),
    ("partitioner=consistent_random", Some("consistent_random"), true),
    ("partitioner=consistent", Some("consistent"), false),
    ("partitioner=crc32", Some("consistent_random"), true),
    ("partitioner=fnv1a_random", Some("fnv1a_random"), true),
    ("partitioner=fnv1a", Some("fnv1a"), false),
    ("partitioner=few_connections", Some("murmur2_random"), true),
    ("partitioner.adaptive.partitioning.enable=true", Some("murmur2_random"), true),
    ("partitioner=random", None, true),
    ("partitioner=round_robin", None, true),
    ("partitioner=sticky", None, true),
    ("partitioner.ignore.keys=true", None, true),
];

#[test]
fn the_newest() {
    everything(KAFKA_VERSIONS[0]);
}

#[test]
fn the_last_3() {
    everything(KAFKA_VERSIONS[1]);
}

#[test]
fn before_kraft() {
    everything(KAFKA_VERSIONS[2]);
}

fn everything(version: &str) {
    let run = RunDir::new(&format!("kafka-{version}")).unwrap();
    let tools = setup::tools_of(version).unwrap();
    let options = Options { nodes: 1, ..Options::default() };
    let mut kafka = Cluster::start(&tools, &run, &options).unwrap();
    acks_and_codecs(&mut kafka);
    partitioners(&mut kafka, &run);
    a_topic_is_deleted_and_created_again(&mut kafka);
    a_thousand_partitions(&mut kafka);
    run.done();
}

/// One partition for each combination.
fn acks_and_codecs(kafka: &mut Cluster) {
    const RECORDS: u64 = 400;
    let cases: Vec<(&str, &str, &str)> = ACKS
        .iter()
        .flat_map(|&(acks, idempotent)| CODECS.map(|codec| (acks, idempotent, codec)))
        .collect();
    kafka.create_topic("matrix", u32::try_from(cases.len()).unwrap(), &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    let mut ledger = Ledger::default();
    for (partition, &(acks, idempotent, codec)) in (0..).zip(&cases) {
        let options = [("acks", acks), ("enable.idempotence", idempotent)];
        let producer =
            producer(&bootstrap, &[&options[..], &[("compression.type", codec)]].concat());
        for _ in 0..RECORDS {
            let number = u64::try_from(ledger.len()).unwrap();
            let value = number.to_string();
            let record = Record::value(value.as_bytes()).with_key(b"as alike as two peas in a pod");
            let delivery = producer.send_to_partition("matrix", partition, &record).unwrap();
            ledger.push(number, delivery);
        }
        assert_eq!(producer.close(PATIENCE).undelivered, [], "{acks} {idempotent} {codec}");
    }

    let log = read(kafka, "matrix", ledger.len());
    let summary = ledger.check_delivered(&log).unwrap();
    let unanswered = usize::try_from(RECORDS).unwrap() * CODECS.len();
    assert_eq!(summary.without_offset, unanswered, "only acks=0 has no offsets");
    for (partition, &(acks, idempotent, codec)) in (0..).zip(&cases) {
        let of_java: Vec<StoredRecord> =
            log.iter().filter(|record| record.partition == partition).cloned().collect();
        let of_kcat = kcat::read(&bootstrap, "matrix", partition).unwrap();
        assert!(of_kcat == of_java, "{acks} {idempotent} {codec}: kcat and Java disagree");
        let file = kafka.node(1).unwrap().log_file("matrix", partition);
        for batch in kafka.helper.dump(&file).unwrap() {
            let small = batch.codec == "none" && batch.count < 5;
            assert!(batch.valid && (batch.codec == codec || small), "{codec}: {batch:?}");
            let has_id = batch.producer_id >= 0;
            assert_eq!(has_id, idempotent == "true", "{acks} {idempotent}: {batch:?}");
        }
    }
}

/// All in one topic, one after the other: numbers tell them apart, ours and librdkafka's.
fn partitioners(kafka: &mut Cluster, run: &RunDir) {
    const KEYS: u64 = 300;
    let bootstrap = kafka.bootstrap();
    kafka.create_topic("partitioners", 7, &[]).unwrap();
    let mut ledger = Ledger::default();
    for (property, ..) in PARTITIONERS {
        // A sticky partition lasts for so many bytes.
        let options = [property.split_once('=').unwrap(), ("batch.size", "256")];
        let producer = producer(&bootstrap, &options);
        for number in 0..2 * KEYS {
            let key = key(number);
            let value = u64::try_from(ledger.len()).unwrap();
            let text = value.to_string();
            let mut record = Record::value(text.as_bytes());
            record.key = (number < KEYS).then_some(key.as_bytes());
            ledger.push(value, producer.send("partitioners", &record).unwrap());
        }
        assert_eq!(producer.close(PATIENCE).undelivered, []);
    }
    let log = read(kafka, "partitioners", ledger.len());
    ledger.check_delivered(&log).unwrap();
    let theirs = by_librdkafka(kafka, run, KEYS);

    for (ours, (property, librdkafka, spreads)) in (0..).zip(PARTITIONERS) {
        let ours = within(&log, ours * 2 * KEYS, 2 * KEYS);
        let without = ours.iter().filter(|record| record.key.is_none());
        let used: BTreeSet<u32> = without.map(|record| record.partition).collect();
        assert_eq!(used.len() > 1, spreads, "{property}: {used:?} without a key");
        if let Some(name) = librdkafka {
            assert_eq!(places(&ours), theirs[name], "{property} and librdkafka's {name}");
        }
    }
}

/// Where each of librdkafka's partitioners puts the same keys.
fn by_librdkafka(
    kafka: &mut Cluster,
    run: &RunDir,
    keys: u64,
) -> BTreeMap<&'static str, BTreeMap<Vec<u8>, u32>> {
    let names: BTreeSet<&str> = PARTITIONERS.iter().filter_map(|(_, name, _)| *name).collect();
    kafka.create_topic("librdkafka", 7, &[]).unwrap();
    for (first, name) in (0..).step_by(usize::try_from(keys).unwrap()).zip(&names) {
        let lines = (0..keys).fold(String::new(), |mut lines, number| {
            writeln!(lines, "{}:{}", key(number), first + number).unwrap();
            lines
        });
        let file = run.file(name);
        fs::write(&file, lines).unwrap();
        let property = format!("partitioner={name}");
        kcat::write(&kafka.bootstrap(), "librdkafka", &file, &property).unwrap();
    }
    let log = read(kafka, "librdkafka", names.len() * usize::try_from(keys).unwrap());
    (0..).zip(names).map(|(i, name)| (name, places(&within(&log, i * keys, keys)))).collect()
}

/// The records with the numbers from `first` on.
fn within(log: &[StoredRecord], first: u64, count: u64) -> Vec<StoredRecord> {
    let number = |record: &StoredRecord| -> u64 {
        core::str::from_utf8(record.value.as_deref().unwrap()).unwrap().parse().unwrap()
    };
    let within = |record: &&StoredRecord| (first..first + count).contains(&number(record));
    log.iter().filter(within).cloned().collect()
}

fn key(number: u64) -> String {
    format!("sensor-{}", number * 7_919)
}

/// The partition of each key.
fn places(log: &[StoredRecord]) -> BTreeMap<Vec<u8>, u32> {
    log.iter().filter_map(|record| Some((record.key.clone()?, record.partition))).collect()
}

/// Under load. The log that is there in the end has each record at most once, and once each that was
/// delivered and not written to an earlier incarnation. Where requests name topics (Kafka before 4.1)
/// a request may be refused by one incarnation and the next accepted by the other, which leaves the
/// first one's records without a number that they could have: they are reported, not lost in silence.
fn a_topic_is_deleted_and_created_again(kafka: &mut Cluster) {
    let bootstrap = kafka.bootstrap();
    let topic = "recreated";
    kafka.create_topic(topic, 3, &[]).unwrap();
    let load = Load::start(producer(&bootstrap, &[]), topic, 100);
    for _ in 0..3 {
        load.wait_for(1_000).unwrap();
        kafka.helper.delete_topic(&bootstrap, topic).unwrap();
        kafka.create_topic(topic, 3, &[]).unwrap();
    }
    load.wait_for(1_000).unwrap();
    let ledger = load.finish().unwrap();
    let log = kafka.helper.read(&bootstrap, topic).unwrap();
    let gone = ledger.check_recreated(&log).unwrap();
    assert!(gone > 0 && !log.is_empty(), "{gone} records in earlier incarnations");
}

fn a_thousand_partitions(kafka: &mut Cluster) {
    const PARTITIONS: u32 = 1_000;
    const ROUNDS: u64 = 3;
    kafka.create_topic("thousand", PARTITIONS, &[]).unwrap();
    let producer = producer(&kafka.bootstrap(), &[("batch.size", "4096")]);
    let topic = producer.topic("thousand").unwrap();
    assert_eq!(topic.partitions().unwrap(), 1_000);
    let mut ledger = Ledger::default();
    for round in 0..ROUNDS {
        for partition in 0..i32::try_from(PARTITIONS).unwrap() {
            let number = u64::try_from(ledger.len()).unwrap();
            let (key, value) = (key(number), number.to_string());
            let record = Record::value(value.as_bytes());
            // The first and the last round reach each partition, keys many of them.
            let delivery = if round == 1 {
                topic.send(&record.with_key(key.as_bytes()))
            } else {
                topic.send_to_partition(partition, &record)
            };
            ledger.push(number, delivery.unwrap());
        }
    }
    assert_eq!(producer.close(PATIENCE).undelivered, []);
    let log = read(kafka, "thousand", ledger.len());
    let summary = ledger.check_delivered(&log).unwrap();
    assert_eq!(summary.with_offset, log.len());
    let first = log.iter().filter(|record| record.offset == 0).count();
    assert_eq!(first, usize::try_from(PARTITIONS).unwrap(), "partitions that were written to");
}

fn producer(bootstrap: &str, options: &[(&str, &str)]) -> Producer {
    let servers = [("bootstrap.servers", bootstrap)];
    Producer::from_properties(servers.iter().chain(options).copied()).unwrap()
}

/// What is in a topic once so many records are: nobody says when records with acks=0 are there.
fn read(kafka: &mut Cluster, topic: &str, count: usize) -> Vec<StoredRecord> {
    let bootstrap = kafka.bootstrap();
    let mut log = Vec::new();
    wait_until(&format!("{count} records in {topic}"), || {
        log = kafka.helper.read(&bootstrap, topic)?;
        Ok(log.len() >= count)
    })
    .unwrap();
    log
}
