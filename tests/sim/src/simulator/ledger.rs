//! What was accepted, what was reported of it, and whether the logs agree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use klamm::{BatchId, Outcome, Reason, RecordId, Report, Stats};

use super::record::Sample;

/// A promise was broken; the text says which and by what.
pub type Checked = Result<(), String>;

/// A topic and a partition.
pub type Place = (String, i32);

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// In the log, at this offset if the broker told.
    Delivered(Option<i64>),
    /// Not in the log.
    NotPersisted(Reason),
    /// Perhaps in the log.
    Unknown(Reason),
    /// Dropped before it was sent.
    Dropped,
}

/// An accepted record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it says.
    pub sample: Sample,
    /// Its topic.
    pub topic: String,
    /// Its partition, from the report or because the application chose it.
    pub partition: Option<i32>,
    /// When the first record of its batch was accepted: its delivery timeout counts from then.
    pub opened: u64,
    /// Its outcome.
    pub fate: Option<Fate>,
}

/// Causes that the documentation names for what would otherwise be a bug.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// Records that unclean elections, broken disks, deletions and retention removed from logs, and
    /// the offsets at which they stood.
    pub lost: BTreeMap<u64, BTreeSet<i64>>,
    /// Partitions whose brokers forgot the producer: what it sends again is stored again.
    pub forgotten: BTreeSet<Place>,
    /// Topics that were created again.
    pub recreated: BTreeSet<String>,
    /// Brokers lost acknowledged data or state: the reason `DataLoss` is legitimate.
    pub data_loss: bool,
    /// Brokers refuse batches: the reasons `Rejected` and `TooLarge` are legitimate.
    pub rejected: bool,
}

/// All records of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
    open: HashMap<BatchId, Vec<Option<u64>>>,
    reported: usize,
    /// Records that filled the memory for a check, and were purged.
    fillers: u64,
    /// Records without a report for partitions that the application chose.
    waiting: BTreeMap<Place, BTreeSet<u64>>,
    /// Bytes of keys, values and headers of all records without a report.
    held: u64,
    /// Batch slots that were given out.
    slots: BTreeSet<usize>,
    /// Causes for exceptions.
    pub excuses: Excuses,
}

impl Ledger {
    /// The number that the next accepted record gets.
    pub fn next(&self) -> u64 {
        self.entries.len() as u64
    }

