//! The lists of tests, `tests/acceptance.md` and `tests/scenarios.md`, name tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// Where the tests are that `tests/scenarios.md` names without their file.
const SCENARIOS: &[&str] = &["tests/sim/tests", "adapters/std/tests/suite"];
/// Tests of this folder are functions; macros make a `#[test]` of each for every adapter.
const CONFORMANCE: &str = "tests/conformance/src/";

#[test]
fn every_acceptance_row_names_a_test() -> Result<()> {
    let list = read("tests/acceptance.md")?;
    let rows: Vec<[&str; 2]> = rows(&list)?;
    assert!(rows.len() > 180, "{} rows were found", rows.len());
    for pair in rows.windows(2) {
        assert!(pair[0] < pair[1], "{} is out of order, or twice", pair[1].join(" "));
    }
    for [row, test] in rows {
        check_acceptance(test).with_context(|| format!("tests/acceptance.md, {row}"))?;
    }
    Ok(())
}

#[test]
fn every_scenario_names_a_test() -> Result<()> {
    let list = read("tests/scenarios.md")?;
    let rows: Vec<[&str; 3]> = rows(&list)?;
    assert!(rows.len() > 70, "{} rows were found", rows.len());
    let sources = scenario_sources()?;
    for [bug, _, tests] in rows {
        check_scenario(tests, &sources).with_context(|| format!("tests/scenarios.md, {bug}"))?;
    }
    Ok(())
}

#[test]
fn a_wrong_name_is_noticed() -> Result<()> {
    let right = "adapters/host/src/properties.rs::sets_what_javas_names_say";
    check_acceptance(right)?;
    for wrong in [
        "adapters/host/src/properties.rs::sets_what_javas_names_sa",
        "adapters/host/src/properties.rs::sets_what_javas_names_say_",
        "adapters/host/src/property.rs::sets_what_javas_names_say",
        "adapters/host/src/properties.rs",
        // Functions, but no tests.
        "adapters/std/tests/suite/common.rs::producer",
        "tests/conformance/src/tests/deliver.rs::log",
    ] {
        assert!(check_acceptance(wrong).is_err(), "{wrong}");
    }
    let sources = scenario_sources()?;
    check_scenario("`s52_an_idle_producer_sleeps`", &sources)?;
    check_scenario("`cargo xtask test --only targets`: instructions", &sources)?;
    for wrong in ["`s52_an_idle_producer_sleep`", "s52_an_idle_producer_sleeps", "`a`, `b`", ""] {
        assert!(check_scenario(wrong, &sources).is_err(), "{wrong}");
    }
    assert!(rows::<2>("| row | test |\n|---|---|\n| AK-01 | a | b |\n").is_err());
    Ok(())
}

/// `file::function`.
fn check_acceptance(test: &str) -> Result<()> {
    let (file, name) = test.split_once("::").context("it is not file::function")?;
    let source = read(file)?;
    let instances = if file.starts_with(CONFORMANCE) {
        read(&format!("{CONFORMANCE}lib.rs"))?
    } else {
        String::new()
    };
    ensure!(is_test(&source, name, &instances), "no test `{name}` in {file}");
    Ok(())
}

/// Names in backticks, separated by commas, or a command and what it shows.
fn check_scenario(tests: &str, sources: &[String]) -> Result<()> {
    if tests.starts_with("`cargo xtask test --only ") {
        return Ok(());
    }
    let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
    ensure!(!names.is_empty(), "no test in backticks");
    for name in names {
        let found = sources.iter().any(|source| is_test(source, name, ""));
        ensure!(found, "no test `{name}` in {}", SCENARIOS.join(", "));
    }
    Ok(())
}

/// Is this function a `#[test]`, called by one in its file, or named where the macros are?
fn is_test(source: &str, name: &str, instances: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim_start).collect();
    let starts = [format!("fn {name}("), format!("fn {name}<")];
    let defines = |line: &&str| starts.iter().any(|start| line.contains(start));
    let Some(at) = lines.iter().position(defines) else { return false };
    let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with(['#', '/']));
    let is_marked = above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::"));
    // `fork.rs` has a `main` of its own, and scenarios that share brokers one test.
    let is_listed = |text: &str| words(text).any(|word| word == name);
    let others = lines.iter().enumerate().filter(|(n, line)| *n != at && !line.starts_with("//"));
    let is_called = || others.map(|(_, line)| *line).any(is_listed);
    is_marked || if instances.is_empty() { is_called() } else { is_listed(instances) }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// The rows of the file's table, without its head.
fn rows<const COLUMNS: usize>(text: &str) -> Result<Vec<[&str; COLUMNS]>> {
    let lines = text.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            cells.try_into().ok().with_context(|| format!("not {COLUMNS} columns: {line}"))
        })
        .collect()
}

fn scenario_sources() -> Result<Vec<String>> {
    let mut sources = Vec::new();
    for folder in SCENARIOS {
        for entry in fs::read_dir(root().join(folder))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(fs::read_to_string(path)?);
            }
        }
    }
    Ok(sources)
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(root().join(file)).with_context(|| format!("no file {file}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
