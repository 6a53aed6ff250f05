//! Records with keys, over more and more partitions.

use super::{Case, Verdict, highest};
use crate::bench::{Bench, Work, say, throughput};
use crate::chart::{Chart, lines};
use crate::clients::{FRANZ_GO, FULL, KLAMM, LIBRDKAFKA};
use crate::results::{Row, Rows, figure};
use anyhow::Result;

pub(super) const CASE: Case = Case {
    name: "keyed",
    title: "Keyed records over 1 to 10,000 partitions",
    about: "Records of 100 bytes with one of 100,000 keys of 8 bytes, over 1, 100, 1,000 and 10,000 partitions of one \
            broker, acks=all, idempotent, linger 5 ms: as many as a client sends in 3 s (500,000 at most), after a warm-up. \
            What a broker does for 10,000 partitions is the same for everyone.",
    fast: false,
    columns: &[figure::CPU, figure::RATE, figure::RSS],
    measure,
    targets,
    charts,
};

pub(super) const PARTITIONS: [(u32, &str); 4] = [
    (1, "1 partition"),
    (100, "100 partitions"),
    (1_000, "1,000 partitions"),
    (10_000, "10,000 partitions"),
];

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let mut all = Rows::default();
    let clients = bench.chosen(&FULL);
    for (partitions, point) in PARTITIONS {
        // To see the machinery work takes no minute of making partitions.
        let partitions = if bench.args.quick { partitions.min(1_000) } else { partitions };
        let mut work = Work::new(bench.scaled(500_000), 100, partitions)
            .with("keys", 100_000)
            .with("seconds", 3);
        work.warmup = bench.scaled(20_000);
        // One topic for all: 10,000 partitions take too long to make.
        let topic = bench.new_topic(1, partitions)?;
        let mut rows: Vec<_> = clients.iter().map(|it| Row::new(point, it.name)).collect();
        let mut stored = 0;
        for round in u32::from(bench.args.quick)..=bench.rounds() {
            for turn in 0..clients.len() {
                let turn = (turn + round as usize) % clients.len();
                let answer = bench.run_one(1, clients[turn], &topic, &work, stored)?;
                stored += answer.acked + answer.warmup;
                if round > 0 {
                    throughput(&answer, &mut rows[turn]);
                }
                say(point, round, clients[turn].name, &answer);
            }
        }
        if partitions < 10_000 {
            bench.delete_topic(1, &topic)?;
        } else {
            bench.standing_topic = Some(topic);
        }
        all.0.extend(rows);
    }
    Ok(all)
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let [(_, one), _, (_, thousand), _] = PARTITIONS;
    let cpu = |client, point| rows.get(point, client, figure::CPU);
    let growth = |client| Some(cpu(client, thousand)? / cpu(client, one)?);
    let mut verdicts: Vec<_> = Verdict::at_most(
        "CPU at 1,000 partitions, times that at 1",
        growth(KLAMM.name),
        Some(2.0),
        &[LIBRDKAFKA, FRANZ_GO]
            .into_iter()
            .filter_map(|it| Some(format!("; {} {:.1}", it.name, growth(it.name)?)))
            .collect::<String>(),
    )
    .into_iter()
    .collect();
    for (_, point) in PARTITIONS {
        let Some((who, best)) = highest(rows, point, figure::RATE) else { continue };
        let rate = rows.get(point, KLAMM.name, figure::RATE);
        let what = format!("records/s, {point}");
        verdicts.extend(Verdict::at_least(&what, rate, Some(best), &format!(": {who}")));
    }
    verdicts
}

fn charts(rows: &Rows) -> Vec<Chart> {
    let x = |point: &str| PARTITIONS.iter().find(|(_, it)| *it == point).map(|(count, _)| *count);
    vec![
        lines(rows, figure::CPU, "partitions", "lower is better", x),
        lines(rows, figure::RATE, "partitions", "higher is better", x),
    ]
}
