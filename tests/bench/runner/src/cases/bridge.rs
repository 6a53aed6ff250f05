//! The bridge under load: idle WebSockets, what it adds to latency, what a record costs.

use super::{Case, Verdict};
use crate::bench::Bench;
use crate::chart::{Chart, bars};
use crate::results::{Row, Rows, figure};
use anyhow::{Context, Result, bail, ensure};
use klamm_interop::wait_until;
use serde::Deserialize;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

pub(super) const CASE: Case = Case {
    name: "bridge",
    title: "Web pages over a bridge",
    about: "A page is klamm's core over a WebSocket. Idle: the bridge's resident memory for each WebSocket (and its connection to \
            the broker), opened, used once and left alone. Even: records of 100 bytes, 1,000 a second, linger 0, for 15 s \
            after 2 s; latency from the moment at which a record was due, with the bridge between and, half a ms apart and in the same \
            thread, without. What the bridge adds to p99 is the mean of the rounds' differences. Full load: 8 \
            pages, or 8 HTTP connections with 100 records a request (KafkaJS's bridge checks no token and no rate), and the \
            bridge's own processor time.",
    fast: false,
    columns: &[figure::EACH, figure::P50, figure::P99, figure::PER_CORE, figure::RATE],
    measure,
    targets,
    charts,
};

const TOPIC: &str = "bridge";
/// For this topic, until 2100, signed with [`SECRET`].
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJiZW5jaCIsImF1ZCI6ImtsYW1tLWJyaWRnZSIsImV4cCI6NDEwMjQ0NDgwMCwidG9waWNzIjpbImJyaWRnZSJdfQ.5wlfHq0Veli6F_4XLab3lxIEc9WFio8782wMhjXdmCs";
const SECRET: &str = "a secret of no use to anybody else";

const IDLE: &str = "5,000 idle WebSockets";
const EVEN: &str = "1,000 records/s";
const FULL: &str = "full load";
const DIRECT: &str = "klamm, no bridge";
const KLAMM: &str = "klamm-bridge";
const KLAMM_POST: &str = "klamm-bridge, POST";
const KAFKAJS: &str = "a bridge with KafkaJS";

/// Ticks of a second in `/proc`: the same on every Linux.
const TICKS: f64 = 100.0;
/// `utime` among the fields behind the name's bracket; `stime` follows.
const UTIME: usize = 11;

/// What the load says at its end.
#[derive(Deserialize)]
struct Answer {
    acked: u64,
    seconds: f64,
    /// p50 and p99 of the direct way, and of the one over the bridge.
    #[serde(default)]
    latency_us: [[u64; 2]; 2],
}

/// A bridge that runs.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Waits until it listens.
    fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let server =
            Self { child: child.with_context(|| format!("cannot start {name}"))?, address };
        wait_until(&format!("{name} to listen"), || Ok(TcpStream::connect(address).is_ok()))?;
        Ok(server)
    }

    fn stat(&self, file: &str) -> Result<String> {
        Ok(fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?)
    }

    /// Bytes that are resident.
    fn resident(&self) -> Result<f64> {
        let status = self.stat("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmRSS")?;
        Ok(kib.parse::<f64>()? * 1_024.0)
    }

    /// Seconds of processor time until now.
    fn cpu(&self) -> Result<f64> {
        let stat = self.stat("stat")?;
        let (_, fields) = stat.rsplit_once(')').context("no name")?;
        let mut fields = fields.split_whitespace().skip(UTIME);
        let mut next = || fields.next().context("no time")?.parse::<f64>().context("no time");
        Ok((next()? + next()?) / TICKS)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// With room for everything: what it is measured by is no limit of its.
fn klamm_bridge(bench: &Bench<'_>, broker: &str) -> Result<Server> {
    let address = free()?;
    let mut command = Command::new(&bench.programs.bridge);
    for (name, value) in [
        ("listen", address.to_string().as_str()),
        ("kafka.bootstrap", broker),
        ("auth.allow-no-origin", "true"),
        ("auth.max-lifetime-s", "4000000000"),
        ("limits.per-address", "0"),
        ("limits.per-subject", "0"),
        ("limits.bytes-per-s", "0"),
        ("limits.records-per-s", "0"),
        ("log.level", "error"),
    ] {
        command.args([format!("--{name}"), value.to_owned()]);
    }
    command.env("KLAMM_BRIDGE_AUTH_KEYS", format!("[{{algorithm='HS256', secret='{SECRET}'}}]"));
    Server::start(&mut command, address)
}

fn kafkajs_bridge(bench: &Bench<'_>, broker: &str) -> Result<Server> {
    let address = free()?;
    let mut command = Command::new(&bench.programs.node);
    command.arg(bench.programs.node_peers.join("http-bridge.mjs"));
    command.args([broker, &address.port().to_string()]);
    Server::start(&mut command, address)
}

fn load(bench: &mut Bench<'_>, mode: &str, bridge: SocketAddr, count: u64) -> Result<Command> {
    let broker = bench.cluster(1)?.bootstrap();
    let mut command = Command::new(bench.programs.rust.join("bridge-load"));
    command.args([mode, &bridge.to_string(), &broker, TOPIC, TOKEN, &count.to_string()]);
    Ok(command)
}

/// To its end; what it says was written is in the topic.
fn run(bench: &mut Bench<'_>, mode: &str, address: SocketAddr, count: u64) -> Result<Answer> {
    let before = bench.records(1, TOPIC)?;
    let output = load(bench, mode, address, count)?.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "bridge-load {mode} ended with {}", output.status);
    let answer: Answer = serde_json::from_slice(&output.stdout)?;
    let stored = bench.records(1, TOPIC)? - before;
    ensure!(stored == answer.acked, "{mode}: {} acknowledged, {stored} stored", answer.acked);
    Ok(answer)
}

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let cluster = bench.cluster(1)?;
    cluster.create_topic(TOPIC, 6, &[])?;
    let broker = cluster.bootstrap();
    let mut idle = Row::new(IDLE, KLAMM);
    let mut even = [Row::new(EVEN, DIRECT), Row::new(EVEN, KLAMM)];
    let mut full = [Row::new(FULL, KLAMM), Row::new(FULL, KLAMM_POST), Row::new(FULL, KAFKAJS)];
    // The broker's JVM compiles.
    let server = klamm_bridge(bench, &broker)?;
    let count = bench.scaled(2_000_000);
    run(bench, "page", server.address, count)?;
    drop(server);
    for _ in 0..bench.rounds() {
        idle.push(figure::EACH, idle_memory(bench, &broker)?);

        let server = klamm_bridge(bench, &broker)?;
        let count = bench.scaled(15_000);
        let answer = run(bench, "even", server.address, count)?;
        for (row, latency) in even.iter_mut().zip(answer.latency_us) {
            let [p50, p99] = latency.map(|us| us as f64 / 1_000.0);
            row.push(figure::P50, p50);
            row.push(figure::P99, p99);
        }
        for (row, mode, count) in
            [(0, "page", bench.scaled(2_000_000)), (1, "post", bench.scaled(500_000))]
        {
            full_load(bench, &mut full[row], &server, mode, count)?;
        }
        drop(server);
        let server = kafkajs_bridge(bench, &broker)?;
        let count = bench.scaled(300_000);
        full_load(bench, &mut full[2], &server, "post", count)?;
    }
    bench.delete_topic(1, TOPIC)?;
    Ok(Rows([vec![idle], even.into(), full.into()].concat()))
}

