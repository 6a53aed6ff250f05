//! The command as scripts use it.

mod explain;
mod interrupt;
mod manual;
mod metadata;
mod perf;
mod produce;
mod usage;

use assert_cmd::Command;

/// The command, with a guard against hanging.
fn klamm(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm"));
    command.timeout(core::time::Duration::from_secs(600)).args(args);
    command
}

/// What it printed, as text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}
