//! The machine, and the figures as a table and as JSON.

use crate::{CLIENTS, Case, PARTITIONS, SHARED, SIZE, finish};
use anyhow::Result;
use klamm_interop::klamm;
use klamm_interop::setup::Tools;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// What was measured where: names and texts.
pub(crate) fn machine(tools: &Tools) -> Result<Vec<(&'static str, String)>> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let kcat = finish(Command::new("kcat").arg("-V"))?;
    let librdkafka = kcat.split("librdkafka ").nth(1).and_then(|text| text.split(' ').next());
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let cores = std::thread::available_parallelism()?;
    Ok(vec![
        ("machine", format!("{model}, {cores} cores, shared with the broker")),
        ("load before", load()),
        ("klamm", first(&finish(Command::new(klamm::binary()?).arg("--version"))?)),
        ("Apache Kafka", format!("{}, one node", tools.version)),
        ("Java", first(&finish(Command::new("java").arg("-version"))?)),
        ("librdkafka", librdkafka.unwrap_or("unknown version").to_owned()),
    ])
}

/// The system's load average of the last minute: above the number of cores, processes wait.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(1).collect()
}

/// Geometric means over all rounds.
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) cpu_per_million: f64,
    /// In the log's files: shows who compressed and who had batches.
    pub(crate) bytes_per_record: f64,
}

impl Figures {
    /// Of values, in millions of bytes.
    fn mb_per_second(&self) -> f64 {
        self.per_second * SIZE as f64 / 1e6
    }
}

/// All that there is to say.
pub(crate) struct Report {
    /// Of [`machine`].
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) cases: [Case; 2],
    pub(crate) figures: [[Figures; 3]; 2],
    pub(crate) rounds: u32,
}

impl Report {
    pub(crate) fn print(&self) {
        for (name, text) in &self.machine {
            println!("{name}: {text}");
        }
        println!(
            "records: {SIZE} bytes of JSON, {PARTITIONS} partitions, {}; {} rounds",
            SHARED.join(", "),
            self.rounds
        );
        println!(
            "\n| | client | records/s | MB/s | CPU s per million | bytes stored | klamm: speed | klamm: CPU |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (case, figures) in self.cases.iter().zip(&self.figures) {
            let [klamm, ..] = figures;
            for (client, its) in CLIENTS.iter().zip(figures) {
                println!(
                    "| {} | {} | {:.0} | {:.1} | {:.2} | {:.0} | {:.2} x | {:.2} x |",
                    case.name,
                    client.program(),
                    its.per_second,
                    its.mb_per_second(),
                    its.cpu_per_million,
                    its.bytes_per_record,
                    klamm.per_second / its.per_second,
                    klamm.cpu_per_million / its.cpu_per_million,
                );
            }
        }
        println!();
        let [batched, single] = &self.figures;
        for (client, (batched, single)) in CLIENTS.iter().zip(batched.iter().zip(single)) {
            let gain = batched.per_second / single.per_second;
            println!("batching makes {} {gain:.1} times as fast", client.program());
        }
    }

    pub(crate) fn json(&self) -> Value {
        let machine = self.machine.iter().map(|(name, text)| ((*name).to_owned(), json!(text)));
        let rows = self.cases.iter().zip(&self.figures).flat_map(|(case, figures)| {
            CLIENTS.iter().zip(figures).map(|(client, its)| {
                json!({
                    "case": case.name,
                    "records": case.records,
                    "client": client.program(),
                    "records_per_second": its.per_second,
                    "mb_per_second": its.mb_per_second(),
                    "cpu_seconds_per_million": its.cpu_per_million,
                    "stored_bytes_per_record": its.bytes_per_record,
                    "klamm_speed_ratio": figures[0].per_second / its.per_second,
                    "klamm_cpu_ratio": figures[0].cpu_per_million / its.cpu_per_million,
                })
            })
        });
        json!({
            "machine": machine.collect::<serde_json::Map<_, _>>(),
            "record_bytes": SIZE,
            "partitions": PARTITIONS,
            "rounds": self.rounds,
            "figures": rows.collect::<Vec<_>>(),
        })
    }
}
