//! Looking at records, and changing them, on their way in.

use core::fmt;
use std::borrow::Cow;

use klamm::{Header, Record, Timestamp};

use crate::hooks::{BatchReport, Hooks, quietly};
use crate::owned::SizeOf;

/// Sees every record before it is accepted, and what became of every batch: Java's
/// `ProducerInterceptor`.
///
/// A panic in an interceptor is caught: the record goes on as it was before that interceptor.
pub trait Interceptor: Send + Sync {
    /// Called on the sender's thread, once for every record handed in, accepted then or not. May
    /// change the record.
    fn on_send(&self, topic: &str, record: &mut Draft<'_>) {
        let _ = (topic, record);
    }

    /// Called on the driver with the outcome of every batch, before `Builder::on_report`'s
    /// callback. Its records are there if `Builder::keep_records` asks for them.
    fn on_acknowledgement(&self, report: &BatchReport) {
        let _ = report;
    }
}

/// A record that can still be changed.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Draft<'r> {
    /// The partition that the sender named.
    pub partition: Option<i32>,
    /// The key; `None` is null.
    pub key: Option<Cow<'r, [u8]>>,
    /// The value; `None` is null.
    pub value: Option<Cow<'r, [u8]>>,
    /// The headers, in order.
    pub headers: Vec<DraftHeader<'r>>,
    /// When the record was made; `None` is the time at which it is accepted.
    pub timestamp: Option<Timestamp>,
}

/// A header of a [`Draft`].
#[derive(Clone, Eq, PartialEq)]
pub struct DraftHeader<'r> {
    /// The header's key.
    pub key: Cow<'r, str>,
    /// The header's value; `None` is null.
    pub value: Option<Cow<'r, [u8]>>,
}

impl fmt::Debug for Draft<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("partition", &self.partition)
            .field("key", &SizeOf(self.key.as_deref()))
            .field("value", &SizeOf(self.value.as_deref()))
            .field("headers", &self.headers)
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

impl fmt::Debug for DraftHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DraftHeader")
            .field("key", &SizeOf(Some(self.key.as_bytes())))
            .field("value", &SizeOf(self.value.as_deref()))
            .finish()
    }
}

/// A record as it is to be accepted. No larger than a record: groups of them are moved.
pub(crate) enum Outgoing<'r> {
    Plain(Record<'r>),
    Changed(Box<Draft<'r>>),
}

impl<'r> Outgoing<'r> {
    /// Runs a record through the key maker and the interceptors, if there are any.
    #[inline]
    pub(crate) fn new(
        hooks: &Hooks,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'r>,
    ) -> Self {
        if hooks.see_records() {
            return Self::changed(hooks, topic, partition, record);
        }
        Self::Plain(*record)
    }

    fn changed(hooks: &Hooks, topic: &str, partition: Option<i32>, record: &Record<'r>) -> Self {
        let made = match &hooks.key_maker {
            Some(make) if record.key.is_none() => make(topic, record),
            _ => None,
        };
        if made.is_none() && hooks.interceptors.is_empty() {
            return Self::Plain(*record);
        }
        let mut draft = Draft::new(partition, record);
        if let Some(key) = made {
            draft.key = Some(Cow::Owned(key));
        }
        for interceptor in &hooks.interceptors {
            let before = draft.clone();
            if quietly(|| interceptor.on_send(topic, &mut draft)).is_none() {
                draft = before;
            }
        }
        Self::Changed(Box::new(draft))
    }

    /// Shows the record, and its partition: `named` unless that was changed.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        named: Option<i32>,
        see: impl FnOnce(Option<i32>, &Record<'_>) -> T,
    ) -> T {
        match self {
            Self::Plain(record) => see(named, record),
            Self::Changed(draft) => draft.with(|record| see(draft.partition, record)),
        }
    }
}

impl<'r> Draft<'r> {
    fn new(partition: Option<i32>, record: &Record<'r>) -> Self {
        let header = |header: &Header<'r>| DraftHeader {
            key: Cow::Borrowed(header.key),
            value: header.value.map(Cow::Borrowed),
        };
        Self {
            partition,
            key: record.key.map(Cow::Borrowed),
            value: record.value.map(Cow::Borrowed),
            headers: record.headers.iter().map(header).collect(),
            timestamp: record.timestamp,
        }
    }

    fn with<T>(&self, see: impl FnOnce(&Record<'_>) -> T) -> T {
        let headers: Vec<Header<'_>> = self
            .headers
            .iter()
            .map(|header| Header { key: &header.key, value: header.value.as_deref() })
            .collect();
        let mut record = Record::null().with_headers(&headers);
        record.key = self.key.as_deref();
        record.value = self.value.as_deref();
        record.timestamp = self.timestamp;
        see(&record)
    }
}
