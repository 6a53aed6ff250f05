//! The project's commands: `cargo xtask test` and its parts. One file a command.

mod bench;
mod boards;
mod browsers;
mod c;
mod c_image;
mod doc;
mod firmware;
mod fuzz;
mod gates;
mod image;
mod lean;
mod lint;
mod mutants;
mod no_std;
mod page;
mod panics;
mod setup;
mod sim;
mod size;
mod tables;
mod target;
mod targets;
mod test;
#[cfg(test)]
mod test_lists;
mod web;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use xshell::Shell;

/// The commands of the project.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    /// Runs every test, and sets up what the tests need; stops at the first failure
    Test(test::Args),
    /// Runs seeds of the simulator
    Sim(sim::Args),
    /// Proves the simulator: each fault put into the core must be caught
    Mutants(mutants::Args),
    /// Measures the flash and static memory of a firmware image, against the budget
    Size(size::Args),
    /// Counts the instructions of the core's operations, against what was accepted
    Gates(gates::Args),
    /// Runs the fuzz targets
    Fuzz(fuzz::Args),
    /// Measures klamm and five other producers side by side on Apache Kafka
    Bench(bench::Args),
    /// Builds the firmware and runs it in QEMU, against Apache Kafka and kcat
    Firmware(firmware::Args),
    /// Builds the firmware for real boards, and says how large it is
    Boards(boards::Args),
    /// Builds the npm package, in wasm/pkg
    Web(web::Args),
    /// Builds the demo page that the bridge serves
    Page(page::Args),
    /// Builds the documentation; a warning is an error
    Doc(doc::Args),
}

fn main() -> ExitCode {
    match run(&Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")?;
    let sh = Shell::new()?;
    sh.change_dir(root);
    match command {
        Command::Test(args) => test::run(&sh, args),
        Command::Sim(args) => sim::run(&sh, args),
        Command::Mutants(args) => mutants::run(&sh, args),
        Command::Size(args) => size::run(&sh, args),
        Command::Gates(args) => gates::run(&sh, args),
        Command::Fuzz(args) => fuzz::run(&sh, args),
        Command::Bench(args) => bench::run(&sh, args),
        Command::Firmware(args) => firmware::run(&sh, args),
        Command::Boards(args) => boards::run(&sh, args),
        Command::Web(args) => web::run(&sh, args),
        Command::Page(args) => page::run(&sh, args),
        Command::Doc(args) => doc::run(&sh, args),
    }
}
