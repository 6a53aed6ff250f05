//! The cases: one file each, and one line in [`CASES`]. A case of other clients (in Node, over a
//! bridge) brings its own `measure`.

mod batching;
mod bridge;
mod failover;
mod idle;
mod keyed;
mod latency;
mod node;
mod stall;
mod threads;
mod throughput;

use crate::bench::Bench;
use crate::chart::Chart;
use crate::results::{Rows, figure};
use anyhow::Result;

/// Something to measure.
pub(crate) struct Case {
    /// The word that `--case` knows it by; the plot's file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is done, for the reader of the table.
    pub(crate) about: &'static str,
    /// Whether `--fast` runs it.
    pub(crate) fast: bool,
    /// The figures that the table shows.
    pub(crate) columns: &'static [&'static str],
    pub(crate) measure: fn(&mut Bench<'_>) -> Result<Rows>,
    /// What klamm is to reach.
    pub(crate) targets: fn(&Rows) -> Vec<Verdict>,
    /// What is drawn; nothing for no plot.
    pub(crate) charts: fn(&Rows) -> Vec<Chart>,
}

/// In this order; those on one node first, for each change of the cluster takes half a minute.
pub(crate) const CASES: &[Case] = &[
    throughput::SMALL,
    throughput::SMALL_LZ4,
    latency::CASE,
    threads::CASE,
    stall::CASE,
    keyed::CASE,
    idle::CASE,
    node::CASE,
    bridge::CASE,
    throughput::LARGE,
    batching::CASE,
    failover::CASE,
];

/// A target, and what was reached.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) value: String,
    pub(crate) target: String,
    pub(crate) met: bool,
}

impl Verdict {
    /// At most so much, if both are known.
    pub(crate) fn at_most(
        what: &str,
        value: Option<f64>,
        limit: Option<f64>,
        said: &str,
    ) -> Option<Self> {
        let (value, limit) = (value?, limit?);
        Some(Self {
            what: what.into(),
            value: format_figure(value),
            target: format!("at most {}{said}", format_figure(limit)),
            met: value <= limit,
        })
    }

    /// At least so much, if both are known.
    pub(crate) fn at_least(
        what: &str,
        value: Option<f64>,
        limit: Option<f64>,
        said: &str,
    ) -> Option<Self> {
        let (value, limit) = (value?, limit?);
        Some(Self {
            what: what.into(),
            value: format_figure(value),
            target: format!("at least {}{said}", format_figure(limit)),
            met: value >= limit,
        })
    }
}

/// The lowest of these peers' figures.
pub(crate) fn lowest(rows: &Rows, point: &str, figure: &str, of: &[&str]) -> Option<f64> {
    let peers = rows.peers(point, figure).into_iter();
    let found = peers.filter(|(name, _)| of.is_empty() || of.contains(name));
    found.map(|(_, value)| value).reduce(f64::min)
}

/// The highest of the peers' figures, and whose.
pub(crate) fn highest<'r>(rows: &'r Rows, point: &str, figure: &str) -> Option<(&'r str, f64)> {
    let peers = rows.peers(point, figure).into_iter();
    peers.max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Three digits that say something, thousands apart.
pub(crate) fn format_figure(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value.abs() < 1_000.0 {
        let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 3);
        return format!("{value:.*}", usize::try_from(digits).unwrap_or_default());
    }
    // Beyond three digits there is noise.
    let scale = 10_f64.powf(value.abs().log10().floor() - 2.0);
    let mut digits = format!("{:.0}", (value / scale).round() * scale);
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    digits
}

/// What a figure is measured in, for an axis.
pub(crate) fn axis(name: &str) -> &str {
    match name {
        figure::CPU => "CPU seconds (user + system) per million records",
        figure::RATE => "records a second",
        figure::RSS => "peak resident memory, MiB",
        figure::P50 => "latency in ms: p50",
        figure::P99 => "latency in ms: p99",
        figure::P999 => "latency in ms: p99.9",
        figure::MAX => "longest time to an acknowledgment, ms",
        figure::IDLE_CPU => "CPU in ms while idle",
        figure::IDLE_REQUESTS => "requests while idle",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::format_figure;

    #[test]
    fn figures_have_three_digits() {
        let said = [0.0, 0.0812, 0.5, 1.0, 12.34, 123.4, 1_234.5, 1_437_000.0].map(format_figure);
        assert_eq!(said, ["0", "0.081", "0.500", "1.00", "12.3", "123", "1,230", "1,440,000"]);
    }
}
