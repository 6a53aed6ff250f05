//! `cargo xtask doc`: the documentation, where a warning is an error.

use anyhow::Result;
use xshell::{Shell, cmd};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Open it in a browser
    #[arg(long)]
    open: bool,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let open = args.open.then_some("--open");
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    // Libraries only: the binary `klamm` would write to the same files as the library of that name.
    cmd!(sh, "cargo doc --workspace --lib --no-deps --all-features {open...}").run()?;
    Ok(())
}

/// The public pages, and those of private items, whose links nobody else checks.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    run(sh, &Args { open: false })?;
    let _flags = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    cmd!(sh, "cargo doc -p klamm --lib --no-deps --all-features --document-private-items").run()?;
    Ok(())
}
