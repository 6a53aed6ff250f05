//! `adapters/c/examples/posix/produce.c`, plain and with sanitizers, against the dev broker and Apache Kafka: read back
//! by kcat, every record once and in order. `KLAMM_C` names the folder with the programs, which `cargo xtask test --only
//! c` compiles.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::Faults;
use klamm_interop::process::Process;
use klamm_interop::run_dir::RunDir;
use klamm_interop::{kcat, klamm, ports, setup, wait_until};
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const RECORDS: u64 = 20_000;
/// So many that a broker can be killed in the middle.
const MANY: u64 = 500_000;
const PARTITIONS: u32 = 3;
const PROGRAMS: [&str; 2] = ["produce", "produce-sanitized"];

#[test]
fn a_c_program_writes_to_the_dev_broker() {
    let run = RunDir::new("c-dev-broker").unwrap();
    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let mut command = klamm::command(&["dev-broker", "--listen", &address]).unwrap();
    for topic in PROGRAMS {
        command.args(["--topic", &format!("{topic}:{PARTITIONS}")]);
    }
    command.stdout(run.log("dev-broker.log").unwrap());
    command.stderr(run.log("dev-broker.log").unwrap());
    let _broker = Process::start("klamm dev-broker", &mut command).unwrap();
    wait_until("the dev broker to listen", || Ok(TcpStream::connect(&address).is_ok())).unwrap();
    for program in PROGRAMS {
        write(&run, program, &address);
        check(program, &address, RECORDS);
    }
    run.done();
}

#[test]
fn a_c_program_writes_to_kafka_also_while_it_is_killed_and_started_again() {
    let run = RunDir::new("c-kafka").unwrap();
    let options = Options { nodes: 1, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    let bootstrap = kafka.bootstrap();
    for program in PROGRAMS {
        kafka.create_topic(program, PARTITIONS, &[]).unwrap();
        write(&run, program, &bootstrap);
        check(program, &bootstrap, RECORDS);
    }

    kafka.create_topic("killed", PARTITIONS, &[]).unwrap();
    let mut producer = start(&run, "produce-sanitized", &bootstrap, "killed", MANY);
    let logs: Vec<PathBuf> =
        (0..PARTITIONS).map(|p| kafka.node(1).unwrap().log_file("killed", p)).collect();
    let written = || {
        let size = |log: &PathBuf| fs::metadata(log).map_or(0, |metadata| metadata.len());
        Ok(logs.iter().any(|log| size(log) > 0))
    };
    wait_until("the first record", written).unwrap();
    // It waits in the middle of its work until the broker is gone.
    producer.freeze().unwrap();
    assert_eq!(producer.ended().unwrap(), None, "it had written everything before");
    kafka.node(1).unwrap().kill().unwrap();
    producer.thaw().unwrap();
    kafka.node(1).unwrap().start().unwrap();
    assert!(producer.wait().unwrap().success(), "see produce.log");
    check("killed", &bootstrap, MANY);
    run.done();
}

#[test]
fn what_is_wrong_is_said_on_one_line() {
    let out = Command::new(program("produce")).args(["no-port", "topic", "1"]).output().unwrap();
    assert!(!out.status.success());
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(said, "option out of range: bootstrap_servers\n");
}

fn write(run: &RunDir, name: &str, bootstrap: &str) {
    let status = start(run, name, bootstrap, name, RECORDS).wait().unwrap();
    assert!(status.success(), "{name}: {status}, see produce.log");
}

fn start(run: &RunDir, name: &str, bootstrap: &str, topic: &str, records: u64) -> Process {
    let mut command = Command::new(program(name));
    command.args([bootstrap, topic, &records.to_string()]).stdin(Stdio::null());
    command.stdout(run.log("produce.log").unwrap());
    command.stderr(run.log("produce.log").unwrap());
    Process::start(name, &mut command).unwrap()
}

fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("KLAMM_C").map_or_else(|| "target/c".into(), PathBuf::from);
    setup::repository().join(folder).join(name)
}

fn check(topic: &str, bootstrap: &str, records: u64) {
    let mut log = Vec::new();
    for partition in 0..PARTITIONS {
        log.extend(kcat::read(bootstrap, topic, partition).unwrap());
    }
    let faults = Faults::find(&log, records).unwrap();
    assert!(faults.is_empty(), "{topic}: {}", faults.summary());
    for record in &log {
        let number: u64 =
            str::from_utf8(record.value.as_deref().unwrap()).unwrap().parse().unwrap();
        assert_eq!(record.key, Some(format!("key-{}", number % 500).into_bytes()));
        assert_eq!(record.headers, [(b"made-by".to_vec(), Some(b"klamm.h".to_vec()))]);
        assert!(record.timestamp > 1_700_000_000_000, "{}", record.timestamp);
    }
}
