//! Fetches everything the interop tests need, so that the tests themselves only test.

use anyhow::Result;
use klamm_interop::setup::{KAFKA_VERSIONS, tools, tools_of};
use std::process::ExitCode;

fn main() -> ExitCode {
    match fetch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-setup: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fetch() -> Result<()> {
    for version in KAFKA_VERSIONS {
        println!("Kafka {version}: {}", tools_of(version)?.libs.display());
    }
    println!("most tests run against {}", tools()?.version);
    Ok(())
}
