//! `klamm perf`: that it sends what it was told to, counts all of it, and says so. No figure of
//! time is looked at.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;
use std::net::TcpListener;

use klamm_sim::cluster::LoggedRecord;
use klamm_sim::dev_broker::DevBroker;
use serde_json::Value;

use crate::produce::broker;
use crate::{klamm, text};

fn logs(broker: &DevBroker) -> Vec<LoggedRecord> {
    broker.with(|cluster, _| {
        (0..3).flat_map(|partition| cluster.log("t", partition).collect::<Vec<_>>()).collect()
    })
}

fn json(args: &[&str]) -> Value {
    let output = klamm(args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON and nothing else")
}

#[test]
fn ck_24_every_record_is_in_the_log_and_in_the_figures() {
    let (broker, address) = broker();
    let args = [
        "perf",
        "-b",
        &address,
        "-t",
        "t",
        "--records",
        "30000",
        "--size",
        "120",
        "--keys",
        "50",
        "--json",
    ];
    let result = json(&args);
    let log = logs(&broker);
    assert_eq!(log.len(), 30_000);
    assert!(log.iter().all(|record| record.value.as_ref().is_some_and(|v| v.len() == 120)));
    let keys: BTreeSet<_> = log.iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys.len(), 50);
    let values: BTreeSet<_> = log.iter().map(|record| record.value.clone()).collect();
    assert!(values.len() > 1_000, "values differ: {}", values.len());
    assert_eq!(result["records_acknowledged"], 30_000);
    assert_eq!(result["failed"], 0);
    assert_eq!(result["latency_us"]["records"], 30_000, "every record has its latency");
    assert_eq!(result["latency_us"]["from"], "send");
    assert_eq!(result["size"], 120);
    assert_eq!(result["keys"], 50);
    assert_eq!(result["rate"], Value::Null);
    assert_eq!(result["own_broker"], false);
    assert_eq!(result["broker"], address.as_str());
}

#[test]
fn figures_agree_with_each_other() {
    let args = ["perf", "-t", "t", "-n", "5000", "--warmup", "1000", "--size", "10", "--json"];
    let result = json(&args);
    let number = |name: &str| result[name].as_f64().unwrap_or_else(|| panic!("{name}: {result}"));
    assert_eq!(result["records_acknowledged"], 5_000, "without the warm-up");
    assert_eq!(result["latency_us"]["records"], 5_000);
    let near = |one: f64, other: f64| (one - other).abs() <= other.abs() * 1e-6;
    assert!(near(number("records_per_second") * number("seconds"), 5_000.0), "{result}");
    assert!(near(number("mb_per_second") * number("seconds"), 0.05), "{result}");
    let cpu = number("cpu_user_seconds") + number("cpu_system_seconds");
    assert!(near(number("cpu_seconds_per_million") * 0.005, cpu), "{result}");
    assert!(number("peak_memory_bytes") > 1e6);
    assert!(number("batches") >= 1.0 && number("bytes") > 50_000.0);
    let latency = |name: &str| {
        result["latency_us"][name].as_u64().unwrap_or_else(|| panic!("{name}: {result}"))
    };
    let order = ["p50", "p90", "p99", "p99.9", "max"].map(latency);
    assert!(order.is_sorted() && order[0] > 0, "{order:?}");
    assert!(result["latency_us"]["mean"].is_number());
}

#[test]
fn with_a_rate_latency_counts_from_when_a_record_was_due() {
    let (broker, address) = broker();
    let args =
        ["perf", "-b", &address, "-t", "t", "-n", "300", "--rate", "3000", "--size", "8", "--json"];
    let result = json(&args);
    assert_eq!(logs(&broker).len(), 300);
    assert_eq!(result["rate"], 3_000);
    assert_eq!(result["latency_us"]["from"], "due");
    assert_eq!(result["latency_us"]["records"], 300);
    // The last record is due 299 / 3,000 of a second after the first: no run is shorter.
    assert!(result["seconds"].as_f64().expect("a number") >= 0.099, "{result}");
}

