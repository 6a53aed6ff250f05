//! What a producer does that has nothing to do, with 10,000 partitions.

use super::{Case, Verdict, lowest};
use crate::bench::{Bench, Work};
use crate::chart::{Chart, bars};
use crate::clients::{FULL, KLAMM};
use crate::results::{Row, Rows, figure};
use anyhow::{Context, Result};
use core::time::Duration;

pub(super) const CASE: Case = Case {
    name: "idle",
    title: "Idle for a minute, with 10,000 partitions",
    about: "Each producer, all at the same time, sends 40,000 keyed records over 10,000 partitions of one broker and then \
            nothing for 60 s. A proxy counts requests and bytes after the last Produce request; CPU is the process's own \
            figure for that minute.",
    fast: false,
    columns: &[
        figure::IDLE_CPU,
        figure::IDLE_REQUESTS,
        figure::IDLE_OTHERS,
        figure::IDLE_BYTES,
        figure::RSS,
    ],
    measure,
    targets,
    charts,
};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let (partitions, seconds) = if bench.args.quick { (200, 5) } else { (10_000, 60) };
    let topic = match &bench.standing_topic {
        Some(topic) => topic.clone(),
        None => bench.new_topic(1, partitions)?,
    };
    bench.cluster(1)?;
    let bootstrap = format!("127.0.0.1:{}", bench.counting.port());
    let work = Work { warmup: 0, ..Work::new(40_000, 100, partitions) }
        .with("keys", 100_000)
        .with("idle", seconds);
    drop(bench.counting.take());
    let mut running = Vec::new();
    for client in bench.chosen(&FULL) {
        let mut arguments = bench.arguments(&bootstrap, &topic, &work)?;
        arguments.push(("id", client.word().to_owned()));
        running.push((client, client.start(&bench.programs, bench.run.path(), &arguments)?));
    }
    let mut rows = Vec::new();
    let mut answers = Vec::new();
    for (client, running) in running {
        answers.push((client, running.finish()?));
    }
    let requests = bench.counting.take();
    for (client, answer) in answers {
        let its: Vec<_> = requests.iter().filter(|it| it.client == client.word()).collect();
        let last = its.iter().rfind(|request| request.key == PRODUCE);
        // The answer to it, and what belongs to it, has a second.
        let begin = last.context("no Produce request passed")?.at + Duration::from_secs(1);
        let end = begin + Duration::from_secs(seconds - 2);
        let idle: Vec<_> = its.iter().filter(|it| it.at > begin && it.at < end).collect();
        let others = idle.iter().filter(|it| ![METADATA, API_VERSIONS].contains(&it.key)).count();
        let mut row = Row::new("", client.name);
        row.push(figure::IDLE_CPU, answer.idle_cpu.context("no idle CPU")? * 1e3);
        row.push(figure::IDLE_REQUESTS, idle.len() as f64);
        row.push(figure::IDLE_OTHERS, others as f64);
        row.push(figure::IDLE_BYTES, idle.iter().map(|it| it.bytes).sum::<u64>() as f64);
        row.push(figure::RSS, answer.rss_mib());
        eprintln!("  {}: {} requests while idle", client.name, idle.len());
        rows.push(row);
    }
    Ok(Rows(rows))
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let get = |figure| rows.get("", KLAMM.name, figure);
    let what = "requests while idle that are neither metadata nor a handshake";
    let others = Verdict::at_most(what, get(figure::IDLE_OTHERS), Some(0.0), "");
    let best = lowest(rows, "", figure::IDLE_CPU, &[]);
    let cpu = Verdict::at_most("CPU ms while idle", get(figure::IDLE_CPU), best, ": the best peer");
    [others, cpu].into_iter().flatten().collect()
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![
        bars(rows, figure::IDLE_CPU, "lower is better"),
        bars(rows, figure::IDLE_REQUESTS, "lower is better"),
    ]
}
