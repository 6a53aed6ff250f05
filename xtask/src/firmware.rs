//! `cargo xtask firmware`: real firmware in QEMU, writing to a real Kafka; and the gates on its
//! images.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::image::Image;
use crate::tables::{self, row, thousands};
use crate::target::Compiler;
use crate::{c_image, lean, panics, setup, test};

const TARGET: &str = "thumbv7m-none-eabi";
const EXAMPLES: &str = "firmware-examples";

/// QEMU's machines, which their images are named after, and the packages of these.
const MACHINES: &[(&str, &str)] =
    &[("lm3s6965", "klamm-lm3s6965"), ("mps2-an385", "klamm-mps2-an385")];

/// The first machine's image once more, as `cargo xtask size` builds what it holds klamm's budget against: for size alone,
/// with one address.
const LEAN: &str = "lm3s6965-lean";

/// The first machine's demo over TLS, which is linked for its size and not run; its flash and static memory.
const TLS: &str = "tls";
const TLS_BUDGET: (u64, u64) = (170 * 1024, 48 * 1024);

/// Bytes of flash that the whole demo may have: with network stack, executor and application.
const FLASH_BUDGET: u64 = 96 * 1024;
/// Bytes of memory, the stack as deep as it was seen to go among them.
const RAM_BUDGET: u64 = 24 * 1024;
/// How deep that may be, which the tests measure: they have the same numbers. Inlining is what makes `LEAN` small.
const STACK: u64 = 4_096;
const LEAN_STACK: u64 = 4_608;
/// Where these numbers are said.
const README: &str = "firmware-examples/README.md";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Say where the image can panic and what its largest functions are, and run nothing
    #[arg(long)]
    look: bool,
    /// Measure records a second and instructions a record, next to the MQTT client minimq
    #[arg(long)]
    bench: bool,
    /// Options of the run; `-- --help` lists them
    #[arg(last = true)]
    options: Vec<String>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    if args.look {
        return gates(sh, &build(sh)?, 40);
    }
    let (images, bench) =
        if args.bench { (build_bench(sh)?, Some("--bench")) } else { (build(sh)?, None) };
    let _images = prepare(sh, &images)?;
    let options = &args.options;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-firmware -- {bench...} {options...}")
        .run()?;
    Ok(())
}

pub(crate) fn check(sh: &Shell) -> Result<()> {
    let images = build(sh)?;
    gates(sh, &images, 0)?;
    let _images = prepare(sh, &images)?;
    cmd!(sh, "cargo build --release --bin klamm").run()?;
    cmd!(sh, "cargo test -p klamm-interop --features firmware --release --test firmware").run()?;
    bench(sh)
}

/// What is said of klamm's instructions, next to those of an MQTT client.
fn bench(sh: &Shell) -> Result<()> {
    let images = build_bench(sh)?;
    let _images = sh.push_env("KLAMM_FIRMWARE", images);
    cmd!(sh, "cargo run -p klamm-interop --bin interop-firmware -- --bench").run()?;
    Ok(())
}

/// The folder with the images, one file a machine, and the one in C.
fn build(sh: &Shell) -> Result<PathBuf> {
    let compiler = Compiler::find(sh, &[TARGET])?;
    let images = {
        let _dir = sh.push_dir(EXAMPLES);
        for (_, package) in MACHINES {
            compiler.build(sh, TARGET).args(["--release", "--bins", "-p", package]).run()?;
        }
        let tls = ["--release", "-p", MACHINES[0].1, "--features", TLS, "--bin", TLS];
        compiler.build(sh, TARGET).args(tls).run()?;
        sh.current_dir().join(compiler.target_dir()).join(TARGET).join("release")
    };
    c_image::build(sh, &compiler, TARGET, &images)?;
    build_lean(sh, &images)?;
    Ok(images)
}

/// Puts the image `LEAN` beside the others.
fn build_lean(sh: &Shell, images: &Path) -> Result<()> {
    let (machine, package) = MACHINES[0];
    let compiler = Compiler::that_builds_std(sh)?;
    let _dir = sh.push_dir(EXAMPLES);
    lean::build(sh, &compiler, "size", package)
        .args(["--no-default-features", "--bin", machine])
        .run()?;
    let built = format!("{}/{}/release/{machine}", compiler.target_dir(), lean::TARGET);
    Ok(sh.copy_file(built, images.join(LEAN))?)
}

/// The same for measuring: each counts the time that it works.
fn build_bench(sh: &Shell) -> Result<PathBuf> {
    let compiler = Compiler::find(sh, &[TARGET])?;
    let _dir = sh.push_dir(EXAMPLES);
    let dir = sh.current_dir().join(compiler.target_dir()).join("bench");
    let build = compiler.build_in(sh, TARGET, &dir);
    build.args(["--release", "-p", MACHINES[0].1, "--bins", "--features", "bench"]).run()?;
    Ok(dir.join(TARGET).join("release"))
}

fn prepare<'a>(sh: &'a Shell, images: &Path) -> Result<xshell::PushEnv<'a>> {
    setup::program(sh, "qemu-system-arm", "qemu-system-arm")?;
    test::kafka_tools(sh)?;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-setup").run()?;
    Ok(sh.push_env("KLAMM_FIRMWARE", images))
}

/// Flash, memory and panics of each demo.
fn gates(sh: &Shell, images: &Path, rows: usize) -> Result<()> {
    let bare = Image::read(sh, &images.join("echo"))?;
    println!("{TARGET}, opt-level z, bytes{:>12} {:>9}", "flash", "RAM");
    println!("{:<30}{:>9} {:>9}", "network alone", bare.flash(), bare.ram());
    let cells = |what: &str, image: &Image| {
        row(&[what.into(), thousands(image.flash()), thousands(image.ram())])
    };
    let mut table = row(&["bytes".into(), "flash".into(), "static RAM".into()]) + "|---|---|---|\n";
    table += &cells("the network alone: `echo`", &bare);
    let machines = MACHINES.iter().map(|(machine, _)| *machine);
    for machine in machines.chain([LEAN, c_image::NAME]) {
        let image = Image::read(sh, &images.join(machine))?;
        println!("{machine:<30}{:>9} {:>9}", image.flash(), image.ram());
        table += &cells(&format!("the demo: `{machine}`"), &image);
        if rows > 0 {
            image.print_table(&bare, rows);
        }
        ensure!(image.flash() <= FLASH_BUDGET, "{machine}: over {FLASH_BUDGET} bytes of flash");
        let stack = if machine == LEAN { LEAN_STACK } else { STACK };
        let budget = RAM_BUDGET - stack;
        ensure!(image.ram() <= budget, "{machine}: over {budget} bytes of memory without stack");
    }
    let tls = Image::read(sh, &images.join(TLS))?;
    println!("{:<30}{:>9} {:>9}", "over TLS", tls.flash(), tls.ram());
    table += &cells("the demo over TLS 1.3, not run: `tls`", &tls);
    let (flash, ram) = TLS_BUDGET;
    ensure!(tls.flash() <= flash && tls.ram() <= ram, "TLS: over {flash} and {ram} bytes");
    tables::settle(sh, README, "images", &table)?;
    // Not of `LEAN`, whose functions that panic are merged with whatever else does the same.
    for machine in MACHINES.iter().map(|(machine, _)| *machine).chain([c_image::NAME]) {
        println!("{machine}:");
        panics::check(&images.join(machine))?;
    }
    Ok(())
}
