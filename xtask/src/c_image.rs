//! The firmware in C: klamm's library and one with a network stack, both Rust's, and a program that gcc compiles.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::c::{CROSS, INCLUDE, WARNINGS};
use crate::setup;
use crate::target::Compiler;

/// The image's file.
pub(crate) const NAME: &str = "c-lm3s6965";

const EXAMPLES: &str = "firmware-examples";
const PROGRAM: &[&str] = &["main.c", "board.c", "line.c"];

/// Links the image into the folder `images`, where that of the other firmware is.
pub(crate) fn build(sh: &Shell, compiler: &Compiler, target: &str, images: &Path) -> Result<()> {
    setup::program(sh, CROSS, "gcc-arm-none-eabi")?;
    compiler
        .build(sh, target)
        .args(["-p", "klamm-c", "--profile", "firmware", "--no-default-features"])
        .run()?;
    let klamm =
        sh.current_dir().join(format!("{}/{target}/firmware/libklamm_c.a", compiler.target_dir()));
    let include = sh.current_dir().join(INCLUDE);
    let _dir = sh.push_dir(EXAMPLES);
    compiler.build(sh, target).args(["--release", "-p", "klamm-firmware-network"]).run()?;
    let network = images.join("libklamm_firmware_network.a");
    let image = images.join(NAME);
    let _dir = sh.push_dir("c");
    // No libc and no start files: `board.c` has what the processor needs. gcc's linker warns of Rust's bitcode.
    cmd!(sh, "{CROSS} -mcpu=cortex-m3 -mthumb -Os -g -std=c99 {WARNINGS...}")
        .args(["-ffreestanding", "-nostdlib", "-Iinclude", "-I"])
        .arg(include)
        .args(["-Wl,--gc-sections,--no-warnings,--no-warn-mismatch,-z,noexecstack"])
        .args(["-T", "lm3s6965.ld"])
        .args(PROGRAM)
        .args([&klamm, &network])
        .args(["-lgcc", "-o"])
        .arg(image)
        .run()?;
    Ok(())
}
