//! What `klamm perf` prints: lines of a name and a figure each, or JSON.

use indicatif::{BinaryBytes, HumanCount};
use serde::Serialize;

use super::{Cost, Results};
use crate::args;
use crate::output::Lines;
use crate::progress::per_second;

/// The percentiles shown, and their names.
const PERCENTILES: [(f64, &str); 4] =
    [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9")];

/// All that there is to say.
pub(super) struct Run<'r> {
    pub(super) args: &'r args::Perf,
    pub(super) servers: &'r str,
    pub(super) own_broker: bool,
    pub(super) results: &'r Results,
    pub(super) cost: Cost,
    /// In bytes.
    pub(super) peak_memory: Option<u64>,
}

impl Run<'_> {
    /// Bytes of values acknowledged.
    fn value_bytes(&self) -> f64 {
        self.results.tally.total().records as f64 * f64::from(self.args.size)
    }

    fn seconds(&self) -> f64 {
        self.cost.took.as_secs_f64().max(1e-6)
    }

    /// Processor seconds per million records.
    fn cpu_per_million(&self) -> Option<f64> {
        let records = self.results.tally.total().records.max(1) as f64;
        Some(self.cost.cpu?.seconds() * 1e6 / records)
    }
}

/// One figure a line: it fits on the narrowest of terminals.
pub(super) fn text(run: &Run<'_>) -> String {
    let total = run.results.tally.total();
    let latencies = &run.results.latencies;
    let mut lines = Lines::default();
    lines.say(format_args!(
        "{} record{} of {} bytes acknowledged in topic {} in {:.2} s",
        HumanCount(total.records),
        if total.records == 1 { "" } else { "s" },
        run.args.size,
        run.args.topic,
        run.seconds(),
    ));
    lines.put("records/s", HumanCount(per_second(total.records as f64, run.cost.took)));
    lines.put("MB/s", format_args!("{:.2}", run.value_bytes() / 1e6 / run.seconds()));
    let since = if run.args.rate.is_some() { "from when it was due" } else { "from its sending" };
    lines.put("latency", since);
    for (percentile, name) in PERCENTILES {
        let micros = latencies.value_at_percentile(percentile);
        lines.put(&format!("  {name}"), Millis(micros));
    }
    lines.put("  max", Millis(latencies.max()));
    if let (Some(cpu), Some(per_million)) = (run.cost.cpu, run.cpu_per_million()) {
        let (user, system) = (cpu.user.as_secs_f64(), cpu.system.as_secs_f64());
        lines.put("CPU", format_args!("{:.3} s", cpu.seconds()));
        lines.put("  user", format_args!("{user:.3} s"));
        lines.put("  system", format_args!("{system:.3} s"));
        lines.put("  per million", format_args!("{per_million:.3} s"));
    }
    if let Some(bytes) = run.peak_memory {
        lines.put("peak memory", BinaryBytes(bytes));
    }
    lines.put("batches", HumanCount(total.batches));
    lines.put("  sent again", HumanCount(total.retries));
    lines.put("  ratio", format_args!("{:.2}", total.ratio()));
    if run.own_broker {
        lines.say("(CPU and memory include the dev broker's)");
    }
    lines.text()
}

/// Microseconds, shown as milliseconds.
struct Millis(u64);

impl core::fmt::Display for Millis {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03} ms", HumanCount(self.0 / 1_000), self.0 % 1_000)
    }
}

/// The result as one JSON object.
pub(super) fn json(run: &Run<'_>) -> String {
    let total = run.results.tally.total();
    let latencies = &run.results.latencies;
    let at = |percentile| latencies.value_at_percentile(percentile);
    let summary = Summary {
        topic: &run.args.topic,
        broker: run.servers,
        own_broker: run.own_broker,
        size: run.args.size,
        keys: run.args.keys,
        rate: run.args.rate,
        threads: run.args.threads,
        records_acknowledged: total.records,
        failed: run.results.tally.failed(),
        seconds: run.seconds(),
        records_per_second: total.records as f64 / run.seconds(),
        mb_per_second: run.value_bytes() / 1e6 / run.seconds(),
        latency_us: Latency {
            records: latencies.len(),
            from: if run.args.rate.is_some() { "due" } else { "send" },
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            max: latencies.max(),
            mean: latencies.mean(),
        },
        cpu_user_seconds: run.cost.cpu.map(|cpu| cpu.user.as_secs_f64()),
        cpu_system_seconds: run.cost.cpu.map(|cpu| cpu.system.as_secs_f64()),
        cpu_seconds_per_million: run.cpu_per_million(),
        peak_memory_bytes: run.peak_memory,
        batches: total.batches,
        bytes: total.bytes,
        plain_bytes: total.plain_bytes,
        ratio: total.ratio(),
        retries: total.retries,
    };
    // Maps with keys of strings and finite numbers always serialize.
    serde_json::to_string_pretty(&summary).unwrap_or_default()
}

#[derive(Serialize)]
struct Summary<'s> {
    topic: &'s str,
    broker: &'s str,
    own_broker: bool,
    size: u32,
    keys: Option<u32>,
    rate: Option<u64>,
    threads: u64,
    records_acknowledged: u64,
    failed: u64,
    seconds: f64,
    records_per_second: f64,
    mb_per_second: f64,
    latency_us: Latency,
    cpu_user_seconds: Option<f64>,
    cpu_system_seconds: Option<f64>,
    cpu_seconds_per_million: Option<f64>,
    peak_memory_bytes: Option<u64>,
    batches: u64,
    bytes: u64,
    plain_bytes: u64,
    ratio: f64,
    retries: u64,
}

/// Of delivered records, in microseconds.
#[derive(Serialize)]
struct Latency {
    /// How many were measured.
    records: u64,
    /// Since a record was due, or since it was sent.
    from: &'static str,
    p50: u64,
    p90: u64,
    p99: u64,
    #[serde(rename = "p99.9")]
    p99_9: u64,
    max: u64,
    mean: f64,
}
