//! The producers that take part, and how one is run.

use crate::prepare::Programs;
use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use serde::Deserialize;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

/// A run that takes longer than that hangs.
const PATIENCE: Duration = Duration::from_secs(420);

/// A producer, in one of its ways to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) name: &'static str,
    program: Program,
    mode: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Program {
    Rust(&'static str),
    Go,
    Java,
    Node(&'static str),
}

const fn client(name: &'static str, program: Program, mode: &'static str) -> Client {
    Client { name, program, mode }
}

/// Many records a call, outcomes by batch.
pub(crate) const KLAMM: Client = client("klamm", Program::Rust("klamm"), "");
/// As [`KLAMM`], also at a rate: latency is not told then, and nothing allocated for a record.
pub(crate) const KLAMM_REPORTS: Client = client("klamm", Program::Rust("klamm"), "reports");
pub(crate) const KLAMM_POST: Client =
    client("klamm, a call a record", Program::Rust("klamm"), "post");
pub(crate) const KLAMM_HANDLES: Client =
    client("klamm, a handle a record", Program::Rust("klamm"), "handles");
pub(crate) const KLAMM_CALLBACKS: Client =
    client("klamm, a callback a record", Program::Rust("klamm"), "callbacks");
pub(crate) const KLAMM_LOCAL: Client =
    client("klamm, polled by the sender", Program::Rust("klamm"), "local");
pub(crate) const LIBRDKAFKA: Client = client("librdkafka", Program::Rust("librdkafka"), "");
pub(crate) const FRANZ_GO: Client = client("franz-go", Program::Go, "");
pub(crate) const JAVA: Client = client("Java", Program::Java, "");
pub(crate) const RSKAFKA: Client = client("rskafka", Program::Rust("rskafka"), "");
pub(crate) const KRAFKA: Client = client("krafka", Program::Rust("krafka"), "");

/// In Node: arrays of messages, a place in the log for each.
pub(crate) const NODE_KLAMM: Client = client("klamm", Program::Node("klamm"), "");
pub(crate) const NODE_KLAMM_POST: Client =
    client("klamm, a call a record", Program::Node("klamm"), "post");
pub(crate) const PLATFORMATIC: Client =
    client("@platformatic/kafka", Program::Node("platformatic"), "");
pub(crate) const PLATFORMATIC_AT_LEAST_ONCE: Client =
    client("@platformatic/kafka, not idempotent", Program::Node("platformatic"), "at-least-once");
pub(crate) const KAFKAJS: Client = client("KafkaJS", Program::Node("kafkajs"), "");

/// Everyone who has a partitioner, takes records one by one, and tells outcomes one by one.
pub(crate) const FULL: [Client; 4] = [KLAMM, LIBRDKAFKA, FRANZ_GO, JAVA];

/// What a producer printed at its end.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) version: String,
    pub(crate) warmup: u64,
    pub(crate) acked: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu_user: f64,
    pub(crate) cpu_system: f64,
    pub(crate) peak_rss: u64,
    /// p50, p99, p99.9, the most.
    pub(crate) latency_us: [u64; 4],
    pub(crate) idle_cpu: Option<f64>,
}

impl Answer {
    pub(crate) fn cpu_per_million(&self) -> f64 {
        (self.cpu_user + self.cpu_system) * 1e6 / self.acked.max(1) as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.acked as f64 / self.seconds
    }

    pub(crate) fn rss_mib(&self) -> f64 {
        self.peak_rss as f64 / 1_048_576.0
    }
}

/// A producer that runs.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    out: std::path::PathBuf,
    errors: std::path::PathBuf,
    begin: Instant,
}

impl Client {
    /// The word that `--peer` knows it by.
    pub(crate) fn word(self) -> &'static str {
        match self.program {
            Program::Rust(name) | Program::Node(name) => name,
            Program::Go => "franz-go",
            Program::Java => "java",
        }
    }

    /// Starts it with `name=value` arguments.
    pub(crate) fn start(
        self,
        programs: &Programs,
        scratch: &Path,
        arguments: &[(&str, String)],
    ) -> Result<Running> {
        let mut command = match self.program {
            Program::Rust(name) => Command::new(programs.rust.join(name)),
            Program::Go => Command::new(&programs.franz_go),
            // As kafka-producer-perf-test.sh starts it.
            Program::Java => {
                let mut java = Command::new("java");
                java.args(["-server", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"])
                    .arg("-cp")
                    .arg(format!("{}:{}/*", programs.classes.display(), programs.jars.display()))
                    .arg("Peer");
                java
            }
            Program::Node(name) => {
                let mut node = Command::new(&programs.node);
                node.arg(programs.node_peers.join("peer.mjs"));
                node.arg(programs.node_peers.join(format!("{name}.mjs")));
                node
            }
        };
        command.args(arguments.iter().map(|(name, value)| format!("{name}={value}")));
        if !self.mode.is_empty() {
            command.arg(format!("mode={}", self.mode));
        }
        // Files, not pipes: nobody reads them while the producer runs.
        let out = scratch.join(format!("{}.out", self.word()));
        let errors = scratch.join(format!("{}.err", self.word()));
        command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&errors)?);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Running { name: self.name, child, out, errors, begin: Instant::now() })
    }
}

impl Running {
    /// Whether it is still at work.
    pub(crate) fn is_at_work(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its answer.
    pub(crate) fn finish(mut self) -> Result<Answer> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if self.begin.elapsed() > PATIENCE {
                bail!("{} did not end in {} s", self.name, PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let errors = fs::read_to_string(&self.errors)?;
        let last: Vec<_> = errors.lines().rev().take(5).collect();
        ensure!(status.success(), "{} ended with {status}: {}", self.name, last.join(" / "));
        let out = fs::read_to_string(&self.out)?;
        let line = out.lines().last().with_context(|| format!("{} said nothing", self.name))?;
        serde_json::from_str(line).with_context(|| format!("{} said {line}", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
