//! `cargo xtask gates`: instructions of the core's operations, counted by valgrind's callgrind. What an operation costs
//! may not grow with the number of partitions, nor, unnoticed, with time: accepted counts are checked in.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use xshell::{Shell, cmd};

use crate::setup;

const COUNTS: &str = "tests/gates/counts.toml";
/// Partitions, and records in each batch. The first three differ in partitions alone.
const RUNS: [(u32, u32); 4] = [(10, 10), (1_000, 10), (10_000, 10), (6, 150)];
/// With more partitions an operation may take so many times what it takes with few.
const GROWTH_MAX: f64 = 1.15;
/// So many times what was accepted is still the same.
const SAME: f64 = 1.03;
/// The same with another compiler than the one that the counts were accepted with.
const SAME_ELSEWHERE: f64 = 1.25;
/// Which memcpy glibc takes must not depend on the processor.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";
/// Where functions of the binary are that stand for operations.
const PHASES: &str = "gates::phases::";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the counts as they are now into tests/gates/counts.toml
    #[arg(long)]
    accept: bool,
}

/// The checked-in file: instructions of an operation, by its name and the run's.
#[derive(Default, Deserialize, Serialize)]
struct Accepted {
    rustc: String,
    target: String,
    counts: BTreeMap<String, BTreeMap<String, f64>>,
}

type Counts = BTreeMap<String, BTreeMap<String, f64>>;

pub(crate) fn check(sh: &Shell) -> Result<()> {
    run(sh, &Args { accept: false })
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    setup::program(sh, "valgrind", "valgrind")?;
    cmd!(sh, "cargo build --release -p klamm-gates").run()?;
    let dir = sh.create_temp_dir()?;
    let mut counts = Counts::new();
    for (partitions, records) in RUNS {
        let run = name_of(partitions, records);
        for (phase, count) in count(sh, dir.path(), partitions, records)? {
            counts.entry(phase).or_default().insert(run.clone(), count);
        }
    }
    let (rustc, target) = toolchain(sh)?;
    if args.accept {
        let accepted = Accepted { rustc, target, counts };
        table(&accepted.counts, &Accepted::default());
        sh.write_file(COUNTS, toml::to_string(&accepted)?)?;
        println!("wrote {COUNTS}");
        return grown(&accepted.counts);
    }
    let accepted: Accepted = toml::from_str(&sh.read_file(COUNTS)?)
        .with_context(|| format!("{COUNTS} is not what `cargo xtask gates --accept` writes"))?;
    table(&counts, &accepted);
    grown(&counts)?;
    if accepted.target != target {
        println!("accepted on {}: absolute counts of {target} are not compared", accepted.target);
        return Ok(());
    }
    let limit = if accepted.rustc == rustc { SAME } else { SAME_ELSEWHERE };
    if accepted.rustc != rustc {
        println!(
            "accepted with {}, this is {rustc}: up to {limit} times is the same",
            accepted.rustc
        );
    }
    changed(&counts, &accepted.counts, limit)
}

/// Instructions of each operation in one run.
fn count(sh: &Shell, dir: &Path, partitions: u32, records: u32) -> Result<BTreeMap<String, f64>> {
    let binary = sh.current_dir().join("target/release/gates");
    let out = dir.join("callgrind.out");
    let (partitions, records) = (partitions.to_string(), records.to_string());
    let file = format!("--callgrind-out-file={}", out.display());
    let _tunables = sh.push_env("GLIBC_TUNABLES", TUNABLES);
    let operations = cmd!(
        sh,
        "valgrind -q --tool=callgrind {file} --compress-strings=no --compress-pos=no
            {binary} {partitions} {records}"
    )
    .read()?;
    let profile = sh.read_file(out)?;
    let instructions = instructions(&profile);
    let mut counts = BTreeMap::new();
    for line in operations.lines() {
        let (phase, operations) = line.split_once(' ').context("a line is a phase and a number")?;
        let instructions = instructions.get(phase).copied().unwrap_or_default();
        ensure!(instructions > 0, "callgrind has seen nothing of `{PHASES}{phase}`");
        #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
        let each = instructions as f64 / operations.parse::<u64>()? as f64;
        counts.insert(phase.to_owned(), (each * 10.0).round() / 10.0);
    }
    ensure!(!counts.is_empty(), "the binary says nothing");
    Ok(counts)
}

/// Instructions of each phase, those of the functions that it calls included, from callgrind's output: lines of a
/// position and a cost below the name of their function; what a call cost counts as one of them.
fn instructions(profile: &str) -> BTreeMap<&str, u64> {
    let mut found = BTreeMap::new();
    let mut phase = None;
    for line in profile.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            phase = name.strip_prefix(PHASES).map(|name| name.split("::").next().unwrap_or(name));
        } else if let Some(phase) = phase
            && line.starts_with(|first: char| first.is_ascii_digit())
            && let Some(cost) = line.split(' ').nth(1).and_then(|cost| cost.parse::<u64>().ok())
        {
            *found.entry(phase).or_default() += cost;
        }
    }
    found
}

