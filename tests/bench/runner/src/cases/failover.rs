//! A leader is killed with everyone at work.

use super::{Case, Verdict, lowest};
use crate::bench::{Bench, Work};
use crate::chart::{Chart, bars};
use crate::clients::{FULL, KLAMM};
use crate::content;
use crate::results::{Row, Rows, figure};
use anyhow::Result;
use core::time::Duration;
use std::thread;

pub(super) const CASE: Case = Case {
    name: "failover",
    title: "kill -9 of a leader",
    about: "Three brokers, 12 partitions with three replicas each, min.insync.replicas=2, acks=all, idempotent. All \
            producers at the same time, each with a topic of its own: 150,000 numbered records of 100 bytes, 5,000 a \
            second. In the middle of it a broker that leads a third of the partitions gets kill -9; Kafka takes 6 s to give up \
            on it. The longest time from when a record was due to its acknowledgment is how long the failover took. \
            Afterwards every number is looked for. A round each kills.",
    fast: false,
    columns: &[
        figure::MAX,
        figure::P50,
        figure::LOST,
        figure::TWICE,
        figure::DISORDER,
        figure::FAILED,
    ],
    measure,
    targets,
    charts,
};

const ROUNDS: u32 = 3;
/// It is no controller.
const VICTIM: u32 = 3;

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let records = if bench.args.quick { 100_000 } else { 150_000 };
    let work = Work { warmup: 0, ..Work::new(records, 100, 12) }
        .with("numbered", 1)
        .with("rate", 5_000)
        .with("linger", 5);
    let clients = bench.chosen(&FULL);
    let mut rows: Vec<_> = clients.iter().map(|client| Row::new("", client.name)).collect();
    for round in 0..bench.rounds().min(ROUNDS) {
        let bootstrap = bench.cluster(3)?.bootstrap();
        let running = bench.start_together(3, &clients, &work)?;
        bench.cluster(3)?.node(VICTIM)?.kill()?;
        let mut answers = Vec::new();
        for (client, topic, process) in running {
            answers.push((client, topic, process.finish()?));
        }
        bench.cluster(3)?.node(VICTIM)?.start()?;
        bench.cluster(3)?.wait_until_alive()?;
        for ((client, topic, answer), row) in answers.into_iter().zip(&mut rows) {
            bench.cluster(3)?.helper.wait_in_sync(&bootstrap, &topic, 3)?;
            let content = content::read(&bootstrap, &topic, records)?;
            let [p50, .., max] = answer.latency_us;
            row.push(figure::MAX, max as f64 / 1e3);
            row.push(figure::P50, p50 as f64 / 1e3);
            row.push(figure::LOST, content.absent.saturating_sub(answer.failed) as f64);
            row.push(figure::TWICE, content.twice as f64);
            row.push(figure::DISORDER, content.disorder as f64);
            row.push(figure::FAILED, answer.failed as f64);
            eprintln!("  round {round}, {}: {:.1} s, {content:?}", client.name, max as f64 / 1e6);
            bench.delete_topic(3, &topic)?;
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(Rows(rows))
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let get = |figure| rows.get("", KLAMM.name, figure);
    let best = lowest(rows, "", figure::MAX, &[]);
    let zero = |what, figure| Verdict::at_most(what, get(figure), Some(0.0), "");
    [
        Verdict::at_most("failover, ms", get(figure::MAX), best, ": the best peer"),
        zero("records lost over the failover", figure::LOST),
        zero("records twice over the failover", figure::TWICE),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![bars(rows, figure::MAX, "lower is better")]
}
