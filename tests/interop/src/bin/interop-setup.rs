//! Fetches everything the interop tests need, so that the tests themselves only test.

use std::process::ExitCode;

fn main() -> ExitCode {
    match klamm_interop::setup::prepare() {
        Ok(tools) => {
            println!("Kafka: {}", tools.libs.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interop-setup: {error:#}");
            ExitCode::FAILURE
        }
    }
}
