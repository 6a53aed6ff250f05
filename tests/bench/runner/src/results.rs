//! What was measured: every figure of every round, kept as JSON next to the table that is made of it.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Names of figures, as in the JSON.
pub(crate) mod figure {
    pub(crate) const RATE: &str = "records/s";
    pub(crate) const CPU: &str = "CPU s per million";
    pub(crate) const RSS: &str = "peak RSS MiB";
    pub(crate) const P50: &str = "p50 ms";
    pub(crate) const P99: &str = "p99 ms";
    pub(crate) const P999: &str = "p99.9 ms";
    pub(crate) const MAX: &str = "max ms";
    pub(crate) const EACH: &str = "KiB each";
    pub(crate) const PER_CORE: &str = "records/s a core";
    pub(crate) const LOST: &str = "lost";
    pub(crate) const TWICE: &str = "twice";
    pub(crate) const DISORDER: &str = "out of order";
    pub(crate) const FAILED: &str = "reported as failed";
    pub(crate) const IDLE_CPU: &str = "idle CPU ms";
    pub(crate) const IDLE_REQUESTS: &str = "idle requests";
    pub(crate) const IDLE_OTHERS: &str = "neither metadata nor handshake";
    pub(crate) const IDLE_BYTES: &str = "idle bytes";
}

/// All cases that were ever run here, by name.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) cases: BTreeMap<String, CaseResult>,
}

/// One case.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct CaseResult {
    /// What was measured where: names and texts.
    pub(crate) machine: Vec<(String, String)>,
    pub(crate) rounds: u32,
    /// Only to see whether the machinery works: no measurement.
    pub(crate) quick: bool,
    pub(crate) rows: Rows,
}

/// One line of a case's table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    /// What varies within the case, as `1,000 partitions`; may be empty.
    pub(crate) point: String,
    /// The client's name.
    pub(crate) client: String,
    /// By name: one value a round.
    pub(crate) figures: BTreeMap<String, Vec<f64>>,
}

/// The lines of a case's table.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

impl Row {
    pub(crate) fn new(point: &str, client: &str) -> Self {
        Self { point: point.into(), client: client.into(), figures: BTreeMap::new() }
    }

    pub(crate) fn push(&mut self, figure: &str, value: f64) {
        self.figures.entry(figure.into()).or_default().push(value);
    }

    /// What is said of a figure: the geometric mean of its rounds; of memory and of what may never
    /// happen, the most; of what may be 0, the mean.
    pub(crate) fn get(&self, figure: &str) -> Option<f64> {
        let values = self.figures.get(figure).filter(|values| !values.is_empty())?;
        let count = values.len() as f64;
        Some(match figure {
            figure::RSS
            | figure::LOST
            | figure::TWICE
            | figure::DISORDER
            | figure::FAILED
            | figure::IDLE_OTHERS => values.iter().copied().fold(0.0, f64::max),
            figure::IDLE_CPU | figure::IDLE_REQUESTS | figure::IDLE_BYTES => {
                values.iter().sum::<f64>() / count
            }
            _ => (values.iter().map(|value| value.ln()).sum::<f64>() / count).exp(),
        })
    }

    /// The least and the most of all rounds.
    pub(crate) fn spread(&self, figure: &str) -> Option<(f64, f64)> {
        let values = self.figures.get(figure).filter(|values| !values.is_empty())?;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        Some((least, values.iter().copied().fold(0.0, f64::max)))
    }
}

impl Rows {
    /// The figure of a client at a point.
    pub(crate) fn get(&self, point: &str, client: &str, figure: &str) -> Option<f64> {
        let row = self.0.iter().find(|row| row.point == point && row.client == client)?;
        row.get(figure)
    }

    /// Each round's, where there was one.
    pub(crate) fn rounds(&self, point: &str, client: &str, figure: &str) -> Option<&[f64]> {
        let row = self.0.iter().find(|row| row.point == point && row.client == client)?;
        row.figures.get(figure).map(Vec::as_slice).filter(|rounds| !rounds.is_empty())
    }

    /// The figures of those that are not klamm, with their names.
    pub(crate) fn peers(&self, point: &str, figure: &str) -> Vec<(&str, f64)> {
        let rows = self.0.iter().filter(|row| row.point == point && !is_klamm(&row.client));
        rows.filter_map(|row| Some((row.client.as_str(), row.get(figure)?))).collect()
    }

    /// Points in the order in which they were measured.
    pub(crate) fn points(&self) -> Vec<&str> {
        distinct(self.0.iter().map(|row| row.point.as_str()))
    }

    /// Clients in the order in which they were measured first.
    pub(crate) fn clients(&self) -> Vec<&str> {
        distinct(self.0.iter().map(|row| row.client.as_str()))
    }
}

/// Whether a client is klamm, in any of its ways to send.
pub(crate) fn is_klamm(client: &str) -> bool {
    client.starts_with("klamm")
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

impl Results {
    /// What the file has; nothing where there is none.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
