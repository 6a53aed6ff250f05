//! `cargo xtask bench`: klamm next to Java's producer and librdkafka, on one Apache Kafka node.
//!
//! Clients take turns, and each is measured from outside in the same way: a run of a tenth of the
//! records is taken away from a run of all, so that what remains is the cost of records, not of
//! starting (a JVM takes longer for that than klamm for everything). All send the same records and
//! have the same options; every run has a new topic, whose end offsets must be the number of
//! records.

mod report;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup::{self, Tools};
use klamm_interop::{kcat, klamm};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use report::{Figures, Report};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

const PARTITIONS: u32 = 6;
/// More than `klamm perf` has different values.
const PAYLOADS: u64 = 4096;
const SIZE: u64 = 100;
const SHARED: [&str; 2] = ["acks=all", "enable.idempotence=true"];

/// Measures klamm, Java's producer and librdkafka side by side on Apache Kafka
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Args {
    /// How often every client has its turn
    #[arg(long, default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Records of a run with batches
    #[arg(long, default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1_000..))]
    records: u64,
    /// Records of a run with one record in a batch
    #[arg(long, default_value_t = 20_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1_000..))]
    single_records: u64,
    /// Write the result to this file, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Client {
    Klamm,
    Java,
    Librdkafka,
}

const CLIENTS: [Client; 3] = [Client::Klamm, Client::Java, Client::Librdkafka];

/// A way to send, in each client's own words.
struct Case {
    name: &'static str,
    records: u64,
    shared: &'static [&'static str],
    /// By client, as in [`CLIENTS`].
    own: [&'static str; 3],
}

/// What some records took.
struct Cost {
    seconds: f64,
    cpu: f64,
    /// In the log's files.
    bytes: f64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let cases = [
        Case {
            name: "lz4, linger 10 ms",
            records: args.records,
            shared: &["compression.type=lz4", "linger.ms=10"],
            own: ["batch.size=65536"; 3],
        },
        // A batch of klamm's and of Java's is full by bytes: no second record fits.
        Case {
            name: "no batching",
            records: args.single_records,
            shared: &["compression.type=none", "linger.ms=0"],
            own: ["batch.size=200", "batch.size=0", "batch.num.messages=1"],
        },
    ];
    let run = RunDir::new("bench")?;
    let mut bench = Bench::start(&run, args.records.max(args.single_records))?;
    let mut machine = report::machine(&bench.tools)?;
    let [batched, single] = &cases;
    let figures = [bench.case(batched, args.rounds)?, bench.case(single, args.rounds)?];
    machine.push(("load after", report::load()));
    let report = Report { machine, cases, figures, rounds: args.rounds };
    report.print();
    if let Some(path) = &args.json {
        fs::write(path, format!("{:#}\n", report.json()))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    drop(bench);
    run.done();
    Ok(())
}

struct Bench {
    tools: Tools,
    kafka: Cluster,
    bootstrap: String,
    /// Different values, a line each, for Java; and as many lines as records, for kcat.
    values: PathBuf,
    lines: PathBuf,
    topics: u32,
}

impl Bench {
    /// Starts the node, and has `klamm perf` make the records that all clients send.
    fn start(run: &RunDir, records: u64) -> Result<Self> {
        let tools = setup::tools_of(setup::NEWEST)?;
        let options = Options { nodes: 1, ..Options::default() };
        let mut kafka = Cluster::start(&tools, run, &options)?;
        let bootstrap = kafka.bootstrap();
        kafka.create_topic("values", 1, &[])?;
        let count = PAYLOADS.to_string();
        let mut perf = klamm::command(&["perf", "-b", &bootstrap, "-t", "values", "-n", &count])?;
        finish(perf.args(["-s", &SIZE.to_string(), "--payload", "json"]))?;
        let mut text = Vec::new();
        for record in kcat::read(&bootstrap, "values", 0)? {
            text.extend(record.value.context("a record without a value")?);
            text.push(b'\n');
        }
        let (values, lines) = (run.file("values.txt"), run.file("lines.txt"));
        fs::write(&values, &text)?;
        fs::write(&lines, text.repeat(usize::try_from(records.div_ceil(PAYLOADS))?))?;
        Ok(Self { tools, kafka, bootstrap, values, lines, topics: 0 })
    }

