//! What a producer in this process reported of its records, and whether the log agrees.

use crate::log::StoredRecord;
use anyhow::{Context, Result, bail, ensure};
use core::fmt;
use klamm_std::{Delivered, Delivery, DeliveryError};
use std::collections::{BTreeMap, HashMap};

/// The records that were accepted, in order, each with its handle.
#[derive(Debug, Default)]
pub struct Ledger {
    records: Vec<(u64, Delivery)>,
}

/// How many records ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Delivered at an offset that was reported and is right.
    pub with_offset: usize,
    /// Delivered, without an offset.
    pub without_offset: usize,
    /// Not in the log.
    pub not_persisted: usize,
    /// Reported as unknown.
    pub unknown: usize,
}

impl Ledger {
    /// Notes an accepted record whose value is `number` in decimal. Numbers ascend.
    pub fn push(&mut self, number: u64, delivery: Delivery) {
        self.records.push((number, delivery));
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records and what became of each; waits for the outcomes.
    pub fn outcomes(&self) -> Vec<(u64, Result<Delivered, DeliveryError>)> {
        self.records.iter().map(|(number, delivery)| (*number, delivery.wait())).collect()
    }

    /// Compares what was reported with a log that holds these records and no others: what was
    /// delivered is there once, and where it was said to be; what was not persisted is not there;
    /// what is unknown is there at most once; and each partition's numbers ascend.
    ///
    /// # Errors
    /// What is wrong, with the first few records.
    pub fn check(&self, log: &[StoredRecord]) -> Result<Summary> {
        let mut places: HashMap<u64, Vec<(u32, u64)>> = HashMap::new();
        let mut wrong = Wrong::default();
        for (partition, numbers) in by_partition(log)? {
            let mut highest = None;
            for (offset, number) in numbers {
                places.entry(number).or_default().push((partition, offset));
                if highest.is_some_and(|highest| number <= highest) {
                    wrong.note(format!("{number} is behind {highest:?} in {partition}"));
                }
                highest = highest.max(Some(number));
            }
        }
        let mut summary = Summary::default();
        for (number, outcome) in self.outcomes() {
            let places = places.remove(&number).unwrap_or_default();
            let right = match outcome {
                Ok(Delivered { partition, offset, .. }) => {
                    summary.with_offset += usize::from(offset.is_some());
                    summary.without_offset += usize::from(offset.is_none());
                    let at = |&(there, at): &(u32, u64)| {
                        i64::from(there) == i64::from(partition.index)
                            && offset.is_none_or(|offset| u64::try_from(offset) == Ok(at))
                    };
                    matches!(&places[..], [place] if at(place))
                }
                Err(DeliveryError::Unknown(_)) => {
                    summary.unknown += 1;
                    places.len() <= 1
                }
                Err(_) => {
                    summary.not_persisted += 1;
                    places.is_empty()
                }
            };
            if !right {
                wrong.note(format!("{number} is at {places:?}, reported was {outcome:?}"));
            }
        }
        for (number, places) in places {
            wrong.note(format!("{number} at {places:?} was never accepted"));
        }
        wrong.into_result()?;
        Ok(summary)
    }

    /// Compares what was reported with the log of a topic that was deleted and created again
    /// meanwhile: as [`check`](Self::check), only that what was delivered may also have gone with an
    /// earlier incarnation, and then so has all that was accepted before it for its partition.
    /// Returns how many have gone.
    ///
    /// # Errors
    /// As `check`.
    pub fn check_recreated(mut self, log: &[StoredRecord]) -> Result<usize> {
        let mut first = HashMap::new();
        for (partition, records) in by_partition(log)? {
            first.extend(records.first().map(|(_, number)| (i64::from(partition), *number)));
        }
        let before = self.records.len();
        self.records.retain(|(number, delivery)| match delivery.wait() {
            Ok(Delivered { partition, .. }) => {
                first.get(&i64::from(partition.index)).is_some_and(|first| number >= first)
            }
            Err(_) => true,
        });
        let gone = before - self.records.len();
        self.check(log)?;
        Ok(gone)
    }

    /// As [`check`](Self::check), of a run in which nothing may fail.
    ///
    /// # Errors
    /// As `check`; and if a record was not delivered.
    pub fn check_delivered(&self, log: &[StoredRecord]) -> Result<Summary> {
        let summary = self.check(log)?;
        ensure!(summary.not_persisted + summary.unknown == 0, "not delivered: {summary:?}");
        Ok(summary)
    }
}

/// Offset and number of each record, by partition, in the order of the offsets, which have no gap.
fn by_partition(log: &[StoredRecord]) -> Result<BTreeMap<u32, Vec<(u64, u64)>>> {
    let mut partitions: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    for record in log {
        let value = record.value.as_deref().context("a null value among the numbers")?;
        let number = core::str::from_utf8(value)?.parse().context("a value that is no number")?;
        partitions.entry(record.partition).or_default().push((record.offset, number));
    }
    for (partition, records) in &mut partitions {
        records.sort_unstable();
        for (expected, (offset, _)) in (0_u64..).zip(records) {
            ensure!(*offset == expected, "partition {partition}: {offset} is not {expected}");
        }
    }
    Ok(partitions)
}

/// The first few of what may be thousands of faults.
#[derive(Default)]
struct Wrong {
    count: usize,
    first: Vec<String>,
}

impl Wrong {
    fn note(&mut self, what: impl fmt::Display) {
        self.count += 1;
        if self.first.len() < 10 {
            self.first.push(what.to_string());
        }
    }

    fn into_result(self) -> Result<()> {
        if self.count > 0 {
            bail!("{} records are wrong:\n{}", self.count, self.first.join("\n"));
        }
        Ok(())
    }
}
