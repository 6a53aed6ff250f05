//! `cargo xtask fuzz`: libFuzzer on stable Rust. What `cargo fuzz` does with a nightly compiler's sanitizer
//! options is done here with LLVM's own, which every compiler has; without an address sanitizer, which safe code
//! does not need.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::setup;

/// Coverage by counters at every edge, and the operands of comparisons: what libFuzzer steers by.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    // With several units some edges would be counted in none of them.
    "-Ccodegen-units=1",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];

/// What the test command does is the same on each machine and in each run: so many inputs from this seed.
const SMOKE: &[&str] = &["-seed=1", "-runs=100000"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The target; all of them without it
    target: Option<String>,
    /// How long each one runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The seed; another one in each run without it
    #[arg(long)]
    seed: Option<u32>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let targets = targets(sh)?;
    let chosen = match &args.target {
        None => targets,
        Some(name) if targets.contains(name) => vec![name.clone()],
        Some(name) => bail!("no fuzz target is called `{name}`; there are {}", targets.join(", ")),
    };
    let mut how = vec![format!("-max_total_time={}", args.seconds)];
    how.extend(args.seed.map(|seed| format!("-seed={seed}")));
    let programs = build(sh)?;
    for target in chosen {
        // What was found before is where the next run begins.
        let corpus = format!("fuzz/corpus/{target}");
        sh.create_dir(&corpus)?;
        fuzz(sh, &programs, &target, Path::new(&corpus), &how)?;
    }
    Ok(())
}

pub(crate) fn smoke(sh: &Shell) -> Result<()> {
    let programs = build(sh)?;
    let how: Vec<String> = SMOKE.iter().copied().map(String::from).collect();
    for target in targets(sh)? {
        let corpus = sh.create_temp_dir()?;
        fuzz(sh, &programs, &target, corpus.path(), &how)?;
    }
    Ok(())
}

/// Builds all targets, and says where they are.
fn build(sh: &Shell) -> Result<String> {
    // libFuzzer itself is C++.
    setup::program(sh, "c++", "g++")?;
    let host = host(sh)?;
    let _dir = sh.push_dir("fuzz");
    // With --target the flags do not reach build scripts, which have no fuzzer to link to.
    cmd!(sh, "cargo build --release --bins --target {host} --target-dir target")
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .run()?;
    Ok(format!("fuzz/target/{host}/release"))
}

/// New inputs go to `corpus`; the checked-in seeds are only read.
fn fuzz(sh: &Shell, programs: &str, target: &str, corpus: &Path, how: &[String]) -> Result<()> {
    let artifacts = format!("fuzz/artifacts/{target}/");
    sh.create_dir(&artifacts)?;
    let output = cmd!(sh, "{programs}/{target} {corpus} fuzz/seeds/{target}")
        .args(how)
        .arg(format!("-artifact_prefix={artifacts}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"])
        .ignore_status()
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{target} failed; its input is in {artifacts}\n{log}");
    }
    // Of the rest, pages of recommendations for a dictionary.
    for line in
        log.lines().filter(|line| line.starts_with("INFO: Seed") || line.starts_with("stat::"))
    {
        println!("{target}: {line}");
    }
    Ok(())
}

/// The targets are the files of `fuzz/targets`.
fn targets(sh: &Shell) -> Result<Vec<String>> {
    let mut names: Vec<String> = sh
        .read_dir("fuzz/targets")?
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    Ok(names)
}

fn host(sh: &Shell) -> Result<String> {
    let version = cmd!(sh, "rustc -vV").quiet().read()?;
    match version.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("`rustc -vV` names no host"),
    }
}
