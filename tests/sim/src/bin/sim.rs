//! Runs seeds of the simulator.
//!
//! ```text
//! sim --seeds 2000 [--from 1] [--threads 2]   many, until the first failure
//! sim --seeds 2000 --all                      many, and all that fail
//! sim --seed 1234 [--trace]                   one, with all that happens
//! ```

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use klamm_sim::simulator::run_seed;

const USAGE: &str = "usage: sim --seeds COUNT [--from SEED] [--threads COUNT] [--all]
       sim --seed SEED [--trace]";

#[derive(Debug)]
struct Options {
    seed: Option<u64>,
    seeds: u64,
    from: u64,
    threads: u64,
    all: bool,
    trace: bool,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    // A panic of the producer is reported with its seed; the default hook would print it twice.
    if !options.trace {
        std::panic::set_hook(Box::new(|_| ()));
    }
    match options.seed {
        Some(seed) => one(seed, options.trace),
        None => many(&options),
    }
}

fn options() -> Option<Options> {
    let mut options =
        Options { seed: None, seeds: 100, from: 1, threads: 2, all: false, trace: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--trace" => options.trace = true,
            "--all" => options.all = true,
            name => {
                let number = args.next()?.parse().ok()?;
                match name {
                    "--seed" => options.seed = Some(number),
                    "--seeds" => options.seeds = number,
                    "--from" => options.from = number,
                    "--threads" => options.threads = number,
                    _ => return None,
                }
            }
        }
    }
    Some(options)
}

fn one(seed: u64, trace: bool) -> ExitCode {
    match run_seed(seed, trace) {
        Ok(summary) => {
            println!("seed {seed}: {summary:?}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("seed {seed}: {what}");
            ExitCode::FAILURE
        }
    }
}

fn many(options: &Options) -> ExitCode {
    let next = AtomicU64::new(options.from);
    let end = options.from + options.seeds;
    let stop = AtomicBool::new(false);
    let failures: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());
    let records = AtomicU64::new(0);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    match run_seed(seed, false) {
                        Ok(summary) => {
                            records.fetch_add(summary.records, Ordering::Relaxed);
                        }
                        Err(what) => {
                            stop.store(!options.all, Ordering::Relaxed);
                            if let Ok(mut failures) = failures.lock() {
                                failures.push((seed, what));
                            }
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    for (seed, what) in &failures {
        eprintln!("seed {seed} failed: {what}");
        eprintln!("replay: cargo run -p klamm-sim --bin sim -- --seed {seed} --trace");
    }
    if !failures.is_empty() {
        return ExitCode::FAILURE;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (seeds, records) = (options.seeds, records.into_inner());
    let rate = options.seeds as f64 / seconds;
    println!("{seeds} seeds, {records} records, {seconds:.1} s, {rate:.0} seeds/s: no failure");
    ExitCode::SUCCESS
}
