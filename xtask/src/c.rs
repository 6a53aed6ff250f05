//! klamm for C: the static library for this machine and for bare ones, and C programs that use it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::image::Image;
use crate::tables::{self, row, thousands};
use crate::target::Compiler;
use crate::{setup, test};

const BARE: &[&str] = &["thumbv6m-none-eabi", "thumbv7m-none-eabi"];
pub(crate) const INCLUDE: &str = "adapters/c/include";
const EXAMPLE: &str = "adapters/c/examples/posix/produce.c";
const README: &str = "adapters/c/README.md";
const CALLS: &str = "adapters/c/tests/calls.c";
pub(crate) const CROSS: &str = "arm-none-eabi-gcc";
pub(crate) const WARNINGS: &[&str] =
    &["-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Wconversion", "-Werror"];
const SANITIZERS: &[&str] = &["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/// Bytes of flash that all functions of the header may have together, with copying, clearing and comparing of memory,
/// which other code of a program has too.
const FLASH_BUDGET: u64 = 40 * 1024;
/// What the run loop needs of a system, and declarations of that system's, for a compiler that has none of it.
const PORTS: &str = "adapters/c/examples/ports";
const SYSTEMS: &str = "adapters/c/tests/systems";
/// Where the programs are put.
const PROGRAMS: &str = "target/c";

pub(crate) fn check(sh: &Shell) -> Result<()> {
    setup::program(sh, "cc", "gcc")?;
    setup::program(sh, "c++", "g++")?;
    bare(sh)?;
    on_cortex_m3(sh)?;
    cmd!(sh, "cargo test -p klamm-c").run()?;
    programs(sh)?;
    test::kafka_tools(sh)?;
    cmd!(sh, "cargo build --release --bin klamm").run()?;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-setup").run()?;
    let _programs = sh.push_env("KLAMM_C", sh.current_dir().join(PROGRAMS));
    cmd!(sh, "cargo test -p klamm-interop --features c --release --test c").run()?;
    Ok(())
}

/// For machines without an operating system: what a program gets that calls every function of the header, how large
/// that is, and that it needs nothing else than `klamm_panicked`.
fn bare(sh: &Shell) -> Result<()> {
    let compiler = Compiler::find(sh, BARE)?;
    println!("all functions of klamm.h, bytes of flash");
    let head = ["bytes of flash, every function of the header", "without", "`full`"];
    let mut table = row(&head.map(str::to_owned)) + "|---|---|---|\n";
    for target in BARE {
        let mut cells = vec![format!("`{target}`")];
        for (features, what, most) in [("", "small", Some(FLASH_BUDGET)), ("full", "full", None)] {
            compiler
                .build(sh, target)
                .args(["-p", "klamm-c", "--profile", "firmware", "--no-default-features"])
                .arg(format!("--features={features}"))
                .run()?;
            let libraries = format!("{}/{target}/firmware", compiler.target_dir());
            let image = format!("{libraries}/all-functions");
            let image = link(sh, &format!("{libraries}/libklamm_c.a"), &image)?;
            let flash = image.flash();
            println!("{target}, {what}: {flash}");
            cells.push(thousands(flash));
            let over = most.is_some_and(|most| flash > most);
            ensure!(!over, "{target}, {what}: {flash} bytes of flash, over {FLASH_BUDGET}");
        }
        table += &row(&cells);
    }
    tables::settle(sh, README, "sizes", &table)
}

/// The same calls as on this machine, on a Cortex-M3: with enumerations as small as can be, its convention, and of an int.
fn on_cortex_m3(sh: &Shell) -> Result<()> {
    setup::program(sh, "qemu-system-arm", "qemu-system-arm")?;
    setup::program(sh, CROSS, "gcc-arm-none-eabi")?;
    let newlib = cmd!(sh, "{CROSS} -print-file-name=rdimon.specs").read()?;
    if !Path::new(&newlib).is_absolute() {
        setup::apt(sh, &["libnewlib-arm-none-eabi"])?;
    }
    let target = "thumbv7m-none-eabi";
    let library =
        format!("{}/{target}/firmware/libklamm_c.a", Compiler::find(sh, BARE)?.target_dir());
    sh.create_dir(PROGRAMS)?;
    for enums in ["-fshort-enums", "-fno-short-enums"] {
        let image = format!("{PROGRAMS}/calls{enums}.elf");
        cmd!(sh, "{CROSS} -mcpu=cortex-m3 -mthumb -Os -std=c99 {enums} -I {INCLUDE}")
            .args(["--specs=rdimon.specs", "-Wl,--gc-sections,--no-warnings,--no-warn-mismatch"])
            .args(["-Wl,--undefined=vectors,--section-start=.vectors=0"])
            .args(["adapters/c/tests/cortex_m3.c", CALLS, &library, "-o", &image])
            .run()?;
        cmd!(sh, "timeout 600 qemu-system-arm -M mps2-an385 -display none -monitor none")
            .args(["-serial", "none", "-semihosting-config", "enable=on,target=native"])
            .args(["-kernel", &image])
            .run()?;
    }
    Ok(())
}

/// Fails where the library lacks a function of the header, or needs one that neither it nor the program has.
fn link(sh: &Shell, library: &str, image: &str) -> Result<Image> {
    let header = sh.read_file(format!("{INCLUDE}/klamm.h"))?;
    let functions = functions(&header);
    ensure!(functions.len() > 30, "{} functions in klamm.h", functions.len());
    let roots: Vec<String> = functions.iter().map(|name| format!("--undefined={name}")).collect();
    let linker = linker(sh)?;
    cmd!(sh, "{linker} -flavor gnu --gc-sections --entry=klamm_init")
        .args(["--defsym=klamm_panicked=0", library, "-o", image])
        .args(&roots)
        .run()?;
    let image = Image::read(sh, image.as_ref())?;
    for name in functions {
        let is_there = image.symbols.iter().any(|(_, symbol)| symbol == name);
        ensure!(is_there, "{library} has no {name}");
    }
    Ok(image)
}

/// The functions that a header declares, but for the one that the program defines.
fn functions(header: &str) -> BTreeSet<&str> {
    let code = header.lines().filter(|line| !line.trim_start().starts_with(['/', '*', '#']));
    let declared = code.filter_map(|line| line.split_once('(')).map(|(before, _)| before);
    let names = declared.filter_map(|before| before.rsplit([' ', '*']).next());
    names.filter(|name| name.starts_with("klamm_") && *name != "klamm_panicked").collect()
}

/// rustup's linker, or Debian's.
fn linker(sh: &Shell) -> Result<PathBuf> {
    let libraries = cmd!(sh, "rustc --print target-libdir").quiet().read()?;
    let rustups = Path::new(&libraries).with_file_name("bin").join("rust-lld");
    Ok(if rustups.exists() { rustups } else { "rust-lld".into() })
}

/// Compiles the C programs as strictly as C99 can be, once more with sanitizers, and as C++; runs what needs no broker.
fn programs(sh: &Shell) -> Result<()> {
    cmd!(sh, "cargo build -p klamm-c --release").run()?;
    let library = "target/release/libklamm_c.a";
    sh.create_dir(PROGRAMS)?;
    for (name, source) in [("produce", EXAMPLE), ("calls", CALLS)] {
        for (suffix, options) in [("", &["-O2"][..]), ("-sanitized", SANITIZERS)] {
            cmd!(sh, "cc -std=c99 {WARNINGS...} {options...} -I {INCLUDE} {source} {library}")
                .args(["-o", &format!("{PROGRAMS}/{name}{suffix}")])
                .run()?;
        }
    }
    cmd!(sh, "c++ -std=c++11 {WARNINGS...} -x c++ -I {INCLUDE} -c {CALLS} -o {PROGRAMS}/calls.o")
        .run()?;
    for (port, system) in
        [("freertos_lwip", "freertos"), ("zephyr", "zephyr"), ("esp_idf", "esp_idf")]
    {
        cmd!(sh, "cc -std=c99 -D_POSIX_C_SOURCE=200809L {WARNINGS...} -fsyntax-only")
            .args(["-I", INCLUDE, "-I", &format!("{SYSTEMS}/{system}")])
            .arg(format!("{PORTS}/{port}.c"))
            .run()?;
    }
    // The sanitizers see C code only; valgrind sees the library too.
    setup::program(sh, "valgrind", "valgrind")?;
    cmd!(sh, "valgrind -q --error-exitcode=9 {PROGRAMS}/calls").run()?;
    for program in ["calls", "calls-sanitized"] {
        let program = format!("{PROGRAMS}/{program}");
        cmd!(sh, "{program}").run()?;
    }
    Ok(())
}
