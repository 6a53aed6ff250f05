//! Builds the producers; what is missing for that is named.

use anyhow::{Context, Result, bail};
use klamm_interop::setup::{self, Tools, repository};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Where everything is.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) tools: Tools,
    /// The folder of the Rust producers.
    pub(crate) rust: PathBuf,
    pub(crate) franz_go: PathBuf,
    pub(crate) classes: PathBuf,
    pub(crate) jars: PathBuf,
    /// Node itself, of one version for all.
    pub(crate) node: PathBuf,
    /// The folder of the producers in Node, with what they need.
    pub(crate) node_peers: PathBuf,
    /// klamm-bridge.
    pub(crate) bridge: PathBuf,
    /// Versions of what is no producer: names and texts.
    pub(crate) versions: Vec<(String, String)>,
}

/// Builds what is not built.
pub(crate) fn programs() -> Result<Programs> {
    let tools = setup::tools_of(setup::NEWEST)?;
    let here = repository().join("tests/bench");
    let target = repository().join("target/bench");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(&cargo);
    build.args(["build", "--release", "--workspace", "--exclude", "klamm-bench"]);
    let mut bridge = Command::new(cargo);
    bridge.args(["build", "--release", "-p", "klamm-bridge"]);
    // What Cargo told this program about its own package would make build scripts run again.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|it| name.to_string_lossy().starts_with(it))
        {
            build.env_remove(&name);
            bridge.env_remove(name);
        }
    }
    run(bridge.env_remove("CARGO_TARGET_DIR").current_dir(repository()), "it is part of klamm")?;
    run(
        build.env("CARGO_TARGET_DIR", &target).current_dir(&here),
        "a C compiler and make are needed for librdkafka (Debian: apt-get install build-essential)",
    )?;
    let franz_go = target.join("franz-go");
    run(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&franz_go)
            .arg(".")
            .current_dir(here.join("peers/franz-go")),
        "Go 1.26 or newer is needed (https://go.dev/dl; Debian: apt-get install golang)",
    )?;
    let classes = target.join("classes");
    run(
        Command::new("javac")
            .arg("-cp")
            .arg(format!("{}/*", tools.libs.display()))
            .arg("-d")
            .arg(&classes)
            .arg(here.join("peers/java/Peer.java")),
        "a JDK 17 or newer is needed (Debian: apt-get install openjdk-17-jdk-headless)",
    )?;
    let (node, node_peers) = node_peers()?;
    let versions = vec![
        ("Apache Kafka".to_owned(), tools.version.clone()),
        ("JVM".to_owned(), version("java", "-version")?),
        ("Go".to_owned(), version("go", "version")?),
        ("Node".to_owned(), version(&node.display().to_string(), "--version")?),
        ("Rust".to_owned(), version("rustc", "--version")?),
    ];
    let jars = tools.libs.clone();
    let rust = target.join("release");
    let bridge = repository().join("target/release/klamm-bridge");
    Ok(Programs { tools, rust, franz_go, classes, jars, node, node_peers, bridge, versions })
}

/// Fetches Node and the producers in it, and puts the klamm package next to them.
fn node_peers() -> Result<(PathBuf, PathBuf)> {
    let source = repository().join("tests/bench/peers/node");
    let folder = repository().join("target/bench/node");
    fs::create_dir_all(&folder)?;
    for file in fs::read_dir(&source)? {
        let file = file?;
        fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    let klamm = repository().join("wasm/pkg");
    if !klamm.join("klamm.wasm").exists() {
        bail!("{} has no package: cargo xtask web makes it", klamm.display());
    }
    // npm takes away what it has not installed itself.
    let link = folder.join("node_modules/klamm");
    if link.is_symlink() {
        fs::remove_file(&link)?;
    }
    run(
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder),
        "npm is needed (Debian: apt-get install npm)",
    )?;
    std::os::unix::fs::symlink(&klamm, &link)?;
    Ok((folder.join("node_modules/node/bin/node"), folder))
}

fn run(command: &mut Command, how: &str) -> Result<()> {
    let name = command.get_program().display().to_string();
    let status = command.status().with_context(|| format!("`{name}` does not run: {how}"))?;
    if !status.success() {
        bail!("`{name}` ended with {status}; {how}");
    }
    Ok(())
}

/// What looks like a version in what a program says first.
fn version(program: &str, argument: &str) -> Result<String> {
    let out = Command::new(program).arg(argument).output()?;
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let mut versions = words.filter(|word| word.contains('.') && word.len() > 2);
    Ok(versions.next().unwrap_or("unknown").to_owned())
}
