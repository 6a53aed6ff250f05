//! The `klamm produce` command against Kafka: the checked-in readings, its options, its exit codes.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::feeder::Feeder;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::Faults;
use klamm_interop::process::Process;
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup::repository;
use klamm_interop::{kcat, klamm, ports, setup};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

fn start(run: &RunDir) -> Cluster {
    let options = Options { nodes: 1, ..Options::default() };
    Cluster::start(setup::tools().unwrap(), run, &options).unwrap()
}

#[test]
fn the_readings_arrive_in_order_and_compressed() {
    let run = RunDir::new("readings").unwrap();
    let mut kafka = start(&run);
    kafka.create_topic("readings", 4, &[]).unwrap();
    let file = repository().join("examples/readings.txt");
    let path = file.to_str().unwrap();
    let bootstrap = kafka.bootstrap();
    let arguments = ["-K", ":", "-z", "gzip", path];
    let command = klamm::produce(&bootstrap, "readings", &arguments).unwrap();
    klamm::run(command, None).unwrap().expect_success().unwrap();

    let lines = fs::read_to_string(&file).unwrap();
    let mut written: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in lines.lines() {
        let (key, value) = line.split_once(':').unwrap();
        written.entry(key).or_default().push(value);
    }
    assert_eq!(written.values().map(Vec::len).sum::<usize>(), 100_000);
    let log = kafka.helper.read(&bootstrap, "readings").unwrap();
    let mut read: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for record in &log {
        let (key, value) = (text(&record.key).unwrap(), text(&record.value).unwrap());
        read.entry(key).or_default().push(value);
    }
    // Offsets ascend within a partition, and a key has one partition.
    assert!(read == written, "{} of {} keys", read.len(), written.len());

    let mut stored = 0;
    for partition in 0..4 {
        let log = kafka.node(1).unwrap().log_file("readings", partition);
        for batch in kafka.helper.dump(&log).unwrap() {
            assert!(batch.valid && (batch.codec == "gzip" || batch.count < 5), "{batch:?}");
            stored += batch.size;
        }
    }
    assert!(stored < fs::metadata(&file).unwrap().len(), "{stored} bytes on disk");
    run.done();
}

#[test]
fn every_option_shows_in_the_log() {
    let run = RunDir::new("options").unwrap();
    let mut kafka = start(&run);
    let bootstrap = kafka.bootstrap();
    let cases: [(&str, &[&str], &str, Expected); 5] = [
        ("plain", &[], "a\nb:c\n", &[(None, Some("a")), (None, Some("b:c"))]),
        ("keyed", &["-K", ":"], "k:v:w\n:e\n", &[(Some("k"), Some("v:w")), (Some(""), Some("e"))]),
        (
            "fixed-key",
            &["-k", "same"],
            "a\nb",
            &[(Some("same"), Some("a")), (Some("same"), Some("b"))],
        ),
        ("nulls", &["-K", ":", "-Z"], "k:\nk:v\n", &[(Some("k"), None), (Some("k"), Some("v"))]),
        ("headers", &["-H", "a=1", "-H", "b=x=y", "-p", "0"], "v\n", &[(None, Some("v"))]),
    ];
    for (topic, options, input, expected) in cases {
        kafka.create_topic(topic, 1, &[]).unwrap();
        let file = run.file(topic);
        fs::write(&file, input).unwrap();
        let command = klamm::produce(&bootstrap, topic, options).unwrap();
        klamm::run(command, Some(&file)).unwrap().expect_success().unwrap();
        let java = kafka.helper.read(&bootstrap, topic).unwrap();
        assert_eq!(kcat::read(&bootstrap, topic, 0).unwrap(), java, "kcat and Java, {topic}");
        let read: Vec<_> = java.iter().map(|r| (text(&r.key), text(&r.value))).collect();
        assert_eq!(read, expected, "{topic}");
        let headers: Vec<_> = java.iter().flat_map(|r| &r.headers).cloned().collect();
        let pair = |name: &str, value: &str| (name.into(), Some(value.into()));
        let wanted =
            if topic == "headers" { vec![pair("a", "1"), pair("b", "x=y")] } else { vec![] };
        assert_eq!(headers, wanted, "{topic}");
    }
    run.done();
}

type Expected = &'static [(Option<&'static str>, Option<&'static str>)];

fn text(bytes: &Option<Vec<u8>>) -> Option<&str> {
    bytes.as_deref().map(|bytes| core::str::from_utf8(bytes).unwrap())
}