    /// A record, by its number.
    pub fn entry(&self, record: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(record).ok()?)
    }

    /// All records in the order of acceptance.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A record of a batch that has no report.
    pub(super) fn pending(&self, batch: BatchId, index: u16) -> Option<&Entry> {
        self.entry(self.open.get(&batch)?.get(usize::from(index)).copied().flatten()?)
    }

    /// Records accepted without a report.
    pub fn unreported(&self) -> usize {
        self.entries.len() - self.reported
    }

    /// `send` accepted a record.
    ///
    /// # Errors
    /// When its id was given before, or leaves a gap.
    pub fn accepted(&mut self, id: RecordId, mut entry: Entry) -> Checked {
        let number = self.next();
        let batch = self.open.entry(id.batch).or_default();
        let same_batch = batch.last().copied().flatten();
        let same_batch = same_batch.and_then(|n| self.entries.get(usize::try_from(n).ok()?));
        entry.opened = same_batch.map_or(entry.opened, |other| other.opened);
        if usize::from(id.index) != batch.len() {
            return Err(format!("record {number} got the id {id}, index {} is next", batch.len()));
        }
        batch.push(Some(number));
        self.held += entry.sample.bytes();
        self.slots.insert(id.batch.index());
        if let Some(partition) = entry.partition {
            let place = (entry.topic.clone(), partition);
            self.waiting.entry(place).or_default().insert(number);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Partitions with records that the application sent there and that have no report.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Place> {
        self.waiting.keys()
    }

    /// The oldest of those records.
    pub(super) fn oldest_waiting(&self, place: &Place) -> Option<&Entry> {
        self.waiting.get(place)?.first().and_then(|number| self.entry(*number))
    }

    /// The records from this one on, all of them purged, were no records of the test's.
    pub(super) fn forget_from(&mut self, first: u64) {
        let fillers = self.entries.drain(usize::try_from(first).unwrap_or(usize::MAX)..).count();
        self.fillers += fillers as u64;
        self.reported -= fillers;
    }

    /// Batch slots that were given out.
    pub(super) fn slots(&self) -> &BTreeSet<usize> {
        &self.slots
    }

    /// Bytes of keys, values and headers of the records without a report.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// A report was taken; the numbers of its records are returned.
    ///
    /// # Errors
    /// When it is about a record that was never accepted, or was reported before.
    pub fn reported(&mut self, report: &Report, topic: &str) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        let Some(batch) = self.open.get_mut(&report.batch) else {
            return Err(format!("a report about an unknown batch: {report:?}"));
        };
        if report.records == 0 {
            return Err(format!("a report about no record: {report:?}"));
        }
        for index in report.first..report.first.saturating_add(report.records) {
            let slot = batch.get_mut(usize::from(index));
            let Some(number) = slot.and_then(Option::take) else {
                return Err(format!("record {index} of a batch is reported twice: {report:?}"));
            };
            let Some(entry) = self.entries.get_mut(usize::try_from(number).unwrap_or(usize::MAX))
            else {
                return Err(format!("record {number} was never accepted"));
            };
            let placed = entry.partition.is_none_or(|p| p == report.partition.index);
            if entry.topic != topic || !placed {
                return Err(format!(
                    "record {number} was for {} {:?}, reported for {topic} {}",
                    entry.topic, entry.partition, report.partition.index
                ));
            }
            entry.partition = Some(report.partition.index);
            entry.fate = Some(fate(report, index));
            self.held -= entry.sample.bytes();
            numbers.push(number);
        }
        if batch.iter().all(Option::is_none) {
            self.open.remove(&report.batch);
        }
        self.reported += numbers.len();
        let place = (topic.to_owned(), report.partition.index);
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.retain(|number| !numbers.contains(number));
            if waiting.is_empty() {
                self.waiting.remove(&place);
            }
        }
        self.check_reason(report)?;
        Ok(numbers)
    }

    /// Failures need a cause.
    fn check_reason(&self, report: &Report) -> Checked {
        let reason = match report.outcome {
            Outcome::NotPersisted(reason) | Outcome::Unknown(reason) => reason,
            Outcome::Delivered { .. } | Outcome::Dropped => return Ok(()),
            other => return Err(format!("an outcome that is not known here: {other:?}")),
        };
        let excused = match reason {
            Reason::DataLoss => self.excuses.data_loss,
            Reason::Rejected(_) | Reason::TooLarge | Reason::Neighbour => self.excuses.rejected,
            _ => true,
        };
        if excused { Ok(()) } else { Err(format!("without a cause: {report:?}")) }
    }

    /// The conservation law.
    ///
    /// # Errors
    /// When it does not hold.
    pub fn check_stats(&self, stats: &Stats) -> Checked {
        let ended = stats.delivered + stats.not_persisted + stats.unknown + stats.dropped;
        let accepted = self.entries.len() as u64 + self.fillers;
        if stats.accepted != accepted {
            return Err(format!("{accepted} records were accepted, stats say {stats:?}"));
        }
        if stats.accepted != ended + stats.buffered {
            return Err(format!("the conservation law is broken: {stats:?}"));
        }
        if ended < self.reported as u64 + self.fillers {
            return Err(format!("{} records were reported, stats say {stats:?}", self.reported));
        }
        Ok(())
    }

    /// Every record has its one report, and counters and reports agree.
    ///
    /// # Errors
    /// When one is missing.
    pub fn check_complete(&self, stats: &Stats) -> Checked {
        if let Some(number) = self.entries.iter().position(|e| e.fate.is_none()) {
            return Err(format!("record {number} was never reported: {:?}", self.entries[number]));
        }
        let count = |of: fn(&Fate) -> bool| {
            self.entries.iter().filter_map(|e| e.fate.as_ref()).filter(|f| of(f)).count() as u64
        };
        let counted = (
            count(|f| matches!(f, Fate::Delivered(_))),
            count(|f| matches!(f, Fate::NotPersisted(_))) + self.fillers,
            count(|f| matches!(f, Fate::Unknown(_))),
            count(|f| matches!(f, Fate::Dropped)),
            stats.buffered,
        );
        let told = (stats.delivered, stats.not_persisted, stats.unknown, stats.dropped, 0);
        if counted == told { Ok(()) } else { Err(format!("reports {counted:?}, {stats:?}")) }
    }
}

fn fate(report: &Report, index: u16) -> Fate {
    match report.outcome {
        Outcome::Delivered { .. } => Fate::Delivered(report.offset(index)),
        Outcome::NotPersisted(reason) => Fate::NotPersisted(reason),
        Outcome::Unknown(reason) => Fate::Unknown(reason),
        _ => Fate::Dropped,
    }
}
