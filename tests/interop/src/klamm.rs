//! The `klamm` command under test.

use crate::setup::repository;
use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What a finished command said.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Itself, if the exit code was 0.
    ///
    /// # Errors
    /// Otherwise, with what the command said.
    pub fn expect_success(self) -> Result<Self> {
        ensure!(self.status.success(), "klamm ended with {}: {}", self.status, self.stderr);
        Ok(self)
    }
}

/// The binary: `KLAMM_BIN`, or the release build.
///
/// # Errors
/// If it is not there.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("KLAMM_BIN")
        .map_or_else(|| repository().join("target/release/klamm"), PathBuf::from);
    ensure!(
        path.is_file(),
        "{} is missing: run `cargo build --release --bin klamm` or set KLAMM_BIN",
        path.display()
    );
    Ok(path)
}

/// `klamm` with these arguments and nothing on its standard input.
///
/// # Errors
/// If there is no binary.
pub fn command(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// `klamm produce -b BOOTSTRAP -t TOPIC …`.
///
/// # Errors
/// If there is no binary.
pub fn produce(bootstrap: &str, topic: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = command(&["produce", "-b", bootstrap, "-t", topic])?;
    command.args(arguments);
    Ok(command)
}

/// Runs a command with a file (or nothing) on its standard input to its end.
///
/// # Errors
/// If it cannot be started.
pub fn run(mut command: Command, input: Option<&Path>) -> Result<Finished> {
    if let Some(path) = input {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        command.stdin(file);
    }
    let out = command.output().context("klamm cannot be started")?;
    Ok(Finished {
        status: out.status,
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    })
}

/// Runs a command that must fail, and returns the one line it says on standard error.
///
/// # Errors
/// If it succeeds, or says nothing or more than a line.
pub fn run_to_failure(command: Command) -> Result<String> {
    let finished = run(command, None)?;
    ensure!(!finished.status.success(), "klamm succeeded: {}", finished.stdout);
    let lines: Vec<&str> = finished.stderr.lines().filter(|l| !l.trim().is_empty()).collect();
    match lines[..] {
        [line] => Ok(line.to_owned()),
        _ => bail!("klamm did not say one line but:\n{}", finished.stderr),
    }
}
