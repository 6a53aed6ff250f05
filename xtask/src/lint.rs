//! Formatting and lints, also of the workspaces that stand apart.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::setup;

/// Feature sets of the core that are linted apart, since features unify in a workspace build.
const CORE_FEATURES: &[&str] = &[
    "",
    "api-versions",
    "acks-0,cluster,crc-table,flexible,relaxed,split",
    "cluster",
    "flexible",
    "relaxed",
    "split",
    "alloc",
    "gzip",
    "fast-crc",
    "alloc,fast-crc",
    "compression",
    "gzip-tight",
    "lz4",
    "snappy",
    "zstd",
    "alloc,gzip-tight,lz4,snappy",
    "policies",
    "snapshot",
    "recorder",
    "events",
    "defmt",
    "policies,gzip,recorder",
    "events,policies,defmt",
];

/// The same of the embassy adapter; `defmt` and `log` bear each other.
const EMBASSY_FEATURES: &[&str] = &[
    "",
    "cluster",
    "net,embassy-net/medium-ip,embassy-net/proto-ipv6",
    "ethernet,ipv6",
    "defmt,log",
];

/// Workspaces of their own: what they need cannot be in the same lock file or profile as the rest.
const APART: &[&str] = &[
    "fuzz",
    "firmware-examples",
    "firmware-examples/boards",
    "tests/bench",
    "firmware-examples/size",
    "firmware-examples/same-bytes/thumb",
    "firmware-examples/same-bytes/wasm",
];

/// Of those that are linted, on this machine whatever they are for: packages (all of them where none is named). What is
/// left builds a C library (the peers of `tests/bench`), or vendors' crates for one chip only (boards).
const LINTED: &[(&str, &[&str])] = &[
    ("firmware-examples", &["--workspace"]),
    ("firmware-examples/size", &[]),
    ("tests/bench", &["-p", "klamm-bench"]),
];

pub(crate) fn fmt(sh: &Shell) -> Result<()> {
    setup::component(sh, "fmt", "rustfmt")?;
    cmd!(sh, "cargo fmt --all --check").run()?;
    for dir in APART {
        cmd!(sh, "cargo fmt --all --manifest-path {dir}/Cargo.toml --check").run()?;
    }
    Ok(())
}

pub(crate) fn clippy(sh: &Shell) -> Result<()> {
    setup::component(sh, "clippy", "clippy")?;
    for features in CORE_FEATURES {
        cmd!(sh, "cargo clippy -p klamm --all-targets --no-default-features --features={features}")
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    for features in EMBASSY_FEATURES {
        cmd!(sh, "cargo clippy -p klamm-embassy --no-default-features --features={features}")
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    cmd!(sh, "cargo clippy --workspace --all-targets --all-features -- -D warnings").run()?;
    for &(dir, packages) in LINTED {
        // Firmware aborts where it panics, which only its release profile says.
        cmd!(sh, "cargo clippy --release --manifest-path {dir}/Cargo.toml {packages...}")
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    Ok(())
}
