//! The `klamm` command: records into Apache Kafka from the shell.
//!
//! Exit code 0: every record was acknowledged. 1: not so, and one line on standard error says why.
//! 2: the command line is wrong.

mod args;
mod broker;
mod connect;
mod explain;
mod failure;
mod manual;
mod metadata;
mod output;
mod perf;
mod produce;
mod progress;
mod tally;
mod watch;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let result = args::parse().and_then(|command| match command {
        Command::Produce(args) => produce::run(args),
        Command::Perf(args) => perf::run(args),
        Command::Metadata(args) => metadata::run(args),
        Command::Explain(args) => explain::run(args),
        Command::DevBroker(args) => broker::run(args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("klamm: {failure}");
            failure.exit_code()
        }
    }
}
