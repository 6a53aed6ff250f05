//! `klamm produce`, with its own dev broker and with one whose logs the test looks into.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::TcpListener;
use std::path::PathBuf;

use klamm_sim::cluster::LoggedRecord;
use klamm_sim::dev_broker::{self, DevBroker, Options};
use serde_json::Value;

use crate::{klamm, text};

/// A broker in this process, with the topic `t`.
pub(crate) fn broker() -> (DevBroker, String) {
    let options = Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        topics: vec![("t".into(), 3)],
        ..Options::default()
    };
    let broker = DevBroker::start(options).expect("a free port");
    let address = broker.address().to_string();
    (broker, address)
}

fn log(broker: &DevBroker, partition: i32) -> Vec<LoggedRecord> {
    broker.with(|cluster, _| cluster.log("t", partition).collect())
}

fn pairs(log: &[LoggedRecord]) -> Vec<(Option<&str>, Option<&str>)> {
    fn utf8(bytes: &Option<impl AsRef<[u8]>>) -> Option<&str> {
        bytes.as_ref().map(|bytes| core::str::from_utf8(bytes.as_ref()).expect("UTF-8"))
    }
    log.iter().map(|record| (utf8(&record.key), utf8(&record.value))).collect()
}

fn readings() -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/readings.txt");
    root.display().to_string()
}

#[test]
fn the_readmes_first_command_with_a_broker_of_its_own() {
    let output =
        klamm(&["produce", "-t", "readings", "-K", ":", &readings()]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 1, "no progress bar without a terminal: {said}");
    assert!(said.starts_with("no broker named: using a dev broker of our own on 127.0.0.1:"));
    let table = text(&output.stdout);
    let total = table.lines().find(|line| line.trim_start().starts_with("total"));
    assert!(total.is_some_and(|line| line.contains(" 100,000 ")), "{table}");
    assert!(table.contains("first offset") && table.contains("ratio"), "{table}");
    assert!(table.contains("\n100,000 records acknowledged in topic readings"), "{table}");
}

