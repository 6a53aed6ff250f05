//! What a device said of its records, and whether the log agrees.

use crate::log::{Faults, StoredRecord};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, HashMap};

/// What the lines of a device come to. The images' lines are words, numbers and `name=value`:
/// `boot` after each start, `ack partition offset records` for each batch delivered, `failed`,
/// `end`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Batches that are delivered, in the order in which that was said.
    pub acks: Vec<Ack>,
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
    /// What the boots said of them, each of the reset before it; `None`: no boot says any, as of the image in C.
    pub said_at_boot: Option<u64>,
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

/// Records that are delivered: those of this partition that come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The partition.
    pub partition: u32,
    /// The first one's; `None`: a later success proved it, which does not say where.
    pub offset: Option<u64>,
    /// How many.
    pub records: u64,
    /// The first record that the device made after its last reset before this.
    pub since: u64,
}

impl Told {
    /// Reads the lines of a device that has ended. A boot ends the line before it and leaves an empty
    /// one, unless a reset came in the middle of a line: then that line was never said.
    ///
    /// # Errors
    /// If there is no `end`, or a line that should have numbers has none.
    pub fn read(lines: &[String]) -> Result<Self> {
        let mut told = Self::default();
        let mut since = 0;
        for (index, line) in lines.iter().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            let is_torn = || lines.get(index + 1).is_some_and(|next| next.starts_with("boot"));
            match words[..] {
                ["ack", ..] if is_torn() => {}
                ["ack", partition, offset, records] => {
                    let (partition, records) = (partition.parse()?, records.parse()?);
                    // -1 where it is not known.
                    let offset = offset.parse().ok();
                    told.acks.push(Ack { partition, offset, records, since });
                }
                // The image in C has no memory that a reset leaves alone.
                ["boot"] => {}
                ["boot", ..] => {
                    since = number(line, "accepted")?;
                    *told.said_at_boot.get_or_insert_default() += number(line, "open")?;
                }
                _ => {}
            }
        }
        let end = lines.iter().find(|line| line.starts_with("end ")).context("no `end`")?;
        let number = |name| number(end, name);
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
        ensure!(self.said_at_boot.is_none_or(|open| open == self.written_off), "{self:?}");
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
        self.check_contents(log)
    }

    /// Are the records that were acknowledged at an offset the ones that are there, each in one place?
    fn check_contents(&self, log: &[StoredRecord]) -> Result<()> {
        let unit = (b"unit".to_vec(), Some(b"celsius".to_vec()));
        let mut partitions = BTreeMap::new();
        let mut places = HashMap::new();
        for record in log {
            let key = record.key.as_deref().unwrap_or_default();
            let before = partitions.insert(key, record.partition);
            ensure!(before.is_none_or(|p| p == record.partition), "two partitions of {key:?}");
            places.insert((record.partition, record.offset), record);
            ensure!(record.headers == [unit.clone()], "headers {:?}", record.headers);
        }
        let sensors = u64::try_from(partitions.len())?;
        let key = |number: u64| format!("sensor-{:03}", number % sensors).into_bytes();
        // A partition's records after a reset, from the first that has no acknowledgement yet.
        let mut next = HashMap::new();
        let mut acknowledged = 0;
        for ack in &self.acks {
            let next = next.entry((ack.since, ack.partition)).or_insert(ack.since);
            for index in 0..ack.records {
                let is_here = |n: &u64| partitions.get(&*key(*n)) == Some(&ack.partition);
                let number = (*next..self.accepted).find(is_here).context("too many of them")?;
                *next = number + 1;
                acknowledged += 1;
                let Some(offset) = ack.offset else { continue };
                let place = (ack.partition, offset + index);
                let record = places.remove(&place);
                let record = record
                    .with_context(|| format!("{place:?}: acknowledged twice, or not there"))?;
                let value = record.value.as_deref().map(String::from_utf8_lossy);
                ensure!(
                    record.key.as_ref() == Some(&key(number))
                        && value.as_deref().map(str::parse) == Some(Ok(number)),
                    "{place:?} is {value:?}, and {number} was acknowledged"
                );
            }
        }
        // More where a reset came between a line and the ledger; none where the device was to say none.
        let is_quiet = self.acks.is_empty();
        ensure!(
            is_quiet || acknowledged >= self.delivered,
            "{acknowledged} acknowledged: {self:?}"
        );
        Ok(())
    }
}