/// The bridge's resident KiB for each.
fn idle_memory(bench: &mut Bench<'_>, broker: &str) -> Result<f64> {
    let count = bench.scaled(5_000);
    let server = klamm_bridge(bench, broker)?;
    let before = server.resident()?;
    let mut load = load(bench, "idle", server.address, count)?;
    let mut load = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(load.stdout.take().context("it has no output")?);
    let mut line = String::new();
    said.read_line(&mut line)?;
    let after = server.resident();
    // Its standard input ends; each WebSocket has to be there still.
    drop(load.stdin.take());
    said.read_to_string(&mut String::new())?;
    if !load.wait()?.success() || line.trim() != "open" {
        bail!("the idle WebSockets did not stay open");
    }
    Ok((after? - before) / 1_024.0 / count as f64)
}

fn full_load(
    bench: &mut Bench<'_>,
    row: &mut Row,
    server: &Server,
    mode: &str,
    count: u64,
) -> Result<()> {
    // Compilers and connections.
    run(bench, mode, server.address, count / 10)?;
    let before = server.cpu()?;
    let answer = run(bench, mode, server.address, count)?;
    let cpu = server.cpu()? - before;
    row.push(figure::PER_CORE, answer.acked as f64 / cpu.max(1.0 / TICKS));
    row.push(figure::RATE, answer.acked as f64 / answer.seconds);
    Ok(())
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let each = rows.get(IDLE, KLAMM, figure::EACH);
    let per_core = |client| rows.get(FULL, client, figure::PER_CORE);
    let least = per_core(KAFKAJS).map(|peer| 5.0 * peer);
    [
        Verdict::at_most("KiB of the bridge for an idle WebSocket", each, Some(24.0), ""),
        Verdict::at_most("ms that the bridge adds to p99", added(rows), Some(1.0), ""),
        Verdict::at_least(
            "records/s of a core of the bridge",
            per_core(KLAMM),
            least,
            ": five times a bridge with KafkaJS",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What p99 is more over the bridge than without, round by round, for a round's stalls hold up both; of that
/// the mean. 0 where it is no more.
fn added(rows: &Rows) -> Option<f64> {
    let p99 = |client| rows.rounds(EVEN, client, figure::P99);
    let (direct, bridged) = (p99(DIRECT)?, p99(KLAMM)?);
    let added: Vec<_> = direct.iter().zip(bridged).map(|(direct, all)| all - direct).collect();
    Some((added.iter().sum::<f64>() / added.len() as f64).max(0.0))
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![
        bars(rows, figure::P99, "lower is better"),
        bars(rows, figure::PER_CORE, "higher is better"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bridge_adds_is_counted_round_by_round() {
        let mut rows = Rows(vec![Row::new(EVEN, DIRECT), Row::new(EVEN, KLAMM)]);
        assert_eq!(added(&rows), None);
        for (direct, bridged) in [(1.0, 1.5), (9.0, 9.25), (2.0, 2.75)] {
            rows.0[0].push(figure::P99, direct);
            rows.0[1].push(figure::P99, bridged);
        }
        assert_eq!(added(&rows), Some(0.5));
        rows.0[1].push(figure::P99, 0.0);
        rows.0[0].push(figure::P99, 10.0);
        assert_eq!(added(&rows), Some(0.0));
    }
}
