//! How long a record takes at a rate that nobody has trouble with.

use super::{Case, Verdict, lowest};
use crate::bench::{Bench, Work, latency};
use crate::chart::{Chart, bars};
use crate::clients::{FULL, KLAMM};
use crate::results::{Rows, figure};
use anyhow::Result;

pub(super) const CASE: Case = Case {
    name: "latency",
    title: "Latency without lingering",
    about: "Records of 100 bytes at an even rate, linger 0, one broker, 6 partitions, acks=all, idempotent, for 6 s after a \
            warm-up. Latency is from the moment at which a record was due (open loop: what waits behind a stall is part of \
            the stall) to its callback. CPU includes what making the load costs: sleeping and waking at that rate.",
    fast: true,
    columns: &[figure::P50, figure::P99, figure::P999, figure::MAX, figure::CPU],
    measure,
    targets,
    charts,
};

const RATES: [(u64, &str); 2] = [(1_000, "1,000 records/s"), (10_000, "10,000 records/s")];

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let mut all = Rows::default();
    for (rate, point) in RATES {
        let seconds = match bench.args {
            args if args.quick => 1,
            args if args.fast => 4,
            _ => 6,
        };
        let mut work = Work::new(rate * seconds, 100, 6).with("rate", rate).with("linger", 0);
        // A JVM has to compile first, and the others have to connect.
        work.warmup = bench.scaled(50_000);
        let turns: Vec<_> =
            bench.chosen(&FULL).into_iter().map(|client| (client, work.clone())).collect();
        all.0.extend(bench.alternate(1, point, &turns, latency)?.0);
    }
    Ok(all)
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (_, point) in RATES {
        for percentile in [figure::P50, figure::P99, figure::P999] {
            let best = lowest(rows, point, percentile, &[]);
            let what = format!("{percentile} at {point}");
            let value = rows.get(point, KLAMM.name, percentile);
            verdicts.extend(Verdict::at_most(&what, value, best, ": the best peer"));
        }
    }
    verdicts
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![
        bars(rows, figure::P50, "lower is better"),
        bars(rows, figure::P99, "lower is better"),
        bars(rows, figure::P999, "lower is better"),
    ]
}
