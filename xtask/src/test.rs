//! `cargo xtask test`: every stage in order, each with its time; what fails stops it.

use core::time::Duration;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use crate::{
    boards, browsers, c, doc, firmware, fuzz, gates, lint, no_std, page, setup, sim, size, targets,
    web,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only this stage (may be given several times)
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
    /// List the stages
    #[arg(long)]
    list: bool,
}

struct Stage {
    name: &'static str,
    what: &'static str,
    run: fn(&Shell) -> Result<()>,
}

/// In this order: what is quick and fails often comes first, what needs a broker last.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", what: "sources are formatted", run: lint::fmt },
    Stage { name: "clippy", what: "no lint, in every feature set of the core", run: lint::clippy },
    Stage { name: "test", what: "cargo test: needs nothing but Rust", run: cargo_test },
    Stage {
        name: "features",
        what: "the core without and with all features; embassy's tick rates",
        run: features,
    },
    Stage { name: "doc", what: "documentation without a warning", run: doc::check },
    Stage {
        name: "no-std",
        what: "core and embassy adapter for bare targets; dependencies",
        run: no_std::check,
    },
    Stage { name: "size", what: "flash and static memory within the budget", run: size::check },
    Stage { name: "gates", what: "no operation takes more instructions", run: gates::check },
    Stage {
        name: "targets",
        what: "the same bytes on Arm, in WebAssembly and here",
        run: targets::check,
    },
    Stage { name: "boards", what: "firmware for real boards: no lint, sizes", run: boards::check },
    Stage { name: "page", what: "the demo page, in Chromium", run: page::check },
    Stage { name: "sim", what: "seeds of the simulator", run: sim::smoke },
    Stage { name: "fuzz", what: "every fuzz target for some seconds", run: fuzz::smoke },
    Stage { name: "readme", what: "the README's first command", run: readme },
    Stage { name: "interop", what: "Apache Kafka, its Java tools, kcat", run: interop },
    Stage {
        name: "c",
        what: "C programs, libraries for bare targets, Apache Kafka",
        run: c::check,
    },
    Stage { name: "bridge", what: "web pages through the bridge to Apache Kafka", run: bridge },
    Stage {
        name: "web",
        what: "the npm package: its size, its types, its features",
        run: web::check,
    },
    Stage {
        name: "browsers",
        what: "every runtime, Chromium and Firefox, in trouble; every bundler's output",
        run: browsers::check,
    },
    Stage {
        name: "firmware",
        what: "a microcontroller in QEMU, Apache Kafka, and what can go wrong",
        run: firmware::check,
    },
];

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    if args.list {
        for stage in STAGES {
            println!("{:<10}{}", stage.name, stage.what);
        }
        return Ok(());
    }
    for name in &args.only {
        if !STAGES.iter().any(|stage| stage.name == name) {
            bail!("no stage is called `{name}`; `cargo xtask test --list` shows them");
        }
    }

    let chosen: Vec<&Stage> = STAGES
        .iter()
        .filter(|stage| args.only.is_empty() || args.only.iter().any(|name| name == stage.name))
        .collect();
    let start = Instant::now();
    let mut times = Vec::new();
    for stage in &chosen {
        println!("\n==== {}: {}", stage.name, stage.what);
        let begin = Instant::now();
        let result = (stage.run)(sh);
        let ok = result.is_ok();
        println!("==== {}: {} in {}", stage.name, verdict(ok), seconds(begin.elapsed()));
        times.push((stage.name, ok, begin.elapsed()));
        if let Err(error) = result {
            summary(&times, &chosen, start.elapsed());
            return Err(error).with_context(|| {
                format!("stage `{0}` failed; again with: cargo xtask test --only {0}", stage.name)
            });
        }
    }
    summary(&times, &chosen, start.elapsed());
    if chosen.len() == STAGES.len() {
        println!("all {} stages passed", STAGES.len());
    } else {
        println!(
            "{} of {} stages passed; the others were not asked for",
            chosen.len(),
            STAGES.len()
        );
    }
    Ok(())
}

fn summary(times: &[(&str, bool, Duration)], chosen: &[&Stage], total: Duration) {
    println!("\nstage      result      time");
    for (name, ok, time) in times {
        println!("{name:<10} {:<8} {:>8}", verdict(*ok), seconds(*time));
    }
    for stage in &chosen[times.len()..] {
        println!("{:<10} not run", stage.name);
    }
    println!("{:<10} {:<8} {:>8}", "total", "", seconds(total));
}

fn verdict(ok: bool) -> &'static str {
    if ok { "ok" } else { "FAILED" }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn cargo_test(sh: &Shell) -> Result<()> {
    Ok(cmd!(sh, "cargo test --workspace").run()?)
}

/// Features unify in a workspace build: only a build of the core alone has none of them.
fn features(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo test -p klamm --no-default-features").run()?;
    cmd!(sh, "cargo test -p klamm --all-features").run()?;
    // 1 MHz unless another one is asked for, which is a feature for all of a build.
    for rate in ["1_000", "32_768"] {
        cmd!(sh, "cargo test -p klamm-embassy-tests --features embassy-time/tick-hz-{rate}")
            .run()?;
    }
    Ok(())
}

/// With no broker named, the records go to the dev broker in the command itself.
fn readme(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo run --release --bin klamm -- produce -t readings -K : examples/readings.txt")
        .run()?;
    Ok(())
}

/// Real brokers: the crate's own `interop-setup` fetches Kafka's jars; the tests start the brokers.
fn interop(sh: &Shell) -> Result<()> {
    kafka_tools(sh)?;
    cmd!(sh, "cargo build --release --bin klamm").run()?;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-setup").run()?;
    // One at a time: each test has brokers of its own, and two cores.
    cmd!(sh, "cargo test -p klamm-interop --features kafka --release -- --test-threads=1").run()?;
    Ok(())
}

/// Its other tests need nothing but Rust, and are in the stage `test`, too.
fn bridge(sh: &Shell) -> Result<()> {
    kafka_tools(sh)?;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-setup").run()?;
    cmd!(sh, "cargo test -p klamm-bridge --features kafka").run()?;
    Ok(())
}

/// What the brokers are started and read with.
pub(crate) fn kafka_tools(sh: &Shell) -> Result<()> {
    setup::program(sh, "javac", "default-jdk-headless")?;
    setup::program(sh, "mvn", "maven")?;
    setup::program(sh, "kcat", "kcat")
}
