//! Copies of records, for those who get them back.

use core::fmt;
use std::sync::Arc;

use klamm::{Outcome, Timestamp};

/// A record on its own, as it was handed to `send`. Its `Debug` shows sizes, never what is in it.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct OwnedRecord {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition that it was to go to.
    pub partition: i32,
    /// The key; `None` is null.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is null.
    pub value: Option<Vec<u8>>,
    /// The headers, in order.
    pub headers: Vec<OwnedHeader>,
    /// When it was made: as given, or the time of `send`.
    pub timestamp: Timestamp,
}

impl OwnedRecord {
    /// Copies of the records of the core's next report.
    pub(crate) fn copy_all(
        core: &klamm::Producer<'_>,
        topic: &Arc<str>,
        partition: i32,
    ) -> Vec<Self> {
        let records = core.report_records().into_iter().flatten();
        let copy = |record: klamm::RecordRef<'_>| Self {
            topic: Arc::clone(topic),
            partition,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.map(OwnedHeader::copy).collect(),
            timestamp: record.timestamp,
        };
        records.map(copy).collect()
    }
}

impl OwnedHeader {
    fn copy(header: klamm::Header<'_>) -> Self {
        Self { key: header.key.to_owned(), value: header.value.map(<[u8]>::to_vec) }
    }
}

/// A header of an [`OwnedRecord`].
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct OwnedHeader {
    /// The header's key.
    pub key: String,
    /// The header's value; `None` is null.
    pub value: Option<Vec<u8>>,
}

/// A record that `close` hands back.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Undelivered {
    /// The record.
    pub record: OwnedRecord,
    /// What became of it: after `Outcome::Unknown` it may be in the log all the same.
    pub outcome: Outcome,
}

/// What `close` came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Closed {
    /// The records without success, in the order in which they were given up, per partition the
    /// order of `send`. Those that had failed before `close` was called are not among them.
    pub undelivered: Vec<Undelivered>,
}

impl fmt::Debug for OwnedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedRecord")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("key", &SizeOf(self.key.as_deref()))
            .field("value", &SizeOf(self.value.as_deref()))
            .field("headers", &self.headers)
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

impl fmt::Debug for OwnedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedHeader")
            .field("key", &SizeOf(Some(self.key.as_bytes())))
            .field("value", &SizeOf(self.value.as_deref()))
            .finish()
    }
}

/// Stands for bytes that are the application's secret.
pub(crate) struct SizeOf<'b>(pub(crate) Option<&'b [u8]>);

impl fmt::Debug for SizeOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{} bytes", bytes.len()),
            None => f.write_str("null"),
        }
    }
}
