//! One node behind a network that cuts connections in the midst of requests and stalls.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::feeder::Feeder;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::Faults as LogFaults;
use klamm_interop::process::Process;
use klamm_interop::proxy::{Faults, Proxy};
use klamm_interop::run_dir::RunDir;
use klamm_interop::{klamm, setup, wait_until};
use std::process::Stdio;

const TOPIC: &str = "rough-network";
const STEPS: u64 = 16;
const STEP: u64 = 2_500;

#[test]
fn every_record_is_there_once_and_in_order() {
    let run = RunDir::new(TOPIC).unwrap();
    let proxy = Proxy::start().unwrap();
    let ports = [proxy.port()];
    let options = Options { nodes: 1, advertised_ports: &ports, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    proxy.forward_to(kafka.node(1).unwrap().proxied_port());
    kafka.create_topic(TOPIC, 4, &[]).unwrap();

    let arguments = ["-K", ":", "-X", "linger.ms=2", "-X", "request.timeout.ms=2000"];
    let mut command = klamm::produce(&proxy.address(), TOPIC, &arguments).unwrap();
    command.stdin(Stdio::piped()).stdout(run.log("producer.out").unwrap());
    command.stderr(run.log("producer.err").unwrap());
    let mut producer = Process::start("klamm", &mut command).unwrap();
    let feeder = Feeder::start(producer.take_stdin().unwrap(), 500, Duration::from_millis(5));
    let mut records = 0;
    for step in 0..STEPS {
        records += STEP;
        if step % 4 == 3 {
            stall(&proxy, &feeder, records, step % 8 == 3);
        } else {
            records = cut(&proxy, &feeder, records, 20_000 + 1_237 * step);
        }
    }
    proxy.set(Faults::default());
    feeder.finish().unwrap();
    let status = producer.wait().unwrap();

    let bootstrap = kafka.bootstrap();
    let log = kafka.helper.read(&bootstrap, TOPIC).unwrap();
    let faults = LogFaults::find(&log, records).unwrap();
    assert!(faults.is_empty(), "{}: {faults:?}", faults.summary());
    assert!(status.success(), "not every record was acknowledged");
    run.done();
}

/// Cuts the present connection, if it is old enough, and each new one after so many bytes, which
/// is somewhere in a Produce request: nothing else that a producer sends is as large. Returns the
/// end of the records: there are more of them where the producer began a connection by itself.
fn cut(proxy: &Proxy, feeder: &Feeder, mut end: u64, bytes: u64) -> u64 {
    let cuts = proxy.cuts();
    let delay = Duration::from_millis(3);
    proxy.set(Faults { cut_after: Some(bytes), delay, ..Faults::default() });
    feeder.open_to(end);
    feeder.wait_for(end).unwrap();
    wait_until("a connection to be cut", || {
        if proxy.cuts() == cuts
            && feeder.written() == end
            && proxy.unanswered_produce_requests() == 0
        {
            end += STEP / 10;
            feeder.open_to(end);
        }
        Ok(proxy.cuts() > cuts)
    })
    .unwrap();
    feeder.wait_for(end).unwrap();
    end
}

/// Lets nothing pass in one direction until the producer has given the connection up for another.
fn stall(proxy: &Proxy, feeder: &Feeder, end: u64, answers: bool) {
    let connections = proxy.connections();
    let faults = Faults { stall_answers: answers, stall_requests: !answers, ..Faults::default() };
    proxy.set(faults);
    feeder.open_to(end);
    feeder.wait_for(end).unwrap();
    wait_until("another connection", || Ok(proxy.connections() > connections)).unwrap();
    proxy.set(Faults::default());
}
