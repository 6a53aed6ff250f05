//! Records as the application hands them in.

use core::fmt;

use crate::time::Timestamp;

/// One record, borrowed from the application for the length of a call. Its `Debug` shows sizes, never what is in it.
///
/// ```
/// use klamm::{Header, Record};
/// let headers = [Header::new("unit", b"celsius")];
/// let record = Record::value(b"21.5").with_key(b"sensor-7").with_headers(&headers);
/// assert_eq!(record.key, Some(&b"sensor-7"[..]));
/// ```
#[derive(Clone, Copy, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Record<'r> {
    /// The key; `None` is Kafka's null, which is not the same as an empty key.
    pub key: Option<&'r [u8]>,
    /// The value; `None` is Kafka's null (a tombstone on a compacted topic).
    pub value: Option<&'r [u8]>,
    /// Headers; their order and duplicates are kept.
    pub headers: &'r [Header<'r>],
    /// When the record was made; `None` takes the producer's clock at `send`.
    pub timestamp: Option<Timestamp>,
}

impl<'r> Record<'r> {
    /// A record with this value, and no key, headers or timestamp.
    pub const fn value(value: &'r [u8]) -> Self {
        Self { key: None, value: Some(value), headers: &[], timestamp: None }
    }

    /// A record whose value is null.
    pub const fn null() -> Self {
        Self { key: None, value: None, headers: &[], timestamp: None }
    }

    /// The same record with this key.
    #[must_use]
    pub const fn with_key(mut self, key: &'r [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// The same record with these headers.
    #[must_use]
    pub const fn with_headers(mut self, headers: &'r [Header<'r>]) -> Self {
        self.headers = headers;
        self
    }

    /// The same record with this timestamp.
    #[must_use]
    pub const fn with_timestamp(mut self, timestamp: Timestamp) -> Self {
        self.timestamp = Some(timestamp);
        self
    }
}

/// A header of a record.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Header<'r> {
    /// The header's key; Kafka wants UTF-8 and never null.
    pub key: &'r str,
    /// The header's value; `None` is null.
    pub value: Option<&'r [u8]>,
}

impl<'r> Header<'r> {
    /// A header with a value that is not null.
    pub const fn new(key: &'r str, value: &'r [u8]) -> Self {
        Self { key, value: Some(value) }
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &SizeOf(self.key))
            .field("value", &SizeOf(self.value))
            .field("headers", &self.headers.len())
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("key", &SizeOf(Some(self.key.as_bytes())))
            .field("value", &SizeOf(self.value))
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
