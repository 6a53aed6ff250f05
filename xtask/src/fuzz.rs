//! `cargo xtask fuzz`: libFuzzer on stable Rust. What `cargo fuzz` does with a nightly compiler's sanitizer
//! options is done here with LLVM's own, which every compiler has; without an address sanitizer, which safe code
//! does not need.

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

const SMOKE_SECONDS: u32 = 8;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The target; all of them without it
    target: Option<String>,
    /// How long each one runs
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    // libFuzzer itself is C++.
    setup::program(sh, "c++", "g++")?;
    let targets = targets(sh)?;
    let chosen = match &args.target {
        None => targets,
        Some(name) if targets.contains(name) => vec![name.clone()],
        Some(name) => bail!("no fuzz target is called `{name}`; there are {}", targets.join(", ")),
    };

    let _dir = sh.push_dir("fuzz");
    let host = host(sh)?;
    // With --target the flags do not reach build scripts, which have no fuzzer to link to.
    cmd!(sh, "cargo build --release --bins --target {host} --target-dir target")
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .run()?;
    for target in chosen {
        fuzz(sh, &host, &target, args.seconds)?;
    }
    Ok(())
}

pub(crate) fn smoke(sh: &Shell) -> Result<()> {
    run(sh, &Args { target: None, seconds: SMOKE_SECONDS })
}

fn fuzz(sh: &Shell, host: &str, target: &str, seconds: u32) -> Result<()> {
    let corpus = format!("corpus/{target}");
    let artifacts = format!("artifacts/{target}/");
    sh.create_dir(&corpus)?;
    sh.create_dir(&artifacts)?;
    // New inputs go to the first directory; the checked-in seeds are only read.
    let output = cmd!(sh, "target/{host}/release/{target} {corpus} seeds/{target}")
        .args([format!("-max_total_time={seconds}"), format!("-artifact_prefix={artifacts}")])
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"])
        .ignore_status()
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{target} failed; its input is in fuzz/{artifacts}\n{log}");
    }
    // Of the rest, pages of recommendations for a dictionary.
    for line in log.lines().filter_map(|line| line.strip_prefix("stat::")) {
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
