//! What a device said of its records, and whether the log agrees.

use crate::log::{Faults, StoredRecord};
use anyhow::{Context, Result, ensure};
use std::collections::HashSet;

/// What the lines of a device come to. The images' lines are words, numbers and `name=value`:
/// `boot` after each start, `ack partition offset records` for each batch delivered, `failed`,
/// `end`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Batches that are delivered: partition, first offset, records.
    pub acks: Vec<(u32, u64, u64)>,
    /// Starts of the device.
    pub boots: u64,
    /// Records that were accepted, over all resets.
    pub accepted: u64,
    /// Records that were delivered, as the ledger counts them.
    pub delivered: u64,
    /// Records that were not, as their reports said.
    pub failed: u64,
    /// Records that were accepted before a reset, and without an outcome by then.
    pub written_off: u64,
    /// Readings that were dropped because there was no room for them.
    pub refused: u64,
    /// Batches that were sent again.
    pub retries: u64,
    /// Connections that were made.
    pub connects: u64,
    /// Milliseconds of the device's clock.
    pub ms: u64,
    /// Bytes of stack.
    pub stack: u64,
}

impl Told {
    /// Reads the lines of a device that has ended.
    ///
    /// # Errors
    /// If there is no `end`, or a line that should have numbers has none.
    pub fn read(lines: &[String]) -> Result<Self> {
        let mut told = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["ack", partition, offset, records] = words[..] {
                // An offset of -1: proved by a later success only.
                if let Ok(offset) = offset.parse() {
                    told.acks.push((partition.parse()?, offset, records.parse()?));
                }
            }
        }
        let end = lines.iter().find(|line| line.starts_with("end ")).context("no `end`")?;
        let number = |name: &str| -> Result<u64> {
            let value = end.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            value.with_context(|| format!("no {name} in {end:?}"))?.parse().context(name.to_owned())
        };
        told.boots = number("boots")?;
        told.accepted = number("accepted")?;
        told.delivered = number("delivered")?;
        told.failed = number("failed")?;
        told.written_off = number("written_off")?;
        told.refused = number("refused")?;
        told.retries = number("retries")?;
        told.connects = number("connects")?;
        told.ms = number("ms")?;
        told.stack = number("stack")?;
        Ok(told)
    }

    /// Compares what it said with a log that holds nothing else: every record that it accepted is
    /// there exactly once and in order, but for those written off, which may be missing; and each
    /// is where it was acknowledged.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, log: &[StoredRecord]) -> Result<()> {
        ensure!(self.failed == 0, "{} records failed", self.failed);
        ensure!(self.delivered + self.written_off == self.accepted, "{self:?} does not add up");
        let faults = Faults::find(log, self.accepted)?;
        let lost = u64::try_from(faults.lost.len())?;
        ensure!(
            faults.duplicated.is_empty()
                && faults.out_of_order.is_empty()
                && lost <= self.written_off,
            "{}, {} written off",
            faults.summary(),
            self.written_off
        );
        let places: HashSet<(u32, u64)> =
            log.iter().map(|record| (record.partition, record.offset)).collect();
        let mut acknowledged = HashSet::new();
        for &(partition, offset, records) in &self.acks {
            for offset in offset..offset + records {
                ensure!(
                    places.contains(&(partition, offset)),
                    "{partition}/{offset} was acknowledged"
                );
                ensure!(acknowledged.insert((partition, offset)), "{partition}/{offset}: twice");
            }
        }
        for record in log {
            let unit = (b"unit".to_vec(), Some(b"celsius".to_vec()));
            ensure!(record.headers == [unit], "headers {:?}", record.headers);
            let key = record.key.as_deref().unwrap_or_default();
            ensure!(key.starts_with(b"sensor-"), "a key {key:?}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: u32, offset: u64, number: u64) -> StoredRecord {
        StoredRecord {
            partition,
            offset,
            timestamp: 0,
            key: Some(b"sensor-000".to_vec()),
            value: Some(format!("{number:08}").into_bytes()),
            headers: vec![(b"unit".to_vec(), Some(b"celsius".to_vec()))],
        }
    }

    fn told(acks: &str, counts: &str) -> Told {
        let end = format!("end boots=1 {counts} refused=0 retries=0 connects=1 ms=1 stack=1");
        let lines: Vec<String> = acks.split(';').map(Into::into).chain([end]).collect();
        Told::read(&lines).unwrap()
    }

    #[test]
    fn what_is_missing_twice_or_elsewhere_is_noticed() {
        let log = [record(0, 0, 0), record(0, 1, 2), record(1, 0, 1)];
        let counts = "accepted=3 delivered=3 failed=0 written_off=0";
        told("ack 0 0 2;ack 1 0 1", counts).check(&log).unwrap();
        assert!(told("ack 0 0 2;ack 1 0 1", counts).check(&log[..2]).is_err());
        assert!(told("ack 0 0 2;ack 1 1 1", counts).check(&log).is_err());
        assert!(told("ack 0 0 2;ack 0 1 1", counts).check(&log).is_err());
        let again = [&log[..], &[record(1, 1, 1)]].concat();
        assert!(told("ack 0 0 2;ack 1 0 1", counts).check(&again).is_err());
    }

    #[test]
    fn what_was_written_off_may_be_missing_and_no_more() {
        let log = [record(0, 0, 0), record(0, 1, 2)];
        told("ack 0 0 2", "accepted=3 delivered=2 failed=0 written_off=1").check(&log).unwrap();
        let less = told("ack 0 0 2", "accepted=4 delivered=3 failed=0 written_off=1");
        assert!(less.check(&log).is_err());
    }
}
