//! Firmware in QEMU: machines whose output is read, whose network is cut and which are reset.

pub mod garbage;
pub mod ledger;
pub mod machine;
pub mod qmp;
pub mod wire;

use anyhow::{Context, Result};
use std::path::PathBuf;

/// The folder of the images that `cargo xtask firmware` built, one folder a machine:
/// `KLAMM_FIRMWARE`.
///
/// # Errors
/// If nothing names it.
pub fn images() -> Result<PathBuf> {
    let folder = std::env::var_os("KLAMM_FIRMWARE");
    folder.map(PathBuf::from).context("KLAMM_FIRMWARE names no folder: run `cargo xtask firmware`")
}
