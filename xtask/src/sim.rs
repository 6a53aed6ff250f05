//! `cargo xtask sim`: seeds of the simulator.

use anyhow::Result;
use xshell::{Shell, cmd};

/// Seeds in `cargo xtask test`.
const SMOKE_SEEDS: u64 = 2_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many seeds
    #[arg(long, default_value_t = SMOKE_SEEDS)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replay this seed alone
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Print every step
    #[arg(long, requires = "seed")]
    trace: bool,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let mut list = Vec::new();
    if let Some(seed) = args.seed {
        list.extend(["--seed".to_owned(), seed.to_string()]);
        list.extend(args.trace.then(|| "--trace".to_owned()));
    } else {
        list.extend(["--seeds".to_owned(), args.seeds.to_string()]);
        if args.from > 0 {
            list.extend(["--from".to_owned(), args.from.to_string()]);
        }
    }
    Ok(cmd!(sh, "cargo run --release -p klamm-sim --bin sim -- {list...}").run()?)
}

pub(crate) fn smoke(sh: &Shell) -> Result<()> {
    run(sh, &Args { seeds: SMOKE_SEEDS, from: 0, seed: None, trace: false })?;
    // The core of firmware: one version of each API, no splits; and with a single address, where nobody is asked for
    // versions. Not optimized, to compile less.
    for features in ["cluster,klamm/api-versions", ""] {
        cmd!(sh, "cargo run -p klamm-sim --no-default-features --features={features} --bin sim")
            .args(["--", "--seeds", "200"])
            .run()?;
    }
    Ok(())
}
