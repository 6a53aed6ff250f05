//! What became of records.

use core::fmt;

use super::Producer;
use crate::batch::record::SizeOf;
use crate::batch::{AUX, Fate};
use crate::error::Reason;
use crate::id::{BatchId, PartitionId, TopicId};
use crate::time::Timestamp;
use crate::wire::api::FLEXIBLE;
use crate::wire::record::{HeaderIter, RecordIter};

/// The outcome of records `first .. first + records` of `batch`. A batch that was split reports in several
/// pieces, all under the id that `send` gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Report {
    /// The batch, as in [`RecordId`](crate::RecordId).
    pub batch: BatchId,
    /// Index of the first record that this report is about.
    pub first: u16,
    /// How many records it is about, at least 1.
    pub records: u16,
    /// Where they were to go.
    pub partition: PartitionId,
    /// What became of them.
    pub outcome: Outcome,
    /// How often the batch was sent again.
    pub retries: u16,
    /// Bytes of the batch as sent (header and, if compressed, compressed records).
    pub wire_bytes: u32,
    /// Bytes of the batch before compression.
    pub plain_bytes: u32,
}

impl Report {
    /// The offset of the record with this index in the batch, if it was delivered and the broker told.
    pub fn offset(&self, index: u16) -> Option<i64> {
        let Outcome::Delivered { base_offset: Some(base), .. } = self.outcome else { return None };
        let place = index.checked_sub(self.first).filter(|place| *place < self.records)?;
        Some(base.saturating_add(i64::from(place)))
    }
}

/// The outcome law as a type: whether a record may be in the log is the variant, why is the reason. Every accepted
/// record gets exactly one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// In the log, as durable as `acks` asked for.
    Delivered {
        /// Offset of the first record of the report; `None` with acks = 0, and where only a later success proved it.
        base_offset: Option<i64>,
        /// The broker's time of the append, on topics with `LogAppendTime`.
        log_append_time: Option<Timestamp>,
    },
    /// Certainly not in the log.
    NotPersisted(Reason),
    /// May be in the log, once at most, or not.
    Unknown(Reason),
    /// Removed by a drop policy before it was ever sent.
    Dropped,
}

/// The records of a report, in order.
#[derive(Clone)]
pub struct Records<'p> {
    records: RecordIter<'p>,
    left: u16,
    base_timestamp: i64,
}

/// A record read back from the buffer.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordRef<'p> {
    /// The key, `None` for null.
    pub key: Option<&'p [u8]>,
    /// The value, `None` for null.
    pub value: Option<&'p [u8]>,
    /// Its timestamp; relative to the batch while the producer has no clock.
    pub timestamp: Timestamp,
    /// Its headers, in order.
    pub headers: Headers<'p>,
}

/// The headers of a [`RecordRef`], in order.
#[derive(Clone)]
pub struct Headers<'p>(HeaderIter<'p>);

impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("left", &self.left).finish_non_exhaustive()
    }
}

impl fmt::Debug for RecordRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordRef")
            .field("key", &SizeOf(self.key))
            .field("value", &SizeOf(self.value))
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headers").finish_non_exhaustive()
    }
}

impl<'p> Iterator for Headers<'p> {
    type Item = crate::Header<'p>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<'p> Iterator for Records<'p> {
    type Item = RecordRef<'p>;

    fn next(&mut self) -> Option<RecordRef<'p>> {
        self.left = self.left.checked_sub(1)?;
        let view = self.records.next()?;
        Some(RecordRef {
            key: view.key,
            value: view.value,
            timestamp: Timestamp::from_millis(self.base_timestamp.wrapping_add(view.ts_delta)),
            headers: Headers(view.headers()),
        })
    }
}

impl Producer<'_> {
    /// The next report about a batch: all its records, or those up to where innocent and bad ones part.
    pub(super) fn piece(&self, b: usize) -> Report {
        let batch = &self.storage.batches[b];
        let partition = &self.storage.partitions[usize::from(batch.partition)];
        let mut until = batch.records;
        let mut reason = batch.reason;
        if FLEXIBLE
            && batch.fate == Fate::NotPersisted
            && batch.bad
            && matches!(reason, Reason::Rejected(_))
        {
            let bad = self.is_bad(b, batch.told);
            until = (batch.told..until).find(|&at| self.is_bad(b, at) != bad).unwrap_or(until);
            if !bad {
                reason = Reason::Neighbour;
            }
        }
        let known = |number: i64| (number >= 0).then_some(number);
        let outcome = match batch.fate {
            Fate::Delivered => Outcome::Delivered {
                base_offset: known(batch.base_offset),
                log_append_time: known(batch.append_time).map(Timestamp::from_millis),
            },
            Fate::NotPersisted => Outcome::NotPersisted(reason),
            Fate::Unknown => Outcome::Unknown(reason),
            #[cfg(feature = "policies")]
            Fate::Dropped => Outcome::Dropped,
        };
        Report {
            batch: self.batch_id(batch.kin().origin.get().unwrap_or(b)),
            first: batch.kin().first + batch.told,
            records: until - batch.told,
            partition: PartitionId { topic: TopicId(partition.topic), index: partition.index },
            outcome,
            retries: batch.retries,
            wire_bytes: batch.size,
            plain_bytes: batch.plain,
        }
    }

    pub(super) fn records_of(&self, b: usize) -> Option<Records<'_>> {
        let batch = &self.storage.batches[b];
        let handed_over = batch.chunks == 0 && batch.kin().guest_at == 0;
        if batch.compressed || handed_over {
            return None;
        }
        let mut records = RecordIter::new(self.record_bytes(b));
        for _ in 0..batch.told {
            records.next();
        }
        let left = self.piece(b).records;
        Some(Records { records, left, base_timestamp: batch.base_timestamp })
    }

    pub(super) fn take_report(&mut self) -> Option<Report> {
        let b = self.reports.head()?;
        let report = self.piece(b);
        let batch = &mut self.storage.batches[b];
        batch.told += report.records;
        if !FLEXIBLE || batch.told == batch.records {
            self.reports.remove(&mut self.storage.batches, AUX, b);
            self.release(b);
            if let Some(next) = self.reports.head() {
                self.make_readable(next);
            }
        }
        Some(report)
    }
}