#[test]
fn threads_share_the_records() {
    for rate in [&[][..], &["--rate", "20000"]] {
        let (broker, address) = broker();
        // 16 bytes of letters: no value comes twice among 16,384.
        let args = [
            "perf",
            "-b",
            &address,
            "-t",
            "t",
            "-n",
            "10001",
            "--threads",
            "4",
            "--size",
            "16",
            "--json",
        ];
        let result = json(&[&args[..], rate].concat());
        assert_eq!(result["threads"], 4);
        assert_eq!(result["records_acknowledged"], 10_001);
        assert_eq!(result["latency_us"]["records"], 10_001);
        let log = logs(&broker);
        assert_eq!(log.len(), 10_001);
        let values: BTreeSet<_> = log.iter().map(|record| record.value.clone()).collect();
        assert_eq!(values.len(), 10_001, "every number is sent once");
    }
}

#[test]
fn what_waits_behind_a_stall_is_part_of_the_stall() {
    let (_broker, address) = broker();
    let args = [
        "perf",
        "-b",
        &address,
        "-t",
        "t",
        "-n",
        "200000",
        "--rate",
        "1000000000",
        "--size",
        "100",
        "-X",
        "buffer.memory=65536",
        "-X",
        "batch.size=4096",
        "--json",
    ];
    let result = json(&args);
    // All are due within 200 us, but no more than 600 fit into the memory at once. By Little's law
    // their mean time from acceptance is below 1 % of the whole run; from when they were due, it is
    // about half of it, or less where the machine was busy at the end.
    let took = result["seconds"].as_f64().expect("a number") * 1e6;
    let mean = result["latency_us"]["mean"].as_f64().expect("a number");
    assert!(mean > 0.08 * took, "{result}");
}

#[test]
fn a_table_for_people() {
    let args = ["perf", "-t", "t", "--records", "1000", "-z", "gzip", "--payload", "json"];
    let output = klamm(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = text(&output.stdout);
    assert!(table.starts_with("1,000 records of 100 bytes acknowledged in topic t in "), "{table}");
    for name in ["records/s", "MB/s", "p50", "p90", "p99", "p99.9", "max", "CPU", "peak memory"] {
        let line = table.lines().find(|line| line.trim_start().starts_with(name));
        assert!(
            line.is_some_and(|line| line.chars().any(|c| c.is_ascii_digit())),
            "{name}: {table}"
        );
    }
    assert!(table.contains("include the dev broker's"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert_eq!(text(&output.stderr).lines().count(), 1, "no progress bar without a terminal");
}

#[test]
fn payloads_compress_as_they_say() {
    let ratio = |kind: &str| {
        let args = ["perf", "-t", "t", "-n", "20000", "-z", "gzip", "--payload", kind, "--json"];
        json(&args)["ratio"].as_f64().expect("a number")
    };
    let (random, letters, readings) = (ratio("random"), ratio("letters"), ratio("json"));
    assert!(random < 1.15, "{random}");
    assert!((1.4..1.9).contains(&letters), "{letters}");
    assert!(readings > 2.5, "{readings}");
}

#[test]
fn records_too_large_are_refused_in_one_line() {
    let (_broker, address) = broker();
    let args = ["perf", "-b", &address, "-t", "t", "-n", "10", "--size", "2000000"];
    let output = klamm(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("klamm: record 1 not sent: record too large: 20000"), "{line}");
    assert!(line.contains("(topic t)"), "{line}");
}

#[test]
fn records_that_expire_are_no_success() {
    let (broker, address) = broker();
    broker.with(|cluster, now| {
        (0..3).for_each(|partition| cluster.depose("t", partition, now).expect("it has a leader"));
    });
    let soon =
        ["-X", "delivery.timeout.ms=500", "-X", "request.timeout.ms=400", "-X", "linger.ms=0"];
    for warmup in ["0", "10"] {
        let args = ["perf", "-b", &address, "-t", "t", "-n", "10", "--json", "--warmup", warmup];
        let output = klamm(&[&args[..], &soon].concat()).output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let line = text(&output.stderr);
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.contains("10 records not acknowledged in topic t; "), "{line}");
        assert!(line.contains("delivery timed out"), "{line}");
        if warmup == "0" {
            let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(result["records_acknowledged"], 0);
            assert_eq!(result["failed"], 10);
            assert_eq!(result["latency_us"]["records"], 0, "of delivered records only");
        } else {
            assert!(output.stdout.is_empty(), "nothing was measured: {output:?}");
        }
    }
}

#[test]
fn a_topic_that_does_not_come_is_one_line() {
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = mute.local_addr().expect("an address").to_string();
    let args = ["perf", "-b", &address, "-t", "t", "-n", "10", "-X", "max.block.ms=300"];
    let output = klamm(&args).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains("record 1 not sent: gave up after"), "{line}");
    drop(mute);
}
