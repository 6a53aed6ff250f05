//! A broker that accepts and never answers, for a minute.

use super::{Case, Verdict};
use crate::bench::{Bench, Work};
use crate::chart::{Chart, bars};
use crate::clients::{FULL, KLAMM, KLAMM_REPORTS};
use crate::content;
use crate::results::{Row, Rows, figure};
use anyhow::{Result, ensure};
use core::time::Duration;
use std::thread;

pub(super) const CASE: Case = Case {
    name: "stall-memory",
    title: "A broker that does not answer for a minute",
    about: "All producers at the same time, each with a topic of its own and 32 MiB to buffer: 150,000 numbered records of \
            1,024 bytes, 10,000 a second. After some seconds the broker is frozen (SIGSTOP: connections stay open, nothing \
            is answered) for 60 s, so every buffer fills; then it goes on. Afterwards every number is looked for.",
    fast: false,
    columns: &[figure::RSS, figure::LOST, figure::TWICE, figure::DISORDER, figure::FAILED],
    measure,
    targets,
    charts,
};

const BUFFER: u32 = 32 * 1024 * 1024;

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let (records, stall) = if bench.args.quick { (60_000, 5) } else { (150_000, 60) };
    let work = Work { warmup: 0, ..Work::new(records, 1_024, 6) }
        .with("numbered", 1)
        .with("rate", 10_000)
        .with("buffer", BUFFER);
    let bootstrap = bench.cluster(1)?.bootstrap();
    let [_, others @ ..] = FULL;
    let clients = bench.chosen(&[&[KLAMM_REPORTS], &others[..]].concat());
    let running = bench.start_together(1, &clients, &work)?;
    eprintln!("  the broker is frozen for {stall} s");
    bench.cluster(1)?.node(1)?.freeze()?;
    thread::sleep(Duration::from_secs(stall));
    bench.cluster(1)?.node(1)?.thaw()?;
    let mut rows = Vec::new();
    let mut answers = Vec::new();
    for (client, topic, process) in running {
        answers.push((client, topic, process.finish()?));
    }
    for (client, topic, answer) in answers {
        let content = content::read(&bootstrap, &topic, records)?;
        ensure!(answer.acked + answer.failed == records, "{} forgot records", client.name);
        let mut row = Row::new("", client.name);
        row.push(figure::RSS, answer.rss_mib());
        row.push(figure::LOST, content.absent.saturating_sub(answer.failed) as f64);
        row.push(figure::TWICE, content.twice as f64);
        row.push(figure::DISORDER, content.disorder as f64);
        row.push(figure::FAILED, answer.failed as f64);
        eprintln!("  {}: {:.0} MiB, {content:?}", client.name, answer.rss_mib());
        rows.push(row);
        bench.delete_topic(1, &topic)?;
    }
    Ok(Rows(rows))
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let get = |figure| rows.get("", KLAMM.name, figure);
    let rss = get(figure::RSS);
    let said = " (32 MiB buffered + 8)";
    let zero = |what, figure| Verdict::at_most(what, get(figure), Some(0.0), "");
    [
        Verdict::at_most("peak memory over a stall of a minute, MiB", rss, Some(40.0), said),
        zero("records lost over the stall", figure::LOST),
        zero("records twice over the stall", figure::TWICE),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![bars(rows, figure::RSS, "lower is better")]
}
