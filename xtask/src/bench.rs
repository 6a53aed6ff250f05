//! `cargo xtask bench`: gets and builds what the benchmark needs, and runs it. No part of
//! `cargo xtask test`: figures of time depend on what else the machine does.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{setup, web};

/// Memory with the face of a folder: no disk is part of what is measured.
const MEMORY: &str = "/dev/shm";

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
    setup::program(sh, "go", "golang")?;
    setup::program(sh, "make", "build-essential")?;
    // The package that takes part in Node.
    web::build(sh)?;
    let temporary = std::env::temp_dir();
    let folder = if Path::new(MEMORY).is_dir() { Path::new(MEMORY) } else { &temporary };
    let target = sh.current_dir().join("target/bench");
    let options = &args.options;
    cmd!(sh, "cargo run --quiet --manifest-path tests/bench/Cargo.toml -p klamm-bench --")
        .args(options)
        .env("CARGO_TARGET_DIR", target)
        .env("TMPDIR", folder)
        .run()?;
    Ok(())
}
