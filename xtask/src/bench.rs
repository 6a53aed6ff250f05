//! `cargo xtask bench`: gets and builds what `interop-bench` needs, and runs it. No part of
//! `cargo xtask test`: figures of time depend on what else the machine does.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::setup;

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Options of the benchmark; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    setup::program(sh, "javac", "default-jdk-headless")?;
    setup::program(sh, "mvn", "maven")?;
    setup::program(sh, "kcat", "kcat")?;
    cmd!(sh, "cargo build --release --bin klamm").run()?;
    let options = &args.options;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-bench -- {options...}").run()?;
    Ok(())
}