fn name_of(partitions: u32, records: u32) -> String {
    format!("{partitions}x{records}")
}

fn toolchain(sh: &Shell) -> Result<(String, String)> {
    let said = cmd!(sh, "rustc -vV").quiet().read()?;
    let field = |name| said.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    field("release: ").zip(field("host: ")).context("`rustc -vV` names no release and host")
}

/// Prints the counts, those accepted below where they differ.
fn table(counts: &Counts, accepted: &Accepted) {
    let mut head = format!("{:<16}", "instructions");
    for (partitions, records) in RUNS {
        let _ = write!(head, "{:>12}", name_of(partitions, records));
    }
    println!("\n{head}   partitions x records a batch");
    for (phase, runs) in counts {
        let mut line = format!("{phase:<16}");
        for (partitions, records) in RUNS {
            let run = name_of(partitions, records);
            let count = runs.get(&run).copied().unwrap_or_default();
            let before = accepted.counts.get(phase).and_then(|runs| runs.get(&run));
            let mark = before.map_or("", |before| mark(count, *before));
            let _ = write!(line, "{:>12}", format!("{mark}{count:.1}"));
        }
        println!("{line}");
    }
    println!();
}

fn mark(count: f64, before: f64) -> &'static str {
    match count / before {
        more if more > SAME => "+",
        less if less < 1.0 / SAME => "-",
        _ => "",
    }
}

/// An error if an operation takes more with more partitions.
fn grown(counts: &Counts) -> Result<()> {
    let (few, many) = (name_of(RUNS[0].0, RUNS[0].1), &RUNS[1..3]);
    let mut grown = Vec::new();
    for (phase, runs) in counts {
        let Some(before) = runs.get(&few) else { continue };
        for run in many.iter().map(|(partitions, records)| name_of(*partitions, *records)) {
            let ratio = runs.get(&run).copied().unwrap_or_default() / before;
            if ratio > GROWTH_MAX {
                grown.push(format!("{phase}: {ratio:.2} times with {run}"));
            }
        }
    }
    ensure!(
        grown.is_empty(),
        "more than {GROWTH_MAX} times the instructions with more partitions: {}",
        grown.join(", ")
    );
    Ok(())
}

/// An error if an operation takes more than was accepted; what takes less is only worth a word.
fn changed(counts: &Counts, accepted: &Counts, limit: f64) -> Result<()> {
    let mut over = Vec::new();
    let mut less = false;
    for (phase, runs) in counts {
        for (run, count) in runs {
            let Some(before) = accepted.get(phase).and_then(|runs| runs.get(run)) else {
                over.push(format!("{phase} {run}: not in {COUNTS}"));
                continue;
            };
            if *count > before * limit {
                over.push(format!("{phase} {run}: {count:.1} instead of {before:.1}"));
            }
            less |= mark(*count, *before) == "-";
        }
    }
    let gone = accepted.keys().filter(|phase| !counts.contains_key(*phase));
    over.extend(gone.map(|phase| format!("{phase}: in {COUNTS} only")));
    ensure!(
        over.is_empty(),
        "more instructions than accepted: {}; where that is worth it: cargo xtask gates --accept",
        over.join(", ")
    );
    if less {
        println!("fewer than accepted (marked -): `cargo xtask gates --accept` keeps it so");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_its_own_instructions_and_those_of_its_calls() {
        let profile = "events: Ir\n\nfn=gates::main\n0 7\ncfn=gates::phases::append\ncalls=2 0 \n0 90\n\n\
                       fn=gates::phases::append\n0 10\ncob=libc.so\ncfn=klamm::send\ncalls=2 0 \n0 80\n3 5\n\n\
                       fn=klamm::send\n0 80\n\nfn=gates::phases::drain\n0 1\ntotals: 103\n";
        assert_eq!(instructions(profile), [("append", 95), ("drain", 1)].into());
    }

    fn counts(values: [f64; 4]) -> Counts {
        let runs = RUNS.map(|(partitions, records)| name_of(partitions, records));
        [("append".to_owned(), runs.into_iter().zip(values).collect())].into()
    }

    #[test]
    fn growth_with_partitions_is_an_error_and_other_batches_are_not() {
        assert!(grown(&counts([100.0, 114.0, 115.0, 900.0])).is_ok());
        for values in [[100.0, 116.0, 100.0, 1.0], [100.0, 100.0, 116.0, 1.0]] {
            assert!(grown(&counts(values)).is_err(), "{values:?}");
        }
    }

    #[test]
    fn growth_with_time_is_an_error_and_less_is_not() {
        let accepted = counts([100.0; 4]);
        for (last, ok) in [(103.0, true), (104.0, false), (50.0, true)] {
            let now = counts([100.0, 100.0, 100.0, last]);
            assert_eq!(changed(&now, &accepted, SAME).is_ok(), ok, "{last}");
        }
        assert!(changed(&accepted, &Counts::new(), SAME).is_err());
        assert!(changed(&Counts::new(), &accepted, SAME).is_err());
    }
}
