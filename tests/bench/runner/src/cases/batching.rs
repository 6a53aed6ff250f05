//! The claim of a well-known guide: what lingering and compression do to throughput.

use super::{Case, Verdict};
use crate::bench::{Bench, Work, throughput};
use crate::chart::{Chart, bars, ratio_bars};
use crate::clients::{FRANZ_GO, JAVA, KLAMM, KRAFKA, LIBRDKAFKA, RSKAFKA};
use crate::results::{Rows, figure};
use anyhow::Result;

pub(super) const CASE: Case = Case {
    name: "batching",
    title: "lz4 and 10 ms of linger against no batching",
    about: "Records of 100 bytes (JSON), three brokers, 6 partitions with three replicas each, acks=all, \
            min.insync.replicas=2, idempotent (not rskafka). Batching: lz4, linger 10 ms, batches of 64 KiB. No batching: no \
            compression, linger 0, one record in a batch. The last column of the ratio plot is what batching gives each client.",
    fast: false,
    columns: &[figure::RATE, figure::CPU],
    measure,
    targets,
    charts,
};

const BATCHED: &str = "lz4, linger 10 ms";
const SINGLE: &str = "no batching";

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let clients = bench.chosen(&[KLAMM, LIBRDKAFKA, FRANZ_GO, JAVA, RSKAFKA, KRAFKA]);
    let batched = Work::new(bench.scaled(1_000_000), 100, 6)
        .with("compression", "lz4")
        .with("linger", 10)
        .with("batch", 65_536);
    let mut single = Work::new(bench.scaled(20_000), 100, 6)
        .with("linger", 0)
        .with("batch", 1)
        .with("seconds", 4);
    single.warmup = bench.scaled(2_000);
    let mut all = Rows::default();
    for (point, work) in [(BATCHED, batched), (SINGLE, single)] {
        let turns: Vec<_> = clients.iter().map(|client| (*client, work.clone())).collect();
        all.0.extend(bench.alternate(3, point, &turns, throughput)?.0);
    }
    Ok(all)
}

/// No target, but the answer: how many times as fast.
fn targets(rows: &Rows) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for client in rows.clients() {
        let batched = rows.get(BATCHED, client, figure::RATE);
        let single = rows.get(SINGLE, client, figure::RATE);
        if let (Some(batched), Some(single)) = (batched, single) {
            verdicts.push(Verdict {
                what: format!("batching makes {client} faster"),
                value: format!("{:.1} times", batched / single),
                target: "more than once".into(),
                met: batched > single,
            });
        }
    }
    verdicts
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![
        bars(rows, figure::RATE, "higher is better"),
        ratio_bars(rows, figure::RATE, BATCHED, SINGLE, "times as fast with batching"),
    ]
}