#[test]
fn failures_end_with_one_line_that_names_the_thing() {
    let run = RunDir::new("failures").unwrap();
    let mut kafka = start(&run);
    kafka.create_topic("exists", 2, &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    let file = run.file("input");
    fs::write(&file, "a\n").unwrap();
    let input = file.to_str().unwrap();
    let soon = ["-X", "max.block.ms=5000"];
    let produce = |bootstrap: &str, topic: &str, options: &[&str]| -> Command {
        let mut command = klamm::produce(bootstrap, topic, &["-X", "linger.ms=0"]).unwrap();
        command.args(options).arg(input);
        command
    };

    let line = klamm::run_to_failure(produce(&bootstrap, "no-such-topic", &soon)).unwrap();
    assert!(line.contains("no-such-topic"), "{line}");

    let line = klamm::run_to_failure(produce(&bootstrap, "exists", &["-p", "7"])).unwrap();
    assert!(line.contains("topic exists has no partition 7: it has 2 partitions"), "{line}");

    let line =
        klamm::run_to_failure(produce(&bootstrap, "exists", &["-X", "linger.msec=5"])).unwrap();
    assert!(line.contains("linger.msec"), "{line}");

    let nobody = format!("127.0.0.1:{}", ports::free().unwrap());
    let line = klamm::run_to_failure(produce(&nobody, "exists", &soon)).unwrap();
    assert!(line.contains(&nobody), "{line}");

    let large = run.file("large");
    fs::write(&large, "x".repeat(2_000_000)).unwrap();
    let command = klamm::produce(&bootstrap, "exists", &[large.to_str().unwrap()]).unwrap();
    let line = klamm::run_to_failure(command).unwrap();
    assert!(line.contains("1048576"), "the limit is not in: {line}");
    run.done();
}

#[test]
fn ctrl_c_sends_what_was_read_and_reports() {
    // More than a pipe holds, so most of it has been read when the signal comes.
    const RECORDS: u64 = 20_000;
    let run = RunDir::new("ctrl-c").unwrap();
    let mut kafka = start(&run);
    kafka.create_topic("stopped", 3, &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    let arguments = ["-K", ":", "--json", "-X", "linger.ms=60000"];
    let mut command = klamm::produce(&bootstrap, "stopped", &arguments).unwrap();
    command.stdin(Stdio::piped()).stdout(run.log("summary.json").unwrap());
    command.stderr(run.log("producer.err").unwrap());
    let mut producer = Process::start("klamm", &mut command).unwrap();
    let feeder = Feeder::start(producer.take_stdin().unwrap(), 100, Duration::ZERO);
    feeder.open_to(RECORDS);
    feeder.wait_for(RECORDS).unwrap();
    producer.interrupt().unwrap();
    assert!(producer.wait().unwrap().success(), "all that was read can be sent");
    feeder.finish().unwrap();

    let log = kafka.helper.read(&bootstrap, "stopped").unwrap();
    let sent = u64::try_from(log.len()).unwrap();
    assert!(sent > RECORDS / 2, "{sent} records");
    let faults = Faults::find(&log, sent).unwrap();
    assert!(faults.is_empty(), "not the first {sent} records: {}", faults.summary());
    let summary = fs::read_to_string(run.file("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["records_acknowledged"], sent);
    assert_eq!(summary["records_read"], sent);
    run.done();
}

/// The records that were acknowledged before a broker went for good are in the log; the others
/// fail when their time is up, and the command says so.
#[test]
fn records_without_a_broker_fail_in_their_time() {
    const RECORDS: u64 = 5_000;
    let run = RunDir::new("broker-gone").unwrap();
    let mut kafka = start(&run);
    kafka.create_topic("gone", 2, &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    let arguments = ["-K", ":", "-X", "delivery.timeout.ms=15000", "-X", "request.timeout.ms=5000"];
    let mut command = klamm::produce(&bootstrap, "gone", &arguments).unwrap();
    command.stdin(Stdio::piped()).stdout(run.log("producer.out").unwrap());
    command.stderr(run.log("producer.err").unwrap());
    let mut producer = Process::start("klamm", &mut command).unwrap();
    let feeder = Feeder::start(producer.take_stdin().unwrap(), 100, Duration::from_millis(5));
    feeder.open_to(RECORDS);
    feeder.wait_for(RECORDS / 2).unwrap();
    kafka.node(1).unwrap().kill().unwrap();
    // A command that stops reading after a failure is as good as one that reads on.
    let _ = feeder.finish();
    assert!(!producer.wait().unwrap().success(), "records without a broker are no success");
    let said = fs::read_to_string(run.file("producer.err")).unwrap();
    assert!(!said.trim().is_empty(), "klamm said nothing");

    kafka.node(1).unwrap().start().unwrap();
    kafka.wait_until_alive().unwrap();
    let log = kafka.helper.read(&bootstrap, "gone").unwrap();
    let faults = Faults::find(&log, RECORDS).unwrap();
    let twice_or_late = faults.duplicated.len() + faults.out_of_order.len();
    assert_eq!(twice_or_late, 0, "{}", faults.summary());
    assert!(!faults.lost.is_empty(), "the broker was gone, and yet nothing is missing");
    run.done();
}
