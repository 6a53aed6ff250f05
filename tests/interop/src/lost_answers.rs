//! The staging of lost answers, the same for whichever producer: several batches are in flight,
//! their answers are lost, the broker is killed and started again, three times.
//!
//! The broker remembers five batches of a producer, of which a restart forgets all but the last. To
//! the first lost batch it then answers `OUT_OF_ORDER_SEQUENCE_NUMBER`, though it has it; a producer
//! that takes this for "not stored" and sends the batch under a new epoch writes it twice.

use crate::feeder::Feeder;
use crate::kafka::{Cluster, Options};
use crate::log::Faults as LogFaults;
use crate::process::Process;
use crate::proxy::{Faults, Proxy};
use crate::run_dir::RunDir;
use crate::setup::Tools;
use anyhow::{Result, ensure};
use core::time::Duration;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// The topic that is written.
pub const TOPIC: &str = "lost-answers";
/// Records written.
pub const RECORDS: u64 = 60_000;

const PARTITIONS: u32 = 3;
const ROUNDS: u64 = 3;

/// How a producer came through.
#[derive(Debug)]
pub struct Outcome {
    /// How the producer ended.
    pub status: ExitStatus,
    /// What is wrong with the log.
    pub log: LogFaults,
}

/// Runs `producer(bootstrap)`, which reads lines `key:value` from its standard input and writes them
/// to [`TOPIC`], through three rounds of lost answers, and reads the log back.
///
/// # Errors
/// If something else than the producer fails, or the producer had fewer than two batches in flight
/// when the answers were lost, so that the run would prove nothing.
pub fn run(
    tools: &Tools,
    dir: &RunDir,
    producer: impl FnOnce(&str) -> Result<Command>,
) -> Result<Outcome> {
    let proxy = Proxy::start()?;
    let ports = [proxy.port()];
    let options = Options { nodes: 1, advertised_ports: &ports, ..Options::default() };
    let mut kafka = Cluster::start(tools, dir, &options)?;
    proxy.forward_to(kafka.node(1)?.proxied_port());
    kafka.create_topic(TOPIC, PARTITIONS, &[])?;

    let mut command = producer(&proxy.address())?;
    command.stdin(Stdio::piped()).stdout(dir.log("producer.out")?).stderr(dir.log("producer.err")?);
    let mut process = Process::start("the producer", &mut command)?;
    let feeder = Feeder::start(process.take_stdin()?, 1_000, Duration::from_millis(5));
    let part = RECORDS / ROUNDS;
    for round in 0..ROUNDS {
        lose_answers(&mut kafka, &proxy, &feeder, round * part, (round + 1) * part)?;
    }
    feeder.finish()?;
    let status = process.wait()?;
    let bootstrap = kafka.bootstrap();
    let log = kafka.helper.read(&bootstrap, TOPIC)?;
    Ok(Outcome { status, log: LogFaults::find(&log, RECORDS)? })
}

/// One round, with the records `first .. end`: some pass, some lose their answers, the others come
/// while the broker is down and after.
fn lose_answers(
    kafka: &mut Cluster,
    proxy: &Proxy,
    feeder: &Feeder,
    first: u64,
    end: u64,
) -> Result<()> {
    let some = (end - first) / 3;
    let passed = proxy.produce_requests();
    feeder.open_to(first + some);
    feeder.wait_for(first + some)?;
    // Until the first success after a fault a producer may have one request in flight only.
    let mut calm = Calm::new(3);
    crate::wait_until("these to be acknowledged", || {
        let now = proxy.produce_requests();
        let is_idle = now > passed && proxy.unanswered_produce_requests() == 0;
        Ok(calm.lasts(now) && is_idle)
    })?;

    let swallowed = proxy.swallowed_produce_answers();
    proxy.set(Faults { swallow_answers: true, ..Faults::default() });
    feeder.open_to(end);
    // No producer has more than five requests in flight here; one with fewer stops before.
    let mut calm = Calm::new(10);
    let mut lost = 0;
    crate::wait_until("the producer to wait for its answers", || {
        lost = proxy.swallowed_produce_answers() - swallowed;
        Ok(calm.lasts(lost + proxy.produce_requests()) && lost > 0 || lost >= 5)
    })?;
    ensure!(lost >= 2, "only {lost} batches in flight lost their answers");
    kafka.node(1)?.kill()?;
    proxy.set(Faults::default());
    kafka.node(1)?.start()?;
    kafka.wait_until_alive()?;
    feeder.wait_for(end)
}

/// A number that stays the same for so many seconds. A producer on a busy machine may pause for one.
struct Calm {
    seconds: u64,
    last: u64,
    since: Instant,
}

impl Calm {
    fn new(seconds: u64) -> Self {
        Self { seconds, last: u64::MAX, since: Instant::now() }
    }

    fn lasts(&mut self, now: u64) -> bool {
        if now != self.last {
            (self.last, self.since) = (now, Instant::now());
        }
        self.since.elapsed() >= Duration::from_secs(self.seconds)
    }
}
