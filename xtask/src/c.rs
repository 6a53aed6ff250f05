//! klamm for C: the static library for this machine and for bare ones, and C programs that use it.

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use crate::target::Compiler;
use crate::{setup, test};

const BARE: &[&str] = &["thumbv6m-none-eabi", "thumbv7m-none-eabi"];
const INCLUDE: &str = "adapters/c/include";
const EXAMPLE: &str = "adapters/c/examples/posix/produce.c";
const CALLS: &str = "adapters/c/tests/calls.c";
const WARNINGS: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Wconversion", "-Werror"];
const SANITIZERS: &[&str] = &["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/// Where the programs are put.
const PROGRAMS: &str = "target/c";

pub(crate) fn check(sh: &Shell) -> Result<()> {
    setup::program(sh, "cc", "gcc")?;
    setup::program(sh, "c++", "g++")?;
    bare(sh)?;
    cmd!(sh, "cargo test -p klamm-c").run()?;
    programs(sh)?;
    test::kafka_tools(sh)?;
    cmd!(sh, "cargo build --release --bin klamm").run()?;
    cmd!(sh, "cargo run -p klamm-interop --bin interop-setup").run()?;
    let _programs = sh.push_env("KLAMM_C", sh.current_dir().join(PROGRAMS));
    cmd!(sh, "cargo test -p klamm-interop --features c --release --test c").run()?;
    Ok(())
}

/// The library for machines without an operating system needs nothing but `klamm_panicked`.
fn bare(sh: &Shell) -> Result<()> {
    let compiler = Compiler::find(sh, BARE)?;
    for target in BARE {
        for features in ["panic-handler", "panic-handler,full"] {
            compiler
                .build(sh, target)
                .args(["-p", "klamm-c", "--lib", "--profile", "firmware"])
                .args(["--no-default-features", "--features", features])
                .run()?;
            let library = format!("{}/{target}/firmware/libklamm_c.a", compiler.target_dir());
            needs_nothing(sh, target, &library)?;
        }
    }
    Ok(())
}

/// What members of the library need and no member has is the program's to define.
fn needs_nothing(sh: &Shell, target: &str, library: &str) -> Result<()> {
    setup::program(sh, "nm", "binutils")?;
    let symbols = cmd!(sh, "nm --format=posix {library}").ignore_stderr().quiet().read()?;
    let of_kind = |wanted: fn(&str) -> bool| {
        symbols.lines().filter_map(move |line| {
            let mut words = line.split_whitespace();
            let (name, kind) = (words.next()?, words.next()?);
            wanted(kind).then_some(name)
        })
    };
    let defined: Vec<&str> = of_kind(|kind| kind != "U").collect();
    let mut missing: Vec<&str> =
        of_kind(|kind| kind == "U").filter(|name| !defined.contains(name)).collect();
    missing.sort_unstable();
    missing.dedup();
    ensure!(defined.contains(&"klamm_init"), "{target}: no klamm_init in {library}");
    ensure!(missing == ["klamm_panicked"], "{target}: the library also needs {missing:?}");
    println!("{target}: the library needs klamm_panicked and nothing else");
    Ok(())
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
    let strict = &WARNINGS[..];
    cmd!(sh, "c++ -std=c++11 {strict...} -x c++ -I {INCLUDE} -c {CALLS} -o {PROGRAMS}/calls.o")
        .run()?;
    for program in ["calls", "calls-sanitized"] {
        let program = format!("{PROGRAMS}/{program}");
        cmd!(sh, "{program}").run()?;
    }
    Ok(())
}
