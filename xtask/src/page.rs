//! `cargo xtask page`: builds the demo page, `wasm/page` and the playground's module, into the folder that the bridge
//! serves; and tries it in a browser.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

use crate::target::Compiler;
use crate::{setup, web};

const WASM: &str = "wasm32-unknown-unknown";
const SOURCES: &str = "wasm/page";
/// Built and checked in: the bridge has it inside, and building a bridge needs no Node.
const SITE: &str = "adapters/bridge/page";
const MODULE: &str = "klamm_playground";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Serve it on this port, and build nothing
    #[arg(long, value_name = "PORT")]
    serve: Option<u16>,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    setup::program(sh, "node", "nodejs")?;
    if let Some(port) = args.serve {
        let port = port.to_string();
        return Ok(cmd!(sh, "node {SOURCES}/test/serve.mjs {SITE} {port}").run()?);
    }
    build(sh, Path::new(SITE))
}

/// What is checked in is what the sources give; then everything is tried in Chromium, with what was built just now.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    setup::program(sh, "node", "nodejs")?;
    setup::program(sh, "npm", "npm")?;
    setup::program(sh, "chromium", "chromium")?;
    let site = sh.current_dir().join("target/page");
    sh.remove_path(&site)?;
    build(sh, &site)?;
    for file in ["app.js", "style.css", "index.html", "icon.svg"] {
        let (new, old) = (sh.read_file(site.join(file))?, sh.read_file(Path::new(SITE).join(file)));
        let same = old.is_ok_and(|old| old == new);
        ensure!(same, "{SITE}/{file} is not what {SOURCES} gives: run cargo xtask page");
    }
    // Live needs the package, and a bridge with this page in it.
    web::build(sh)?;
    cmd!(sh, "cargo build -p klamm-bridge").run()?;
    let bridge = sh.current_dir().join("target/debug/klamm-bridge");
    let _dir = sh.push_dir(SOURCES);
    cmd!(sh, "node_modules/.bin/tsc --noEmit").run()?;
    cmd!(sh, "node --test --test-concurrency=1 test/playground.test.mjs test/live.test.mjs")
        .env("KLAMM_PAGE", site)
        .env("KLAMM_BRIDGE", bridge)
        .run()?;
    Ok(())
}

fn build(sh: &Shell, site: &Path) -> Result<()> {
    let module = module(sh)?;
    let out = sh.current_dir().join(site);
    let simulator = out.join("simulator");
    sh.remove_path(&simulator)?;
    cmd!(sh, "cargo run -q -p klamm-bindgen -- {module} {simulator} --whole").run()?;
    let _dir = sh.push_dir(SOURCES);
    if !sh.path_exists("node_modules/.package-lock.json") {
        cmd!(sh, "npm ci --no-audit --no-fund --fetch-retries=5").run()?;
    }
    cmd!(sh, "node build.mjs {out}").run()?;
    for file in sh.read_dir(&simulator)? {
        // Declarations are for editors.
        if file.extension().is_some_and(|extension| extension == "ts") {
            sh.remove_path(file)?;
        }
    }
    let wasm = simulator.join(format!("{MODULE}_bg.wasm"));
    println!("{}: {} KiB", wasm.display(), std::fs::metadata(&wasm)?.len() / 1_024);
    Ok(())
}

/// The simulator for WebAssembly.
fn module(sh: &Shell) -> Result<PathBuf> {
    let compiler = Compiler::find(sh, &[WASM])?;
    compiler.build(sh, WASM).args(["--profile", "web", "-p", "klamm-playground"]).run()?;
    let file = format!("{}/{WASM}/web/{MODULE}.wasm", compiler.target_dir());
    sh.current_dir().join(file).canonicalize().context("the playground's module was not built")
}
