//! `cargo xtask web`: the npm package, in `wasm/pkg`. And its tests; those in every runtime are in `browsers.rs`.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::setup;
use crate::target::Compiler;

const WASM: &str = "wasm32-unknown-unknown";
const MODULE: &str = "wasm32-unknown-unknown/web/klamm_wasm.wasm";
/// The modules: their name in the package, and their Cargo features.
const MODULES: &[(&str, &[&str])] = &[("klamm", &[]), ("klamm-codecs", &["--features", "codecs"])];
/// The oldest Node that the package promises to work with.
const NODE: u32 = 20;
/// What `wasm-opt` may use: what browsers of two years ago have.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
];

#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(sh: &Shell, _: &Args) -> Result<()> {
    build(sh)?;
    println!("the package is in wasm/pkg; `npm pack` there makes the tarball");
    Ok(())
}

/// Builds the package; once, however many stages of a run need it.
pub(crate) fn build(sh: &Shell) -> Result<()> {
    static IS_BUILT: AtomicBool = AtomicBool::new(false);
    if IS_BUILT.load(Ordering::Relaxed) {
        return Ok(());
    }
    tools(sh)?;
    modules(sh)?;
    let _dir = sh.push_dir("wasm");
    cmd!(sh, "node scripts/pack.mjs").run()?;
    cmd!(sh, "node scripts/size.mjs").run()?;
    IS_BUILT.store(true, Ordering::Relaxed);
    Ok(())
}

/// Node, and from npm what `wasm/package-lock.json` says.
fn tools(sh: &Shell) -> Result<()> {
    setup::program(sh, "node", "nodejs")?;
    setup::program(sh, "npm", "npm")?;
    let version = cmd!(sh, "node --version").read()?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse().ok());
    if major.is_none_or(|major: u32| major < NODE) {
        bail!(
            "Node {version} is too old: {NODE} is needed, from https://nodejs.org or your distribution"
        );
    }
    let _dir = sh.push_dir("wasm");
    let installed = fs::metadata(sh.current_dir().join("node_modules/.package-lock.json"));
    let locked = fs::metadata(sh.current_dir().join("package-lock.json"))?.modified()?;
    if installed.and_then(|file| file.modified()).is_ok_and(|at| at >= locked) {
        return Ok(());
    }
    // Not `npm ci`: it wants every other platform's packages in the lock file, which a registry may not have.
    cmd!(sh, "npm install --no-save --no-audit --no-fund --loglevel=error --fetch-retries=5")
        .run()
        .context("npm could not get what the package is built and tested with")
}

/// The modules and their glue, in `wasm/js/wasm`.
fn modules(sh: &Shell) -> Result<()> {
    let compiler = Compiler::find(sh, &[WASM])?;
    cmd!(sh, "cargo build -p klamm-bindgen").run()?;
    let out = "wasm/js/wasm";
    sh.remove_path(out)?;
    sh.create_dir(out)?;
    for (name, features) in MODULES {
        compiler
            .build(sh, WASM)
            .args(["-p", "klamm-wasm", "--profile", "web"])
            .args(*features)
            .run()?;
        let module = format!("{}/{MODULE}", compiler.target_dir());
        let named = format!("target/web/{name}.wasm");
        sh.create_dir("target/web")?;
        sh.copy_file(&module, &named)?;
        cmd!(sh, "cargo run -q -p klamm-bindgen -- {named} {out}").run()?;
        let made = format!("{out}/{name}_bg.wasm");
        cmd!(sh, "node wasm/node_modules/.bin/wasm-opt {made} -Oz --gufa -Oz -o {out}/{name}.wasm")
            .args(WASM_FEATURES)
            // What is inlined nowhere is alike everywhere, which gzip likes.
            .args(["--one-caller-inline-max-function-size", "20"])
            .args(["--strip-debug", "--strip-producers", "--strip-target-features"])
            .run()?;
        sh.remove_path(&made)?;
        ensure!(sh.path_exists(format!("{out}/{name}.js")), "no glue was made for {name}");
    }
    Ok(())
}

/// The stage: the package, its size, its types, and what it does.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    setup::program(sh, "kcat", "kcat")?;
    build(sh)?;
    cmd!(sh, "cargo build -p klamm-cli -p klamm-bridge").run()?;
    let programs = sh.current_dir().join("target/debug");
    let _dir = sh.push_dir("wasm");
    cmd!(sh, "node scripts/size.mjs --gate").run()?;
    cmd!(sh, "node scripts/publishable.mjs").run()?;
    cmd!(sh, "node node_modules/typescript/bin/tsc -p test/types").run()?;
    let _command = sh.push_env("KLAMM", programs.join("klamm"));
    let _bridge = sh.push_env("KLAMM_BRIDGE", programs.join("klamm-bridge"));
    // One file at a time: each has a broker of its own, and there are two cores.
    let files = sh.read_dir("test")?;
    let tests = files.iter().filter(|file| file.to_string_lossy().ends_with(".test.mjs"));
    cmd!(sh, "node --test --test-concurrency=1").args(tests).run()?;
    Ok(())
}
