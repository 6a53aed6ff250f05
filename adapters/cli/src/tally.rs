//! What became of the records, by partition.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use klamm_std::{Outcome, Report};
use serde::Serialize;

use crate::failure::Failure;

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) partitions: BTreeMap<i32, Row>,
    /// Records without success, by what the report says.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// Delivered records of a partition, or of all.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) records: u64,
    pub(crate) first_offset: Option<i64>,
    pub(crate) last_offset: Option<i64>,
    pub(crate) batches: u64,
    /// Of the batches as sent.
    pub(crate) bytes: u64,
    /// Of the batches before compression.
    pub(crate) plain_bytes: u64,
    pub(crate) retries: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, report: &Report) {
        let records = u64::from(report.records);
        let base_offset = match report.outcome {
            Outcome::Delivered { base_offset, .. } => base_offset,
            Outcome::NotPersisted(reason) => return self.fail(reason.to_string(), records),
            Outcome::Unknown(reason) => {
                return self.fail(format!("may or may not be there: {reason}"), records);
            }
            _ => return self.fail("dropped".into(), records),
        };
        let row = self.partitions.entry(report.partition.index).or_default();
        row.records += records;
        row.batches += 1;
        row.bytes += u64::from(report.wire_bytes);
        row.plain_bytes += u64::from(report.plain_bytes);
        row.retries += u64::from(report.retries);
        if let Some(first) = base_offset {
            let last = first + i64::from(report.records) - 1;
            row.first_offset = Some(row.first_offset.map_or(first, |known| known.min(first)));
            row.last_offset = Some(row.last_offset.map_or(last, |known| known.max(last)));
        }
    }

    /// All partitions in one row, without offsets.
    pub(crate) fn total(&self) -> Row {
        let mut total = Row::default();
        for row in self.partitions.values() {
            total.records += row.records;
            total.batches += row.batches;
            total.bytes += row.bytes;
            total.plain_bytes += row.plain_bytes;
            total.retries += row.retries;
        }
        total
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn fail(&mut self, reason: String, records: u64) {
        *self.failures.entry(reason).or_default() += records;
    }
}

impl Row {
    /// How many times smaller compression made the batches.
    pub(crate) fn ratio(&self) -> f64 {
        match self.bytes {
            0 => 1.0,
            bytes => self.plain_bytes as f64 / bytes as f64,
        }
    }
}

/// What is shared with the producer's callback.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The failure that records without success are, in one line that ends in `cause`.
pub(crate) fn not_acknowledged(topic: &str, tally: &Tally, cause: &str) -> Result<(), Failure> {
    let failed = tally.failed();
    if failed == 0 {
        return Ok(());
    }
    let reasons = tally.failures.iter().map(|(reason, records)| format!("{records}: {reason}"));
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    let s = if failed == 1 { "" } else { "s" };
    Err(Failure::Run(format!(
        "{failed} record{s} not acknowledged in topic {topic}; {reasons}{cause}"
    )))
}