    /// One round more than asked for: the first one warms the broker up, and is forgotten.
    fn case(&mut self, case: &Case, rounds: u32) -> Result<[Figures; 3]> {
        let mut logs = [[0.0; 3]; 3];
        for round in 0..=rounds {
            let mut turns: Vec<_> = CLIENTS.into_iter().zip(case.own).zip(&mut logs).collect();
            // Whoever begins, begins on a broker that had a rest.
            turns.rotate_left(round as usize % CLIENTS.len());
            for ((client, own), log) in turns {
                let options = [&SHARED, case.shared, &[own]].concat();
                let start = self.measure(client, case.records / 10, &options)?;
                let all = self.measure(client, case.records, &options)?;
                let records = (case.records - case.records / 10) as f64;
                let (seconds, cpu) = (all.seconds - start.seconds, all.cpu - start.cpu);
                ensure!(seconds > 0.0 && cpu > 0.0, "too few records to measure: use --records");
                let figures =
                    [records / seconds, cpu * 1e6 / records, (all.bytes - start.bytes) / records];
                if round > 0 {
                    for (log, figure) in log.iter_mut().zip(figures) {
                        *log += figure.ln() / f64::from(rounds);
                    }
                }
                eprintln!(
                    "{}, round {round}, {}: {:.0} records/s, {:.3} CPU s per million",
                    case.name,
                    client.program(),
                    figures[0],
                    figures[1],
                );
            }
        }
        Ok(logs.map(|log| {
            let [per_second, cpu_per_million, bytes_per_record] = log.map(f64::exp);
            Figures { per_second, cpu_per_million, bytes_per_record }
        }))
    }

    fn measure(&mut self, client: Client, records: u64, options: &[&str]) -> Result<Cost> {
        self.topics += 1;
        let topic = format!("bench-{}", self.topics);
        self.kafka.create_topic(&topic, PARTITIONS, &[])?;
        let mut command = self.command(client, &topic, records, options)?;
        let (before, begin) = (children_cpu()?, Instant::now());
        finish(&mut command)?;
        let seconds = begin.elapsed().as_secs_f64();
        let cpu = children_cpu()? - before;
        let stored = end_offsets(&self.bootstrap, &topic)?;
        let program = client.program();
        ensure!(stored == records, "{program} was to write {records} records, {stored} are there");
        let mut bytes = 0;
        for partition in 0..PARTITIONS {
            bytes += fs::metadata(self.kafka.node(1)?.log_file(&topic, partition))?.len();
        }
        self.kafka.helper.delete_topic(&self.bootstrap, &topic)?;
        Ok(Cost { seconds, cpu, bytes: bytes as f64 })
    }

    fn command(
        &self,
        client: Client,
        topic: &str,
        records: u64,
        options: &[&str],
    ) -> Result<Command> {
        let (bootstrap, records) = (self.bootstrap.as_str(), records.to_string());
        let xs = options.iter().flat_map(|option| ["-X", option]);
        Ok(match client {
            Client::Klamm => {
                let mut perf =
                    klamm::command(&["perf", "-b", bootstrap, "-t", topic, "-n", &records])?;
                perf.args(["-s", &SIZE.to_string(), "--payload", "json", "--json"]).args(xs);
                perf
            }
            // As kafka-producer-perf-test.sh starts it; the other JVMs are kept small and simple.
            Client::Java => {
                let mut java = Command::new("java");
                java.args([
                    "-server",
                    "-Xmx512m",
                    "-XX:+UseG1GC",
                    "-XX:MaxGCPauseMillis=20",
                    "-cp",
                ])
                .arg(format!("{}/*", self.tools.libs.display()))
                .args(["org.apache.kafka.tools.ProducerPerformance", "--throughput", "-1"])
                .args(["--topic", topic, "--num-records", &records, "--payload-file"])
                .arg(&self.values)
                .args(["--bootstrap-server", bootstrap, "--command-property"])
                .args(options);
                java
            }
            Client::Librdkafka => {
                let mut kcat = Command::new("kcat");
                kcat.args(["-P", "-q", "-b", bootstrap, "-t", topic, "-c", &records])
                    .args(xs)
                    .stdin(File::open(&self.lines)?);
                kcat
            }
        })
    }
}

impl Client {
    const fn program(self) -> &'static str {
        match self {
            Self::Klamm => "klamm perf",
            Self::Java => "Java's producer-perf-test",
            Self::Librdkafka => "librdkafka (kcat -P)",
        }
    }
}

/// Runs a command that must succeed, and returns what it printed.
fn finish(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| format!("no `{name}`"))?;
    let errors = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "`{name}` ended with {}: {errors}", out.status);
    Ok(String::from_utf8_lossy(&out.stdout).into_owned() + &errors)
}

/// Seconds, user and system, of all processes that were waited for. The node is none of them.
fn children_cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// How many records a topic has, for it is new and nothing but records was written.
fn end_offsets(bootstrap: &str, topic: &str) -> Result<u64> {
    let mut query = Command::new("kcat");
    query.args(["-Q", "-b", bootstrap]);
    for partition in 0..PARTITIONS {
        query.args(["-t", &format!("{topic}:{partition}:-1")]);
    }
    let text = finish(&mut query)?;
    let offsets: Vec<u64> = text
        .lines()
        .filter_map(|line| line.rsplit_once("offset ")?.1.trim().parse().ok())
        .collect();
    ensure!(offsets.len() == PARTITIONS as usize, "kcat -Q {topic} said: {text}");
    Ok(offsets.iter().sum())
}
