//! Producers in Node.

use super::{Case, Verdict, lowest};
use crate::bench::{Bench, Work, throughput};
use crate::chart::{Chart, bars};
use crate::clients::{
    KAFKAJS, NODE_KLAMM, NODE_KLAMM_POST, PLATFORMATIC, PLATFORMATIC_AT_LEAST_ONCE,
};
use crate::results::{Rows, figure};
use anyhow::Result;

pub(super) const CASE: Case = Case {
    name: "node",
    title: "Node: 100-byte records",
    about: "As the first case, from JavaScript: a million records (KafkaJS 300,000) in arrays of 5,000, of which klamm has \
            five on their way; and klamm with a call a record. The others have one on its way, for of more that are \
            idempotent @platformatic/kafka fails some, and KafkaJS allows one; so it is there once more without being \
            idempotent, with five.",
    fast: true,
    columns: &[figure::CPU, figure::RATE, figure::RSS],
    measure,
    targets,
    charts,
};

fn measure(bench: &mut Bench<'_>) -> Result<Rows> {
    let work = Work::new(bench.scaled(1_000_000), 100, 6);
    // In the same time, not with the same number.
    let slow = Work::new(bench.scaled(300_000), 100, 6);
    let clients = [NODE_KLAMM, NODE_KLAMM_POST, PLATFORMATIC, PLATFORMATIC_AT_LEAST_ONCE, KAFKAJS];
    let turns: Vec<_> = bench
        .chosen(&clients)
        .into_iter()
        .map(|client| (client, if client.name == KAFKAJS.name { &slow } else { &work }.clone()))
        .collect();
    bench.alternate(1, "", &turns, throughput)
}

fn targets(rows: &Rows) -> Vec<Verdict> {
    let of = [PLATFORMATIC.name, PLATFORMATIC_AT_LEAST_ONCE.name];
    let third = lowest(rows, "", figure::CPU, &of).map(|best| best / 3.0);
    let verdict = |client: &str, what: &str| {
        let cpu = rows.get("", client, figure::CPU);
        let said = ": a third of @platformatic/kafka, whichever way";
        Verdict::at_most(&format!("CPU s per million in Node, {what}"), cpu, third, said)
    };
    [
        verdict(NODE_KLAMM.name, "a place for each record"),
        verdict(NODE_KLAMM_POST.name, "a call a record"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn charts(rows: &Rows) -> Vec<Chart> {
    vec![bars(rows, figure::CPU, "lower is better"), bars(rows, figure::RATE, "higher is better")]
}
