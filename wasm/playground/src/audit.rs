//! What really is in the logs: read from the brokers of the model, never from what the producer says.

use klamm_sim::cluster::{Cluster, LoggedRecord};
use klamm_sim::simulator::{Fate, Ledger, Sample};

use crate::setup::{PARTITIONS, TOPIC};

/// Batches of each log that are kept to be shown.
const SHOWN: usize = 12;

/// A batch in a log.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Offset of its first record.
    pub(crate) offset: i64,
    /// Which batch of the log it is.
    number: usize,
    pub(crate) records: u32,
    pub(crate) sequence: i32,
    pub(crate) epoch: i16,
    /// The number of its first record.
    pub(crate) first: u64,
}

/// What was read of a leader's log.
#[derive(Debug, Default)]
struct Read {
    leader_epoch: Option<i32>,
    next: i64,
    /// The numbers of its records.
    records: Vec<u64>,
    shown: Vec<Stored>,
}

/// The logs as they are.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    logs: [Read; PARTITIONS as usize],
    /// How often each record is in a log.
    copies: Vec<u32>,
}

/// What a comparison of logs and reports came to, in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// In a log.
    pub(crate) stored: u64,
    /// Reported as delivered, and in no log.
    pub(crate) lost: u64,
    /// Copies beyond the first.
    pub(crate) twice: u64,
}

impl Audit {
    /// Reads what is new in the logs. What a new leader says replaces what the old one said.
    pub(crate) fn read(&mut self, cluster: &Cluster) {
        for (partition, read) in (0..).zip(&mut self.logs) {
            let leader_epoch = cluster.leader_epoch(TOPIC, partition);
            if leader_epoch != read.leader_epoch {
                for number in read.records.drain(..) {
                    count(&mut self.copies, number, |copies| copies.saturating_sub(1));
                }
                *read = Read { leader_epoch, ..Read::default() };
            }
            for record in cluster.log_from(TOPIC, partition, read.next) {
                read.next = record.offset + 1;
                let number = Sample::number(&record);
                read.records.push(number);
                count(&mut self.copies, number, |copies| copies + 1);
                show(&mut read.shown, &record, number);
            }
        }
    }

    /// Holds the logs against the reports.
    pub(crate) fn verdict(&self, ledger: &Ledger) -> Verdict {
        let delivered =
            |(_, fate): &(usize, Option<Fate>)| matches!(fate, Some(Fate::Delivered(_)));
        let fates = ledger.entries().iter().map(|entry| entry.fate).enumerate();
        let lost = fates
            .filter(delivered)
            .filter(|(number, _)| self.copies.get(*number).is_none_or(|copies| *copies == 0));
        Verdict {
            stored: self.copies.iter().filter(|copies| **copies > 0).count() as u64,
            lost: lost.count() as u64,
            twice: self.copies.iter().map(|copies| u64::from(copies.saturating_sub(1))).sum(),
        }
    }

    /// The offset behind the last record of a log, and its last batches.
    pub(crate) fn log(&self, partition: i32) -> (i64, &[Stored]) {
        let read = usize::try_from(partition).ok().and_then(|p| self.logs.get(p));
        read.map_or((0, &[]), |read| (read.next, &read.shown))
    }
}

fn count(copies: &mut Vec<u32>, number: u64, change: impl Fn(u32) -> u32) {
    let Ok(number) = usize::try_from(number) else { return };
    if copies.len() <= number {
        copies.resize(number + 1, 0);
    }
    copies[number] = change(copies[number]);
}

fn show(shown: &mut Vec<Stored>, record: &LoggedRecord, number: u64) {
    if let Some(last) = shown.last_mut().filter(|last| last.number == record.batch) {
        last.records += 1;
        return;
    }
    if shown.len() == SHOWN {
        shown.remove(0);
    }
    shown.push(Stored {
        offset: record.offset,
        number: record.batch,
        records: 1,
        sequence: record.sequence,
        epoch: record.producer_epoch,
        first: number,
    });
}