/// The value of `name=value`.
fn number(line: &str, name: &str) -> Result<u64> {
    let value = line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.with_context(|| format!("no {name} in {line:?}"))?.parse().context(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of two sensors, whose readings go to two partitions.
    fn record(offset: u64, number: u64) -> StoredRecord {
        let partition = u32::try_from(number % 2).unwrap();
        StoredRecord {
            partition,
            offset,
            timestamp: 0,
            key: Some(format!("sensor-{partition:03}").into_bytes()),
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
        let log = [record(0, 0), record(1, 2), record(0, 1)];
        let counts = "accepted=3 delivered=3 failed=0 written_off=0";
        told("ack 0 0 2;ack 1 0 1", counts).check(&log).unwrap();
        told("ack 0 -1 2;ack 1 0 1", counts).check(&log).unwrap();
        for (acks, log) in [
            ("ack 0 0 2;ack 1 0 1", &log[..2]),
            ("ack 0 0 2;ack 1 1 1", &log[..]),
            ("ack 0 0 2;ack 0 1 1", &log[..]),
            ("ack 0 0 2", &log[..]),
            ("ack 0 0 2;ack 1 0 1", &[&log[..], &[record(1, 1)]].concat()),
        ] {
            assert!(told(acks, counts).check(log).is_err(), "{acks}");
        }
    }

    #[test]
    fn what_was_written_off_may_be_missing_and_no_more() {
        let log = [record(0, 0), record(1, 2)];
        let counts = "accepted=4 delivered=2 failed=0 written_off=2";
        told("ack 0 0 2", counts).check(&[&log[..], &[record(0, 3)]].concat()).unwrap();
        let less = told("ack 0 0 2", "accepted=4 delivered=3 failed=0 written_off=1");
        assert!(less.check(&log).is_err());
    }

    /// As many as should be there, and none twice; but one that was acknowledged is not, and one that nobody knows of is.
    #[test]
    fn what_was_acknowledged_has_to_be_what_is_there() {
        let counts = "accepted=6 delivered=3 failed=0 written_off=3";
        let right = [record(0, 0), record(1, 2), record(0, 1), record(1, 3)];
        told("ack 0 0 2;ack 1 0 1", counts).check(&right).unwrap();
        let wrong = [record(0, 0), record(1, 4), record(0, 1), record(1, 3)];
        let error = told("ack 0 0 2;ack 1 0 1", counts).check(&wrong).unwrap_err();
        assert!(error.to_string().contains("2 was acknowledged"), "{error}");
        // After a reset the numbers go on behind those that were accepted.
        let boot = "boot boots=2 accepted=4 delivered=1 failed=0 written_off=3 open=3";
        let acks = format!("ack 0 0 1;;{boot};ack 0 1 1;ack 1 0 1");
        let counts = "accepted=6 delivered=3 failed=0 written_off=3";
        told(&acks, counts).check(&[record(0, 0), record(1, 4), record(0, 5)]).unwrap();
        let wrong = [record(0, 0), record(1, 2), record(0, 5)];
        assert!(told(&acks, counts).check(&wrong).is_err());
    }

    #[test]
    fn every_boot_has_to_say_what_was_written_off() {
        let log = [record(0, 0)];
        let counts = "accepted=2 delivered=1 failed=0 written_off=1";
        let boot = |open| format!("boot boots=2 accepted=2 delivered=1 failed=0 open={open}");
        told(&format!("ack 0 0 1;;{}", boot(1)), counts).check(&log).unwrap();
        told(&format!("boot;ack 0 0 1;;{}", boot(1)), counts).check(&log).unwrap();
        assert!(told(&format!("ack 0 0 1;;{}", boot(0)), counts).check(&log).is_err());
    }

    /// `hprintln!` writes a line in pieces. CI once reset a device between two of them.
    #[test]
    fn a_line_that_a_reset_tore_was_not_said() {
        let counts = "accepted=2 delivered=1 failed=0 written_off=1";
        let boot = "boot boots=2 accepted=2 delivered=1 failed=0 open=1";
        for torn in ["ack", "ack 1", "ack 1 ", "ack 1 1", "ack 1 1 ", "ack 1 7 1"] {
            let told = told(&format!("ack 0 0 1;{torn};{boot}"), counts);
            assert_eq!(told.acks.len(), 1, "{torn:?}");
            told.check(&[record(0, 0)]).unwrap();
        }
    }
}
