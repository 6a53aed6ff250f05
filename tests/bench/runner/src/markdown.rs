//! The tables: `docs/benchmarks.md`, and a short form for the README, between its markers.

use crate::cases::{CASES, Case, Verdict, format_figure};
use crate::results::{CaseResult, Results, figure};
use anyhow::{Context, Result};
use core::fmt::Write as _;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- benchmarks: written by cargo xtask bench -->";
const END: &str = "<!-- end of benchmarks -->";

/// Writes the page; `plots` names the pictures next to it.
pub(crate) fn page(results: &Results, path: &Path) -> Result<()> {
    let mut text = String::from(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench`; every figure of every round is in `benchmarks.json`. Producers take turns, and \
         whoever began a round begins the next one last; a round that is not counted warms the brokers up. Each run is a \
         process of its own that connects, warms up, and is then measured from its first record to its last \
         acknowledgment; afterwards the topic's end offsets must be what it says it sent. Figures are geometric means \
         over all rounds (memory: the most); in the plots a thin line spans the least and the most. CPU is user and \
         system time of the whole producing process. Ratios carry over to other machines, absolute figures do not.\n\n",
    );
    targets(&mut text, results);
    for (case, result) in measured(results) {
        writeln!(text, "## {}\n\n{}\n", case.title, case.about)?;
        machine(&mut text, result)?;
        writeln!(text, "![{}](benchmarks/{}.svg)\n", case.title, case.name)?;
        table(&mut text, case, result)?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Puts the main figures between the README's markers.
pub(crate) fn readme(results: &Results, path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let missing = || format!("{} has no `{BEGIN}` ... `{END}`", path.display());
    let (before, rest) = text.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    let mut middle = String::new();
    if let Some((case, result)) = measured(results).next() {
        machine(&mut middle, result)?;
        writeln!(middle, "![{}](docs/benchmarks/{}.svg)\n", case.title, case.name)?;
        table(&mut middle, case, result)?;
    }
    targets(&mut middle, results);
    let text = format!("{before}{BEGIN}\n\n{middle}{END}{after}");
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Cases that were measured, in their order.
fn measured(results: &Results) -> impl Iterator<Item = (&'static Case, &CaseResult)> {
    CASES.iter().filter_map(|case| Some((case, results.cases.get(case.name)?)))
}

/// All targets: value, target, met or not.
fn targets(text: &mut String, results: &Results) {
    text.push_str("| case | what | klamm | target | |\n|---|---|---|---|---|\n");
    for (case, result) in measured(results) {
        let quick = if result.quick { " (**quick**: no measurement)" } else { "" };
        for Verdict { what, value, target, met } in (case.targets)(&result.rows) {
            let met = if met { "met" } else { "**not met**" };
            // Writing to a text does not fail.
            let _ =
                writeln!(text, "| {}{quick} | {what} | {value} | {target} | {met} |", case.title);
        }
    }
    text.push('\n');
}

fn machine(text: &mut String, result: &CaseResult) -> Result<()> {
    let rounds = match result.rounds {
        1 => "1 round".to_owned(),
        rounds => format!("{rounds} rounds"),
    };
    let quick = if result.quick { "**A trial of the machinery, no measurement.** " } else { "" };
    let facts: Vec<_> =
        result.machine.iter().map(|(name, text)| format!("{name}: {text}")).collect();
    Ok(writeln!(text, "{quick}{rounds}; {}.\n", facts.join("; "))?)
}

fn table(text: &mut String, case: &Case, result: &CaseResult) -> Result<()> {
    let rows = &result.rows;
    let points = rows.0.iter().any(|row| !row.point.is_empty());
    let shown = |name: &&str| rows.0.iter().any(|row| row.figures.contains_key(*name));
    let columns: Vec<&str> = case.columns.iter().copied().filter(shown).collect();
    // Against klamm, only where it says something.
    let ratios = [figure::CPU, figure::RATE].map(|name| columns.contains(&name).then_some(name));
    let mut head: Vec<String> = Vec::new();
    head.extend(points.then(String::new));
    head.push("producer".into());
    head.extend(columns.iter().map(|name| (*name).to_owned()));
    head.extend(ratios.iter().flatten().map(|name| format!("{name}: times klamm's")));
    writeln!(text, "| {} |", head.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(head.len()))?;
    for row in &rows.0 {
        let mut cells: Vec<String> = Vec::new();
        cells.extend(points.then(|| row.point.clone()));
        let name = &row.client;
        cells.push(if name == "klamm" { format!("**{name}**") } else { name.clone() });
        let cell = |value: Option<f64>| value.map_or_else(String::new, format_figure);
        cells.extend(columns.iter().map(|name| cell(row.get(name))));
        for name in ratios.iter().flatten() {
            let klamm = rows.get(&row.point, "klamm", name);
            cells.push(cell(row.get(name).zip(klamm).map(|(value, klamm)| value / klamm)));
        }
        writeln!(text, "| {} |", cells.join(" | "))?;
    }
    writeln!(text)?;
    Ok(())
}
