//! `cargo xtask bench`: klamm next to other producers, on Apache Kafka.
//!
//! Every producer is a program of its own (`../peers`) with the same arguments, the same records and
//! the same answer. This one starts the brokers, lets the producers take turns, checks what the
//! topics have, and writes `docs/benchmarks.json`, `.md`, the plots, and the README's figures.

mod bench;
mod cases;
mod chart;
mod clients;
mod content;
mod counting;
mod draw;
mod machine;
mod markdown;
mod prepare;
mod results;
mod values;

use anyhow::{Result, bail};
use bench::Bench;
use cases::{CASES, Case};
use clap::Parser;
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup::repository;
use results::{CaseResult, Results};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// Measures klamm and other producers side by side on Apache Kafka
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask bench")]
pub(crate) struct Args {
    /// Run only this case (may be given several times)
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Run only the main cases: ten minutes
    #[arg(long, conflicts_with = "case")]
    fast: bool,
    /// List the cases
    #[arg(long)]
    list: bool,
    /// Only klamm and this one: librdkafka, franz-go, java, rskafka, krafka, platformatic, kafkajs (may be
    /// given several times; klamm for none of them)
    #[arg(long, value_name = "NAME")]
    peer: Vec<String>,
    /// How often every producer has its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A hundredth of the records, one round: shows that everything works, measures nothing
    #[arg(long)]
    quick: bool,
    /// Measure nothing: make tables and plots of what was measured before
    #[arg(long)]
    render: bool,
    /// Where results go; by default docs/, and the README gets its figures, too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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
    if args.list {
        for case in CASES {
            println!("{:<24}{}{}", case.name, case.title, if case.fast { " (--fast)" } else { "" });
        }
        return Ok(());
    }
    let out = match (&args.out, args.quick) {
        (Some(out), _) => out.clone(),
        // No measurement gets into the documentation by accident.
        (None, true) => repository().join("target/bench/quick"),
        (None, false) => repository().join("docs"),
    };
    fs::create_dir_all(out.join("benchmarks"))?;
    let json = out.join("benchmarks.json");
    let mut results = Results::load(&json)?;
    if !args.render {
        measure(args, &chosen(args)?, &mut results, &json)?;
    }
    render(&results, &out)?;
    if args.out.is_none() && !args.quick {
        markdown::readme(&results, &repository().join("README.md"))?;
    }
    println!("{}", fs::read_to_string(out.join("benchmarks.md"))?);
    println!("written: {}/benchmarks.md", out.display());
    Ok(())
}

fn chosen(args: &Args) -> Result<Vec<&'static Case>> {
    if let Some(unknown) = args.case.iter().find(|name| CASES.iter().all(|it| it.name != **name)) {
        bail!("no case is called `{unknown}`; `cargo xtask bench --list` shows them");
    }
    let named = |case: &&Case| args.case.is_empty() || args.case.iter().any(|it| it == case.name);
    Ok(CASES.iter().filter(named).filter(|case| !args.fast || case.fast).collect())
}

fn measure(args: &Args, cases: &[&Case], results: &mut Results, json: &Path) -> Result<()> {
    let run = RunDir::new("bench")?;
    let programs = prepare::programs()?;
    let mut bench = Bench::new(args, programs, &run)?;
    let begin = Instant::now();
    for case in cases {
        eprintln!("{} ({:.0} s so far)", case.name, begin.elapsed().as_secs_f64());
        let mut machine = machine::describe();
        machine.push(("load before".into(), machine::load()));
        let rows = (case.measure)(&mut bench)?;
        machine.push(("load after".into(), machine::load()));
        machine.push(("at".into(), machine::now()));
        machine.extend(bench.programs.versions.clone());
        let versions = bench.versions.iter();
        machine.extend(versions.map(|(name, version)| ((*name).to_owned(), version.clone())));
        let rounds = rows.0.iter().flat_map(|row| row.figures.values()).map(Vec::len).max();
        let rounds = u32::try_from(rounds.unwrap_or_default())?;
        let result = CaseResult { machine, rounds, quick: args.quick, rows };
        results.cases.insert(case.name.into(), result);
        // What was measured stays measured, whatever comes next.
        results.save(json)?;
    }
    bench.stop_cluster();
    drop(bench);
    run.done();
    eprintln!("measured in {:.0} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// What is said of the machine; the rest are versions.
const FACTS: &[&str] = &["machine", "kernel", "load before", "load after", "at"];

fn render(results: &Results, out: &Path) -> Result<()> {
    for case in CASES {
        let Some(result) = results.cases.get(case.name) else { continue };
        let charts = (case.charts)(&result.rows);
        let (facts, versions): (Vec<_>, Vec<_>) = result
            .machine
            .iter()
            .map(|(name, text)| (FACTS.contains(&name.as_str()), name, text))
            .partition(|(fact, ..)| *fact);
        let join = |words: Vec<(bool, &String, &String)>| {
            let words = words.into_iter().map(|(fact, name, text)| {
                if fact && !name.starts_with("load") {
                    text.clone()
                } else {
                    format!("{name} {text}")
                }
            });
            words.collect::<Vec<_>>().join("; ")
        };
        let quick = if result.quick { "NO MEASUREMENT; " } else { "" };
        let notes = [format!("{quick}{}", join(facts)), join(versions)];
        let path = out.join(format!("benchmarks/{}.svg", case.name));
        draw::draw(&path, case.title, &notes, &charts)?;
    }
    markdown::page(results, &out.join("benchmarks.md"))
}
