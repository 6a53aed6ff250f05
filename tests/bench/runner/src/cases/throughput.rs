//! As many records as a producer takes.

use super::{Case, Verdict, highest, lowest};
use crate::bench::{Bench, Work, throughput};
use crate::chart::{Chart, bars};
use crate::clients::{
    FRANZ_GO, JAVA, KLAMM, KLAMM_CALLBACKS, KLAMM_HANDLES, KLAMM_LOCAL, KLAMM_POST, KRAFKA,
    LIBRDKAFKA, RSKAFKA,
};
use crate::results::{Rows, figure};
use anyhow::Result;

const COLUMNS: &[&str] = &[figure::CPU, figure::RATE, figure::RSS];
/// The two that the CPU target is about.
const BEST: &[&str] = &[LIBRDKAFKA.name, FRANZ_GO.name];

pub(super) const SMALL: Case = Case {
    name: "e2e-100B",
    title: "100-byte records",
    about: "2 million records of 100 bytes, no key, one broker, 6 partitions, acks=all, idempotent, linger 5 ms, \
            no compression; batch size and buffers are each client's own defaults. rskafka knows neither idempotence nor \
            lingering: it is given ready-made arrays of 128 KiB.",
    fast: true,
    columns: COLUMNS,
    measure: small,
    targets: small_targets,
    charts: throughput_charts,
};

pub(super) const SMALL_LZ4: Case = Case {
    name: "e2e-100B-lz4",
    title: "100-byte records, lz4",
    about: "As before, with lz4: readings as JSON, which lz4 makes about 2.7 times smaller.",
    fast: true,
    columns: COLUMNS,
    measure: small_lz4,
    targets: lz4_targets,
    charts: throughput_charts,
};

pub(super) const LARGE: Case = Case {
    name: "e2e-1KiB-three-brokers",
    title: "1 KiB records, three brokers",
    about: "400,000 records of 1,024 bytes, no key, three brokers, 12 partitions with three replicas each, acks=all, \
            min.insync.replicas=2, idempotent (not rskafka), linger 5 ms.",
    fast: true,
    columns: COLUMNS,
    measure: large,
    targets: large_targets,
    charts: throughput_charts,
};

fn small(bench: &mut Bench<'_>) -> Result<Rows> {
    let work = Work::new(bench.scaled(2_000_000), 100, 6);
    // The slow ones in the same time, not with the same number.
    let slow = Work::new(bench.scaled(500_000), 100, 6);
    let clients = bench.chosen(&[
        KLAMM,
        KLAMM_POST,
        KLAMM_CALLBACKS,
        KLAMM_HANDLES,
        KLAMM_LOCAL,
        LIBRDKAFKA,
        FRANZ_GO,
        JAVA,
        RSKAFKA,
        KRAFKA,
    ]);
    let turns: Vec<_> = clients
        .into_iter()
        .map(|client| (client, if client.name == KRAFKA.name { &slow } else { &work }.clone()))
        .collect();
    bench.alternate(1, "", &turns, throughput)
}

fn small_lz4(bench: &mut Bench<'_>) -> Result<Rows> {
    let work = Work::new(bench.scaled(2_000_000), 100, 6).with("compression", "lz4");
    let slow = Work::new(bench.scaled(500_000), 100, 6).with("compression", "lz4");
    let clients = bench.chosen(&[KLAMM, KLAMM_POST, LIBRDKAFKA, FRANZ_GO, JAVA, RSKAFKA, KRAFKA]);
    let turns: Vec<_> = clients
        .into_iter()
        .map(|client| (client, if client.name == KRAFKA.name { &slow } else { &work }.clone()))
        .collect();
    bench.alternate(1, "", &turns, throughput)
}

fn large(bench: &mut Bench<'_>) -> Result<Rows> {
    let work = Work::new(bench.scaled(400_000), 1_024, 12);
    let clients = bench.chosen(&[KLAMM, KLAMM_POST, LIBRDKAFKA, FRANZ_GO, JAVA, RSKAFKA, KRAFKA]);
    let turns: Vec<_> = clients.into_iter().map(|client| (client, work.clone())).collect();
    bench.alternate(3, "", &turns, throughput)
}

fn small_targets(rows: &Rows) -> Vec<Verdict> {
    let cpu = rows.get("", KLAMM.name, figure::CPU);
    let third = lowest(rows, "", figure::CPU, BEST).map(|best| best / 3.0);
    let records = " CPU s per million records";
    let mut verdicts = vec![
        Verdict::at_most("CPU s per million, reports by batch", cpu, Some(0.15), ""),
        Verdict::at_most(
            "the same, against librdkafka and franz-go",
            cpu,
            third,
            &format!("{records}: a third of the better one"),
        ),
    ];
    for client in [KLAMM_HANDLES, KLAMM_CALLBACKS] {
        let cpu = rows.get("", client.name, figure::CPU);
        let what = format!("CPU s per million, {}", client.name);
        verdicts.push(Verdict::at_most(&what, cpu, Some(0.25), ""));
    }
    verdicts.push(speed(rows, ""));
    let rss = rows.get("", KLAMM.name, figure::RSS);
    let said = " (buffer memory 32 MiB + 8)";
    verdicts.push(Verdict::at_most("peak memory, MiB", rss, Some(40.0), said));
    verdicts.into_iter().flatten().collect()
}

fn lz4_targets(rows: &Rows) -> Vec<Verdict> {
    let cpu = rows.get("", KLAMM.name, figure::CPU);
    let cpu = Verdict::at_most("CPU s per million with lz4", cpu, Some(0.20), "");
    cpu.into_iter().chain(speed(rows, " with lz4")).collect()
}

fn large_targets(rows: &Rows) -> Vec<Verdict> {
    let cpu = rows.get("", KLAMM.name, figure::CPU);
    let best = lowest(rows, "", figure::CPU, &[]).map(|best| best * 0.4);
    let said = ": 0.4 of the best peer";
    let cpu = Verdict::at_most("CPU s per million, 1 KiB", cpu, best, said);
    cpu.into_iter().chain(speed(rows, ", 1 KiB")).collect()
}

/// Throughput, against the fastest peer of all.
fn speed(rows: &Rows, what: &str) -> Option<Verdict> {
    let (who, best) = highest(rows, "", figure::RATE)?;
    let said = format!(": 0.95 of the fastest, {who}");
    let rate = rows.get("", KLAMM.name, figure::RATE);
    Verdict::at_least(&format!("records/s{what}"), rate, Some(0.95 * best), &said)
}

fn throughput_charts(rows: &Rows) -> Vec<Chart> {
    vec![bars(rows, figure::CPU, "lower is better"), bars(rows, figure::RATE, "higher is better")]
}
