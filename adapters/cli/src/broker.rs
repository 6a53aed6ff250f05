//! The dev broker: of our own for a `produce` without `-b`, and as a command.

use crate::args::DevBroker;
use crate::failure::Failure;

pub(crate) struct Own {}

impl Own {
    pub(crate) fn address(&self) -> String {
        String::new()
    }
}

pub(crate) fn start_own(_topic: &str) -> Result<Own, Failure> {
    Err(Failure::Run("waits for the dev broker".into()))
}

pub(crate) fn run(_args: &DevBroker) -> Result<(), Failure> {
    Err(Failure::Run("waits for the dev broker".into()))
}
