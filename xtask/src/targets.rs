//! The same trace of calls gives the same bytes on this machine, on a Cortex-M3 in QEMU and in WebAssembly; and what a
//! call costs does not depend on how many topics there are.

use anyhow::{Context as _, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::setup;
use crate::target::Compiler;

const THUMB: &str = "thumbv7m-none-eabi";
const WASM: &str = "wasm32-unknown-unknown";
const EXAMPLE: &str = "firmware-examples/same-bytes";
const TRACES: &str = "target/traces";

/// With a thousand topics a call may take so many percent of what it takes with ten: for aiokafka 943 it was thousands.
const COST_LIMIT: u64 = 115;

pub(crate) fn check(sh: &Shell) -> Result<()> {
    setup::program(sh, "qemu-system-arm", "qemu-system-arm")?;
    setup::program(sh, "node", "nodejs")?;
    let compiler = Compiler::find(sh, &[THUMB, WASM])?;

    sh.create_dir(TRACES)?;
    let host = cmd!(sh, "cargo run -q -p klamm-replay --bin record -- {TRACES}").read()?;
    let _traces = sh.push_env("KLAMM_TRACES", sh.current_dir().join(TRACES));
    let _dir = sh.push_dir(EXAMPLE);

    let thumb = on_thumb(sh, &compiler)?;
    compare(THUMB, &thumb, &host, &["plain"])?;
    let wasm = on_wasm(sh, &compiler)?;
    compare(WASM, &wasm, &host, &["plain", "gzip"])?;
    costs(&thumb)
}

fn on_thumb(sh: &Shell, compiler: &Compiler) -> Result<String> {
    compiler.build(sh, THUMB).args(["--release", "-p", "klamm-same-bytes-thumb"]).run()?;
    let image = format!("{}/{THUMB}/release/same-bytes", compiler.target_dir());
    // Instructions are counted instead of time, so that every run is the same.
    cmd!(sh, "timeout 600 qemu-system-arm -M mps2-an385 -icount shift=0 -display none")
        .args(["-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native", "-kernel", &image])
        .read()
        .context("the image fails in QEMU, or takes ten minutes")
}

fn on_wasm(sh: &Shell, compiler: &Compiler) -> Result<String> {
    compiler.build(sh, WASM).args(["--release", "-p", "klamm-same-bytes-wasm"]).run()?;
    let module = format!("{}/{WASM}/release/klamm_same_bytes_wasm.wasm", compiler.target_dir());
    cmd!(sh, "node wasm/run.mjs {module}").read().context("the module fails in Node")
}

/// A line is a trace's name, the hash of what it gives, and how many bytes that is.
fn compare(target: &str, found: &str, host: &str, traces: &[&str]) -> Result<()> {
    for trace in traces {
        let line = |text: &str| {
            let mut lines = text.lines().map(str::to_owned);
            lines.find(|line| line.split(' ').next() == Some(trace))
        };
        let (Some(here), Some(there)) = (line(host), line(found)) else {
            bail!("{target}: trace `{trace}` gives nothing");
        };
        ensure!(here == there, "{target} gives other bytes: {there}, this machine: {here}");
        println!("{target}: {there}, as on this machine");
    }
    Ok(())
}

/// A line is `cost`, the call's name, and ticks for 100 calls with ten and with a thousand topics.
fn costs(found: &str) -> Result<()> {
    let mut calls = 0;
    for line in found.lines() {
        let ["cost", name, few, many] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let (few, many): (u64, u64) = (few.parse()?, many.parse()?);
        println!("{name}: {few} ticks with ten topics, {many} with a thousand");
        ensure!(many * 100 <= few * COST_LIMIT, "`{name}` costs more with more topics");
        calls += 1;
    }
    ensure!(calls > 0, "no costs were counted");
    Ok(())
}
