//! Gets what a stage needs and does not find: as root through apt, else it stops and says how.

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

/// Makes sure that `program` is there, which Debian's `package` has.
pub(crate) fn program(sh: &Shell, program: &str, package: &str) -> Result<()> {
    if is_there(sh, program) {
        return Ok(());
    }
    apt(sh, &[package]).with_context(|| format!("`{program}` is needed and was not found"))?;
    if !is_there(sh, program) {
        bail!("`{program}` is still not found after package `{package}` was installed");
    }
    Ok(())
}

/// Makes sure that a component of the Rust toolchain is there: a minimal rustup has neither rustfmt nor clippy.
pub(crate) fn component(sh: &Shell, command: &str, component: &str) -> Result<()> {
    if cmd!(sh, "cargo {command} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return Ok(());
    }
    cmd!(sh, "rustup component add {component}").run().with_context(|| {
        format!("`cargo {command}` is needed: install {component} as your Rust was installed")
    })
}

/// Installs Debian packages.
pub(crate) fn apt(sh: &Shell, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    let root = cmd!(sh, "id -u").quiet().read().is_ok_and(|uid| uid == "0");
    if !root || !is_there(sh, "apt-get") {
        bail!("install it; on Debian or Ubuntu: sudo apt-get install {list}");
    }
    let _quiet = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    // Old package lists name files that are gone from the mirror, so they are always renewed.
    cmd!(sh, "apt-get -q -o Acquire::Retries=5 update").run()?;
    cmd!(sh, "apt-get -q -o Acquire::Retries=5 install -y --no-install-recommends {packages...}")
        .run()
        .with_context(|| format!("apt-get could not install {list}"))
}

fn is_there(sh: &Shell, program: &str) -> bool {
    cmd!(sh, "sh -c 'command -v \"$0\"' {program}")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_ok()
}
