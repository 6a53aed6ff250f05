//! The core stays small: it and the embassy adapter build for machines without a heap, and the core depends on what is
//! in the list only.

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::target::Compiler;

/// No compare-and-swap; the reference machine; no atomics at all; browsers.
const TARGETS: &[&str] = &[
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "riscv32imc-unknown-none-elf",
    "wasm32-unknown-unknown",
];

/// The crates that the core may stand on, one name a line, without and with all features.
const LIST: &str = "xtask/core-dependencies.txt";

pub(crate) fn check(sh: &Shell) -> Result<()> {
    dependencies(sh)?;
    let compiler = Compiler::find(sh, TARGETS)?;
    for target in TARGETS {
        for features in ["", "gzip-tight,lz4,snappy"] {
            let args = ["-p", "klamm", "--lib", "--features", features];
            compiler.build(sh, target).args(args).run()?;
        }
    }
    // Of these only the machines without a browser.
    for target in
        TARGETS.iter().filter(|target| target.ends_with("-elf") || target.ends_with("eabi"))
    {
        for features in ["ethernet", "ethernet,ipv6"] {
            let args = ["-p", "klamm-embassy", "--lib", "--features", features];
            compiler.build(sh, target).args(args).run()?;
        }
    }
    // Logs of a device: `defmt` needs a linker section, so it is built for machines that have one.
    compiler
        .build(sh, "thumbv7m-none-eabi")
        .args(["-p", "klamm", "--lib", "--features", "events,defmt"])
        .run()?;
    compiler
        .build(sh, "thumbv7m-none-eabi")
        .args(["-p", "klamm-embassy", "--lib", "--features", "defmt"])
        .run()?;
    compiler
        .build(sh, "wasm32-unknown-unknown")
        .args(["-p", "klamm", "--lib", "--features", "alloc,gzip,gzip-tight,lz4,snappy"])
        .run()?;
    Ok(())
}

fn dependencies(sh: &Shell) -> Result<()> {
    let mut found = String::from("# cargo xtask test --only no-std: the core's crates\n");
    for (title, features) in [("no features", None), ("all features", Some("--all-features"))] {
        let tree = cmd!(sh, "cargo tree -p klamm {features...} -e normal --target all")
            .args(["--prefix", "none", "--format", "{p}"])
            .read()?;
        let mut names: Vec<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        names.sort_unstable();
        names.dedup();
        found += &format!("\n# {title}\n{}\n", names.join("\n"));
    }
    let listed = sh.read_file(LIST)?;
    if listed != found {
        bail!("the core's dependencies are not those of {LIST}; found:\n{found}");
    }
    println!("dependencies of the core are those of {LIST}");
    Ok(())
}
