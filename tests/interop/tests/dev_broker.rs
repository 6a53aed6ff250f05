//! `klamm dev-broker`: other people's producers write to it, other people's consumers read it.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::fmt::Write as _;
use klamm_interop::helper::Helper;
use klamm_interop::log::{Faults, StoredRecord};
use klamm_interop::process::Process;
use klamm_interop::run_dir::RunDir;
use klamm_interop::{kcat, klamm, ports, setup, wait_until};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RECORDS: u64 = 20_000;
const PARTITIONS: u32 = 3;

#[test]
fn kafkas_producer_and_kcat_write_and_both_read_it_back() {
    let run = RunDir::new("dev-broker").unwrap();
    let tools = setup::tools().unwrap();
    let mut helper = Helper::start(&run).unwrap();
    let (_broker, address) = start(&run, &["java", "java-gzip", "kcat", "klamm"], &[]);
    let input = lines(&run);

    for (topic, codec) in [("java", "none"), ("java-gzip", "gzip")] {
        let mut java = tools.java(256);
        java.args(["Produce", &address, topic, ":", &format!("compression.type={codec}")]);
        pipe(&run, java, &input);
        check(&mut helper, &address, topic);
    }
    kcat::write(&address, "kcat", &input, "linger.ms=5").unwrap();
    check(&mut helper, &address, "kcat");
    let command = klamm::produce(&address, "klamm", &["-K", ":", "-z", "gzip"]).unwrap();
    pipe(&run, command, &input);
    check(&mut helper, &address, "klamm");
    run.done();
}

#[test]
fn what_was_acknowledged_outlives_a_killed_dev_broker() {
    let run = RunDir::new("dev-broker-dir").unwrap();
    let mut helper = Helper::start(&run).unwrap();
    let data = run.file("data");
    let folder = ["--dir", data.to_str().unwrap()];
    let (mut broker, address) = start(&run, &["kept"], &folder);
    kcat::write(&address, "kept", &lines(&run), "linger.ms=5").unwrap();
    broker.kill().unwrap();
    let (_broker, address) = start(&run, &["kept"], &folder);
    check(&mut helper, &address, "kept");
    run.done();
}

fn start(run: &RunDir, topics: &[&str], options: &[&str]) -> (Process, String) {
    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let mut command = klamm::command(&["dev-broker", "--listen", &address]).unwrap();
    for topic in topics {
        command.args(["--topic", &format!("{topic}:{PARTITIONS}")]);
    }
    command.args(options);
    command.stdout(run.log("dev-broker.log").unwrap());
    command.stderr(run.log("dev-broker.log").unwrap());
    let mut process = Process::start("klamm dev-broker", &mut command).unwrap();
    wait_until("the dev broker to listen", || {
        anyhow::ensure!(process.ended()?.is_none(), "the dev broker ended: see dev-broker.log");
        Ok(TcpStream::connect(&address).is_ok())
    })
    .unwrap();
    (process, address)
}

fn lines(run: &RunDir) -> PathBuf {
    let lines = (0..RECORDS).fold(String::new(), |mut lines, number| {
        writeln!(lines, "key-{}:{number}", number % 500).unwrap();
        lines
    });
    let file = run.file("lines");
    fs::write(&file, lines).unwrap();
    file
}

fn pipe(run: &RunDir, mut command: Command, input: &Path) {
    command.stdin(Stdio::from(fs::File::open(input).unwrap()));
    command.stdout(run.log("producers.log").unwrap());
    command.stderr(run.log("producers.log").unwrap());
    let status = Process::start("a producer", &mut command).unwrap().wait().unwrap();
    assert!(status.success(), "{status}: see producers.log");
}

fn check(helper: &mut Helper, address: &str, topic: &str) {
    let java = helper.read(address, topic).unwrap();
    let faults = Faults::find(&java, RECORDS).unwrap();
    assert!(faults.is_empty(), "{topic}: {}", faults.summary());
    for partition in 0..PARTITIONS {
        let of_java: Vec<StoredRecord> =
            java.iter().filter(|record| record.partition == partition).cloned().collect();
        let of_kcat = kcat::read(address, topic, partition).unwrap();
        assert!(of_kcat == of_java, "{topic}-{partition}: kcat and Java's consumer disagree");
    }
}
