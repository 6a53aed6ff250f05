//! `cargo xtask mutants`: each fault of `tests/sim/mutants.toml`, put into a copy of the core, must be caught by
//! the simulator's tests or seeds. Not part of `cargo xtask test`: it builds the simulator once per fault (without
//! optimisation, for a build takes longer than a run).

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use xshell::{Shell, cmd};

const LIST: &str = "tests/sim/mutants.toml";
/// A copy that deadlocks or spins counts as caught after this many seconds.
const TIMEOUT: &str = "900";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the mutants whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Seeds of the simulator when the tests do not catch it
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// One fault: `find`, which is in `file` exactly once, becomes `replace`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    file: PathBuf,
    find: String,
    replace: String,
    /// Shell command that must fail, instead of the simulator's tests and seeds.
    test: Option<String>,
}

impl Mutant {
    fn put_into(&self, source: &str) -> Result<String> {
        let Self { name, file, find, .. } = self;
        let matches = source.matches(find).count();
        let file = file.display();
        ensure!(matches == 1, "{LIST}, `{name}`: `find` is {matches} times in {file}, not once");
        Ok(source.replace(find, &self.replace))
    }
}

enum Fate {
    Caught(String),
    Survived,
}

pub(crate) fn run(sh: &Shell, args: &Args) -> Result<()> {
    let list: List = toml::from_str(&sh.read_file(LIST)?).with_context(|| LIST)?;
    let only = args.only.as_deref().unwrap_or_default();
    let mutants: Vec<&Mutant> =
        list.mutant.iter().filter(|mutant| mutant.name.contains(only)).collect();
    ensure!(!mutants.is_empty(), "{LIST} has no mutant whose name contains `{only}`");

    // Else half an hour would end at the first that has lost its place.
    for mutant in &mutants {
        mutant.put_into(&sh.read_file(&mutant.file)?)?;
    }
    let tree = copy_tree(sh)?;
    let _dir = sh.push_dir(&tree);
    let _target = sh.push_env("CARGO_TARGET_DIR", tree.with_file_name("build"));
    println!("the unchanged core must pass");
    if let Fate::Caught(by) = judge(sh, None, args.seeds)? {
        bail!("the unchanged core fails: {by}");
    }

    let mut survived = Vec::new();
    for mutant in mutants {
        match try_one(sh, mutant, args.seeds)? {
            Fate::Caught(by) => println!("caught    {}: {by}", mutant.name),
            Fate::Survived => {
                println!("SURVIVED  {}", mutant.name);
                survived.push(mutant.name.as_str());
            }
        }
    }
    ensure!(survived.is_empty(), "not caught: {}", survived.join(", "));
    println!("every mutant was caught");
    Ok(())
}

/// Copies what Git tracks (as it is on disk) and what it would track to a place that stays the same, so that
/// Cargo recognises what it has built.
fn copy_tree(sh: &Shell) -> Result<PathBuf> {
    let root = sh.current_dir();
    let tree = root.join("target/mutants/tree");
    sh.remove_path(&tree)?;
    let files = cmd!(sh, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    for file in files.lines().filter(|file| sh.path_exists(file)) {
        sh.copy_file(file, prepare(sh, &tree.join(file))?)?;
    }
    Ok(tree)
}

fn prepare<'p>(sh: &Shell, path: &'p Path) -> Result<&'p Path> {
    if let Some(dir) = path.parent() {
        sh.create_dir(dir)?;
    }
    Ok(path)
}

fn try_one(sh: &Shell, mutant: &Mutant, seeds: u64) -> Result<Fate> {
    let original = sh.read_file(&mutant.file)?;
    sh.write_file(&mutant.file, mutant.put_into(&original)?)?;
    let fate = judge(sh, mutant.test.as_deref(), seeds)
        .with_context(|| format!("mutant `{}`", mutant.name));
    sh.write_file(&mutant.file, original)?;
    fate
}

/// Does what is in the tree fail its tests? That it does not even build is an error of the list.
fn judge(sh: &Shell, test: Option<&str>, seeds: u64) -> Result<Fate> {
    let build = cmd!(sh, "cargo build --quiet -p klamm-sim --all-targets");
    build.quiet().run().context("does not build")?;
    let seeds = seeds.to_string();
    let sim = "cargo test --quiet -p klamm-sim".to_owned();
    let commands = match test {
        Some(command) => vec![command.to_owned()],
        None => vec![sim, format!("cargo run --quiet -p klamm-sim --bin sim -- --seeds {seeds}")],
    };
    for command in commands {
        let output =
            cmd!(sh, "timeout {TIMEOUT} sh -c {command}").quiet().ignore_status().output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            return Ok(Fate::Caught(first_failure(&command, &text)));
        }
    }
    Ok(Fate::Survived)
}

/// The command, and the first line that says what failed.
fn first_failure(command: &str, output: &str) -> String {
    let line = output.lines().map(str::trim).find(|line| {
        line.ends_with("FAILED") || line.contains("panicked at") || line.contains("seed")
    });
    format!("{command}: {}", line.unwrap_or("no output says why"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two mutants had lost theirs unnoticed: nobody runs all of them after each change of the core.
    #[test]
    fn every_mutant_has_a_place() -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let list: List = toml::from_str(&std::fs::read_to_string(root.join(LIST))?)?;
        assert!(!list.mutant.is_empty());
        for mutant in list.mutant {
            let source = std::fs::read_to_string(root.join(&mutant.file))?;
            assert_ne!(mutant.put_into(&source)?, source, "{}", mutant.name);
        }
        Ok(())
    }
}
