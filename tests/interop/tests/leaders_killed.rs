//! Three nodes, whose leaders are killed and started again under a stream of records.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::feeder::Feeder;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::Faults;
use klamm_interop::process::Process;
use klamm_interop::run_dir::RunDir;
use klamm_interop::{klamm, setup};
use std::process::Stdio;

const TOPIC: &str = "leaders-killed";
const RECORDS: u64 = 300_000;
const PARTITIONS: u32 = 6;
const ROUNDS: u32 = 3;

#[test]
fn nothing_is_lost_twice_or_out_of_order() {
    let run = RunDir::new("leaders-killed").unwrap();
    let options = Options { nodes: 3, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    kafka.create_topic(TOPIC, PARTITIONS, &["min.insync.replicas=2"]).unwrap();
    let bootstrap = kafka.bootstrap();

    let arguments = ["-K", ":", "-X", "linger.ms=5", "-X", "request.timeout.ms=10000"];
    let mut command = klamm::produce(&bootstrap, TOPIC, &arguments).unwrap();
    command.stdin(Stdio::piped()).stdout(run.log("producer.out").unwrap());
    command.stderr(run.log("producer.err").unwrap());
    let mut producer = Process::start("klamm", &mut command).unwrap();
    // About 3,000 records a second: they keep coming while leaders are gone.
    let feeder = Feeder::start(producer.take_stdin().unwrap(), 10_000, Duration::from_millis(15));
    let part = RECORDS / u64::from(ROUNDS);
    for round in 0..ROUNDS {
        let first = u64::from(round) * part;
        feeder.open_to(first + part);
        feeder.wait_for(first + part / 10).unwrap();
        kill_a_leader(&mut kafka, &bootstrap, round % PARTITIONS);
        feeder.wait_for(first + part).unwrap();
    }
    feeder.finish().unwrap();
    let status = producer.wait().unwrap();

    let log = kafka.helper.read(&bootstrap, TOPIC).unwrap();
    let faults = Faults::find(&log, RECORDS).unwrap();
    assert!(faults.is_empty(), "{}: {faults:?}", faults.summary());
    assert!(status.success(), "not every record was acknowledged");
    run.done();
}

fn kill_a_leader(kafka: &mut Cluster, bootstrap: &str, partition: u32) {
    let leader = kafka.helper.leader(bootstrap, TOPIC, partition).unwrap();
    kafka.node(leader).unwrap().kill().unwrap();
    kafka.helper.wait_for_other_leader(bootstrap, TOPIC, partition, leader).unwrap();
    kafka.node(leader).unwrap().start().unwrap();
    kafka.helper.wait_in_sync(bootstrap, TOPIC, 3).unwrap();
}
