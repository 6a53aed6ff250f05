//! What `klamm produce` prints at the end: a table, or JSON.

use core::fmt::Write as _;
use core::time::Duration;

use comfy_table::CellAlignment;
use indicatif::{BinaryBytes, HumanCount};
use serde::Serialize;

use crate::output;
use crate::progress::per_second;
use crate::tally::{Row, Tally};

const HEADER: [&str; 8] =
    ["partition", "records", "first offset", "last offset", "batches", "bytes", "ratio", "retries"];

/// Columns that a narrow terminal does without, the first one first.
const DISPENSABLE: [usize; 5] = [7, 6, 4, 2, 5];

/// The table and the line below it.
pub(crate) fn table(topic: &str, tally: &Tally, took: Duration) -> String {
    let mut table = output::table(&HEADER);
    for (partition, row) in &tally.partitions {
        table.add_row(cells(&partition.to_string(), row));
    }
    let total = tally.total();
    table.add_row(cells("total", &total));
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    // The table knows rules between all rows or none: the one above the total is the header's
    // again.
    let mut lines = output::lines(&mut table, &DISPENSABLE);
    if let (Some(rule), Some(total)) = (lines.get(1).cloned(), lines.len().checked_sub(1)) {
        lines.insert(total, rule);
    }
    let mut text = lines.join("\n");
    let rate = per_second(total.records as f64, took);
    let bytes = per_second(total.plain_bytes as f64, took);
    // Writing to a `String` does not fail.
    let _ = write!(
        text,
        "\n{} record{} acknowledged in topic {topic} in {:.2} s: {} records/s, {}/s",
        HumanCount(total.records),
        if total.records == 1 { "" } else { "s" },
        took.as_secs_f64(),
        HumanCount(rate),
        BinaryBytes(bytes),
    );
    text
}

/// The summary as one JSON object.
pub(crate) fn json(topic: &str, broker: &str, read: u64, tally: &Tally, took: Duration) -> String {
    let total = tally.total();
    let partitions = tally.partitions.iter();
    let summary = Summary {
        topic,
        broker,
        records_read: read,
        ratio: total.ratio(),
        seconds: took.as_secs_f64(),
        total: Total {
            records: total.records,
            batches: total.batches,
            bytes: total.bytes,
            plain_bytes: total.plain_bytes,
            retries: total.retries,
        },
        failed: tally.failed(),
        partitions: partitions.map(|(&partition, row)| Partition { partition, row }).collect(),
        failures: tally
            .failures
            .iter()
            .map(|(reason, &records)| Failure { reason, records })
            .collect(),
    };
    // Maps with keys of strings and finite numbers always serialize.
    serde_json::to_string_pretty(&summary).unwrap_or_default()
}

#[derive(Serialize)]
struct Summary<'s> {
    topic: &'s str,
    broker: &'s str,
    records_read: u64,
    #[serde(flatten)]
    total: Total,
    failed: u64,
    ratio: f64,
    seconds: f64,
    partitions: Vec<Partition<'s>>,
    failures: Vec<Failure<'s>>,
}

#[derive(Serialize)]
struct Total {
    #[serde(rename = "records_acknowledged")]
    records: u64,
    batches: u64,
    bytes: u64,
    plain_bytes: u64,
    retries: u64,
}

#[derive(Serialize)]
struct Partition<'s> {
    partition: i32,
    #[serde(flatten)]
    row: &'s Row,
}

#[derive(Serialize)]
struct Failure<'s> {
    reason: &'s str,
    records: u64,
}

fn cells(name: &str, row: &Row) -> [String; 8] {
    let offset = |offset: Option<i64>| {
        let offset = offset.and_then(|offset| u64::try_from(offset).ok());
        offset.map_or_else(String::new, |offset| HumanCount(offset).to_string())
    };
    [
        name.to_owned(),
        HumanCount(row.records).to_string(),
        offset(row.first_offset),
        offset(row.last_offset),
        HumanCount(row.batches).to_string(),
        BinaryBytes(row.bytes).to_string(),
        format!("{:.2}", row.ratio()),
        HumanCount(row.retries).to_string(),
    ]
}
