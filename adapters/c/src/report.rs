//! What became of records.

use klamm::{ErrorCode, Outcome, Reason, Report};

use crate::application::numbers;
use crate::pointer;
use crate::producer::klamm_producer;

/// `base_offset` and `log_append_time_ms` of a report: not known.
pub const KLAMM_UNKNOWN: i64 = -1;

/// What became of records. Every accepted record gets exactly one of these.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum klamm_outcome {
    /// In the log, as durable as `acks` asked for.
    Delivered = 0,
    /// Certainly not in the log: may be sent again.
    NotPersisted = 1,
    /// May be in the log, once at most, or not.
    Unknown = 2,
}

/// Why a record was not delivered, or why that is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum klamm_reason {
    /// It was delivered.
    None = 0,
    /// A broker refused the batch; `error` says why.
    Rejected = 1,
    /// `delivery_timeout_ms` passed; `error` is what was last heard.
    TimedOut = 2,
    /// Another record of the batch was invalid; this one may be sent again.
    Neighbour = 3,
    /// The broker lost the producer's state or acknowledged data.
    DataLoss = 4,
    /// Retries were used up; `error` is the last one.
    Retries = 5,
    /// klamm_purge was called.
    Purged = 6,
    /// One record alone is larger than the broker allows.
    TooLarge = 7,
    /// The topic has fewer partitions than klamm_expect_partitions said.
    NoSuchPartition = 8,
    /// Something that this version of the header has no number for.
    Other = 99,
}

/// The outcome of `records` records of a batch, from `first` on. A batch may have several reports.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct klamm_report {
    /// The batch's slot, as in klamm_record_id.
    pub slot: u16,
    /// Its generation, as in klamm_record_id.
    pub generation: u16,
    /// `index` of the first record that this is about.
    pub first: u16,
    /// How many records it is about, at least 1.
    pub records: u16,
    /// Where they were to go.
    pub topic: u16,
    /// How often the batch was sent again.
    pub retries: u16,
    /// Where they were to go.
    pub partition: i32,
    /// What became of them.
    pub outcome: klamm_outcome,
    /// Why, if they were not delivered.
    pub reason: klamm_reason,
    /// A broker's error code, for klamm_error_text; 0 for none.
    pub error: i16,
    /// Offset of the first record, the next ones follow; KLAMM_UNKNOWN with `acks` 0, if they were not delivered, and
    /// where only a later success proved it.
    pub base_offset: i64,
    /// The broker's time of the append, on topics with LogAppendTime; else KLAMM_UNKNOWN.
    pub log_append_time_ms: i64,
}

/// Takes the next report, and frees its records' memory. False if there is none; `report` is not written then.
/// With a null `report` nothing is taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_poll_report(
    producer: *mut klamm_producer,
    report: *mut klamm_report,
) -> bool {
    // SAFETY: the program vouches for its pointers, as the header asks.
    let Ok(producer) = (unsafe { klamm_producer::of(producer) }) else { return false };
    if report.is_null() {
        return false;
    }
    let Some(taken) = producer.inner.poll_report() else { return false };
    // SAFETY: the same.
    unsafe { pointer::put(report, klamm_report::from(taken)) };
    true
}

impl From<Report> for klamm_report {
    fn from(report: Report) -> Self {
        let (outcome, why) = match report.outcome {
            Outcome::Delivered { .. } => (klamm_outcome::Delivered, None),
            Outcome::NotPersisted(why) => (klamm_outcome::NotPersisted, Some(why)),
            Outcome::Unknown(why) => (klamm_outcome::Unknown, Some(why)),
            // Of drop policies, which cannot be asked for.
            _ => {
                return Self::plain(
                    &report,
                    klamm_outcome::NotPersisted,
                    klamm_reason::Other,
                    ErrorCode::NONE,
                );
            }
        };
        let (reason, error) = why.map_or((klamm_reason::None, ErrorCode::NONE), explain);
        let Outcome::Delivered { base_offset, log_append_time } = report.outcome else {
            return Self::plain(&report, outcome, reason, error);
        };
        Self {
            base_offset: base_offset.unwrap_or(KLAMM_UNKNOWN),
            log_append_time_ms: log_append_time.map_or(KLAMM_UNKNOWN, |time| time.as_millis()),
            ..Self::plain(&report, outcome, reason, error)
        }
    }
}

impl klamm_report {
    #[allow(clippy::cast_possible_truncation, reason = "topics are numbered with 16 bits")]
    const fn plain(
        report: &Report,
        outcome: klamm_outcome,
        reason: klamm_reason,
        error: ErrorCode,
    ) -> Self {
        let [slot, generation] = numbers(report.batch);
        Self {
            slot,
            generation,
            first: report.first,
            records: report.records,
            topic: report.partition.topic.index() as u16,
            retries: report.retries,
            partition: report.partition.index,
            outcome,
            reason,
            error: error.0,
            base_offset: KLAMM_UNKNOWN,
            log_append_time_ms: KLAMM_UNKNOWN,
        }
    }
}

const fn explain(reason: Reason) -> (klamm_reason, ErrorCode) {
    match reason {
        Reason::Rejected(code) => (klamm_reason::Rejected, code),
        Reason::TimedOut { last } => (klamm_reason::TimedOut, last),
        Reason::Retries { last } => (klamm_reason::Retries, last),
        Reason::Neighbour => (klamm_reason::Neighbour, ErrorCode::NONE),
        Reason::DataLoss => (klamm_reason::DataLoss, ErrorCode::NONE),
        Reason::Purged => (klamm_reason::Purged, ErrorCode::NONE),
        Reason::TooLarge => (klamm_reason::TooLarge, ErrorCode::NONE),
        Reason::NoSuchPartition => (klamm_reason::NoSuchPartition, ErrorCode::NONE),
        _ => (klamm_reason::Other, ErrorCode::NONE),
    }
}
