//! Ctrl-C, which is SIGINT, and the dev broker, which ends by it.

use core::net::SocketAddr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use std::thread;

use klamm_sim::dev_broker::DevBroker;
use serde_json::Value;

use crate::klamm;
use crate::produce::broker;

/// The command in the background.
fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// A dev broker and its address.
fn dev_broker(more: &[&str]) -> (Child, String) {
    let mut args = vec!["dev-broker", "--listen", "127.0.0.1:0", "--topic", "t:2"];
    args.extend(more);
    let mut child = start(&args);
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("a line");
    let address = line.strip_prefix("dev broker on ").and_then(|rest| rest.split(',').next());
    let address = address.expect("the address").to_owned();
    address.parse::<SocketAddr>().expect("host:port");
    (child, address)
}

fn produce(address: &str, input: &str) -> Value {
    let args = ["produce", "-b", address, "-t", "t", "-p", "0", "--json"];
    let output = klamm(&args).write_stdin(input).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Waits until the broker has this many records.
fn wait_for(broker: &DevBroker, records: u64) {
    while broker.with(|cluster, _| cluster.stats().records) < records {
        thread::yield_now();
    }
}

#[test]
fn ctrl_c_ends_a_stream_and_reports_it() {
    let (broker, address) = broker();
    let mut child = start(&["produce", "-b", &address, "-t", "t", "--json"]);
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"1\n2\n").expect("it reads");
    wait_for(&broker, 2);
    interrupt(&child);
    let mut summary = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut summary).expect("a summary");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["records_acknowledged"], 2);
}

#[test]
fn ctrl_c_before_the_end_of_a_file_is_no_success() {
    let (broker, address) = broker();
    // A named pipe: a file whose end the test decides upon.
    let pipe = std::env::temp_dir().join(format!("klamm-pipe-{}", std::process::id()));
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let path = pipe.display().to_string();
    let child = start(&["produce", "-b", &address, "-t", "t", &path]);
    let mut input = File::create(&pipe).expect("the command has it open as well");
    input.write_all(b"1\n").expect("it reads");
    wait_for(&broker, 1);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    std::fs::remove_file(&pipe).expect("it was made");
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(line, "klamm: interrupted: the rest of the input was not read\n");
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(table.contains("\n1 record acknowledged in topic t"), "{table}");
}

#[test]
fn ctrl_c_ends_a_measurement_and_reports_what_there_was() {
    let (broker, address) = broker();
    let args = ["perf", "-b", &address, "-t", "t", "-n", "1000000000", "--rate", "2000", "--json"];
    let child = start(&args);
    wait_for(&broker, 10);
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(line, "klamm: interrupted: fewer than 1000000000 records were sent\n");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let acknowledged = result["records_acknowledged"].as_u64().expect("a number");
    assert!(acknowledged >= 10, "{result}");
    assert_eq!(broker.with(|cluster, _| cluster.stats().records), acknowledged);
    assert_eq!(result["latency_us"]["records"], acknowledged);
}

#[test]
fn a_dev_broker_with_a_directory_remembers() {
    let dir = std::env::temp_dir().join(format!("klamm-dev-broker-{}", std::process::id()));
    let path = dir.display().to_string();
    for round in 0..2 {
        let (mut broker, address) = dev_broker(&["--dir", &path]);
        let summary = produce(&address, "a\nb\nc\n");
        assert_eq!(summary["partitions"][0]["first_offset"], round * 3);
        interrupt(&broker);
        assert_eq!(broker.wait().expect("it ends").code(), Some(0));
    }
    std::fs::remove_dir_all(&dir).expect("it was written");
}

#[test]
fn a_port_that_is_taken_is_one_line_and_exit_code_1() {
    let (mut broker, address) = dev_broker(&[]);
    let output = klamm(&["dev-broker", "--listen", &address]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(line.lines().count(), 1);
    assert!(line.contains(&address) && line.contains("in use"), "{line}");
    interrupt(&broker);
    assert_eq!(broker.wait().expect("it ends").code(), Some(0));
}

/// As soon as it has said where it is.
#[test]
fn ctrl_c_ends_a_dev_broker_that_has_just_started() {
    for _ in 0..20 {
        let (mut broker, _) = dev_broker(&[]);
        interrupt(&broker);
        assert_eq!(broker.wait().expect("it ends").code(), Some(0));
    }
}
