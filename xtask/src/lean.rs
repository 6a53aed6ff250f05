//! Firmware built for size alone: for a target of one's own without frame pointers, with what LLVM can do besides.
//! `docs/embedded.md` says how to do it without this.

use xshell::{Cmd, Shell};

use crate::target::Compiler;

/// Where the images are put, below the compiler's folder for targets.
pub(crate) const TARGET: &str = "thumbv7m-none-eabi-lean";
/// The target, beside the package whose size is measured.
const FILE: &str = "thumbv7m-none-eabi-lean.json";
/// Unstable in Cargo: targets that are files; `memcpy` and its like for those; flags of one package.
const ARGS: &[&str] = &[
    "-Zjson-target-spec",
    "-Zbuild-std-features=compiler-builtins-mem",
    "-Zprofile-rustflags",
    "--config=profile.release.package.klamm.rustflags=['-Cpasses=mergefunc']",
];

/// `cargo build` of the package `application`, to be completed with its images. `folder` leads to the target's file.
pub(crate) fn build<'a>(
    sh: &'a Shell,
    compiler: &Compiler,
    folder: &str,
    application: &str,
) -> Cmd<'a> {
    let flags = "['-Cllvm-args=-enable-ipra']";
    compiler
        .build(sh, &format!("{folder}/{FILE}"))
        .args(["--release", "-p", application])
        .args(ARGS)
        .arg(format!("--config=profile.release.package.{application}.rustflags={flags}"))
}
