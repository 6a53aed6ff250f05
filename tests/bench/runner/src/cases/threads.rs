//! Several threads that send through one producer.

use super::{Case, Verdict};
use crate::bench::{Bench, Work, throughput};
use crate::chart::{Chart, bars};
use crate::clients::FULL;
use crate::results::{Rows, figure};
use anyhow::Result;

pub(super) const CASE: Case = Case {
    name: "threads",
    title: "1, 2 and 4 sending threads",
    about: "As the first case, 500,000 records, sent by 1, 2 and 4 threads through one producer. On a machine with as few \
            cores as this one more threads have nothing to run on: what grows is contention.",
    fast: false,
    columns: &[figure::CPU, figure::RATE, figure::RSS],
    measure,
    targets,
    charts,
};

const THREADS: [(u64, &str); 3] = [(1, "1 thread"), (2, "2 threads"), (4, "4 threads")];

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let clients = bench.chosen(&FULL);
    let mut all = Rows::default();
    for (threads, point) in THREADS {
        let work = Work::new(bench.scaled(500_000), 100, 6).with("threads", threads);
        let turns: Vec<_> = clients.iter().map(|client| (*client, work.clone())).collect();
        all.0.extend(bench.alternate(1, point, &turns, throughput)?.0);
    }
    Ok(all)
}

fn targets(_: &Rows) -> Vec<Verdict> {
    Vec::new()
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![bars(rows, figure::CPU, "lower is better"), bars(rows, figure::RATE, "higher is better")]
}