#[test]
fn json_says_the_same_in_numbers() {
    let args = ["produce", "-t", "readings", "-K", ":", "-z", "gzip", "--json", &readings()];
    let output = klamm(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(summary["records_read"], 100_000);
    assert_eq!(summary["records_acknowledged"], 100_000);
    assert_eq!(summary["failed"], 0);
    assert!(summary["ratio"].as_f64().expect("a number") > 3.0);
    let partitions = summary["partitions"].as_array().expect("a list");
    assert_eq!(partitions.len(), 6);
    let mut sum = 0;
    for partition in partitions {
        let records = partition["records"].as_u64().expect("a number");
        assert_eq!(partition["first_offset"], 0);
        assert_eq!(partition["last_offset"], records - 1);
        assert!(partition["bytes"].as_u64() < partition["plain_bytes"].as_u64());
        sum += records;
    }
    assert_eq!(sum, 100_000);
}

#[test]
fn keys_nulls_and_headers_from_standard_input() {
    let (broker, address) = broker();
    let args = [
        "produce", "-b", &address, "-t", "t", "-K", ":", "-Z", "-p", "2", "-H", "unit=C", "-H",
        "empty=", "-H", "null",
    ];
    let input = "k:v:w\nk:\n:v\nno delimiter\n\nlast";
    klamm(&args).write_stdin(input).assert().code(0).stderr("");
    let log = log(&broker, 2);
    let expected = [
        (Some("k"), Some("v:w")),
        (Some("k"), None),
        (None, Some("v")),
        (None, Some("no delimiter")),
        (None, None),
        (None, Some("last")),
    ];
    assert_eq!(pairs(&log), expected);
    for record in &log {
        let headers: Vec<_> =
            record.headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
        let expected = [(&b"unit"[..], Some(&b"C"[..])), (b"empty", Some(b"")), (b"null", None)];
        assert_eq!(headers, expected);
    }
}

#[test]
fn without_z_empty_stays_empty_and_a_fixed_key_is_everybodys() {
    let (broker, address) = broker();
    let args = ["produce", "-b", &address, "-t", "t", "-p", "0", "-k", "key"];
    klamm(&args).write_stdin("a\n\n").assert().code(0);
    assert_eq!(pairs(&log(&broker, 0)), [(Some("key"), Some("a")), (Some("key"), Some(""))]);
    let args = ["produce", "-b", &address, "-t", "t", "-p", "1", "-K", "\\t"];
    klamm(&args).write_stdin("a\tb\n\tc\n").assert().code(0);
    assert_eq!(pairs(&log(&broker, 1)), [(Some("a"), Some("b")), (Some(""), Some("c"))]);
}

#[test]
fn several_files_and_standard_input_in_their_order() {
    let (broker, address) = broker();
    let dir = std::env::temp_dir().join(format!("klamm-cli-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let (one, two) = (dir.join("one"), dir.join("two"));
    std::fs::write(&one, "1\n2").expect("a file");
    std::fs::write(&two, "4\n").expect("a file");
    let (one, two) = (one.display().to_string(), two.display().to_string());
    let args = ["produce", "-b", &address, "-t", "t", "-p", "0", &one, "-", &two];
    klamm(&args).write_stdin("3").assert().code(0);
    std::fs::remove_dir_all(&dir).expect("it was there");
    let values: Vec<_> = ["1", "2", "3", "4"].map(|value| (None, Some(value))).to_vec();
    assert_eq!(pairs(&log(&broker, 0)), values);
}

#[test]
fn no_records_are_no_failure() {
    let (_broker, address) = broker();
    let args = ["produce", "-b", &address, "-t", "t", "--json"];
    let output = klamm(&args).write_stdin("").output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["records_acknowledged"], 0);
}

#[test]
fn a_broker_that_is_not_there_is_one_line_and_exit_code_1() {
    let address = dev_broker::nobody().expect("a free port").to_string();
    // Long enough for one attempt, however slow this machine is.
    let args = ["produce", "-b", &address, "-t", "t", "-X", "max.block.ms=3000"];
    let output = klamm(&args).write_stdin("a\n").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains("standard input:1: not sent: gave up after"), "{line}");
    assert!(line.contains(&format!("{address}: connection refused")), "{line}");
}

#[test]
fn records_that_expire_are_counted_with_their_reason() {
    let (broker, address) = broker();
    broker.with(|cluster, now| cluster.depose("t", 0, now).expect("it has a leader"));
    let args = [
        "produce",
        "-b",
        &address,
        "-t",
        "t",
        "-p",
        "0",
        "--json",
        "-X",
        "delivery.timeout.ms=500",
        "-X",
        "request.timeout.ms=400",
        "-X",
        "linger.ms=0",
    ];
    let output = klamm(&args).write_stdin("a\nb\n").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["records_read"], 2);
    assert_eq!(summary["records_acknowledged"], 0);
    assert_eq!(summary["failed"], 2);
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains("2 records not acknowledged in topic t"), "{line}");
    assert!(line.contains("delivery timed out"), "{line}");
}

#[test]
fn a_partition_that_is_not_there_is_named_before_anything_is_sent() {
    let (broker, address) = broker();
    let args = ["produce", "-b", &address, "-t", "t", "-p", "3"];
    let output = klamm(&args).write_stdin("a\n").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    let line = text(&output.stderr);
    assert_eq!(line, "klamm: topic t has no partition 3: it has 3 partitions, 0 to 2\n");
    let args = ["produce", "-b", &address, "-t", "t", "-p", "2"];
    klamm(&args).write_stdin("a").assert().code(0);
    assert_eq!(log(&broker, 2).len(), 1, "the last one is there");
}

#[test]
fn with_a_partition_as_without_a_topic_that_does_not_come_is_one_line() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let args = ["produce", "-b", &address, "-t", "t", "-p", "0", "-X", "max.block.ms=300"];
    let output = klamm(&args).write_stdin("a\n").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("klamm: nothing sent: gave up after "), "{line}");
    assert!(line.contains("(topic t)"), "{line}");
    drop(listener);
}

#[test]
fn an_oversize_line_is_named_and_what_came_before_it_is_sent() {
    let (broker, address) = broker();
    let long = "x".repeat(5_000);
    let args = [
        "produce",
        "-b",
        &address,
        "-t",
        "t",
        "-p",
        "0",
        "-X",
        "max.request.size=4096",
        "-X",
        "batch.size=4096",
    ];
    for newline in ["\n", ""] {
        let input = format!("1\n2\n{long}{newline}");
        let output = klamm(&args).write_stdin(input).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let line = text(&output.stderr);
        assert!(line.starts_with("klamm: standard input:3: not sent: "), "{line}");
        assert!(line.contains("4096") || line.contains("4,096"), "{line}");
        assert!(text(&output.stdout).contains("2 records acknowledged"));
    }
    assert_eq!(log(&broker, 0).len(), 4);
}
