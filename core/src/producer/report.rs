//! What became of records.

use crate::error::Reason;
use crate::id::{BatchId, PartitionId};
use crate::time::Timestamp;

/// The outcome of records `first .. first + records` of `batch`. A batch that was split reports in several
/// pieces, all under the id that `send` gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
        Some(base + i64::from(place))
    }
}

/// The outcome law as a type: whether a record may be in the log is the variant, why is the reason. Every accepted
/// record gets exactly one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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
