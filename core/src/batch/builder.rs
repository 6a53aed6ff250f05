//! A batch that is filled outside of the producer: in another thread, without its lock, or before there is one.

use core::fmt;

use super::HEADER;
use super::record::Record;
use crate::wire::record::write_record;

/// Encodes records into the caller's memory: a slice, an array, a box. Belongs to no partition and to no producer until
/// [`Producer::send_batch`](crate::Producer::send_batch) copies it, and can be sent again, or elsewhere, after that.
///
/// ```
/// use klamm::{AppendError, BatchBuilder, Record};
///
/// let mut memory = [0; 200];
/// let mut batch = BatchBuilder::new(&mut memory);
/// while batch.append(&Record::value(b"21.5")).is_ok() {}
/// assert_eq!(batch.append(&Record::value(b"21.5")), Err(AppendError::Full));
/// assert_eq!(batch.records(), 12);
/// ```
pub struct BatchBuilder<M> {
    memory: M,
    /// With the header, which is left out.
    size: u32,
    records: u16,
    /// The first record's timestamp: others are relative to it.
    base_timestamp: Option<i64>,
    ts_delta: i64,
    max_ts_delta: i64,
    closed: bool,
}

impl<M> fmt::Debug for BatchBuilder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchBuilder")
            .field("records", &self.records)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Why a [`BatchBuilder`] did not take a record. Nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AppendError {
    /// No room is left in the memory: send the batch, and put the record into another one.
    Full,
    /// [`BatchBuilder::close`] was called.
    Closed,
    /// The first record has no timestamp, so that it gets the time of `send_batch`; then no other may have one.
    Timestamp,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "batch full",
            Self::Closed => "batch closed",
            Self::Timestamp => "a timestamp in a batch whose first record has none",
        })
    }
}

impl core::error::Error for AppendError {}

/// What `send_batch` takes of a builder.
#[derive(Clone, Copy)]
pub(crate) struct Filled<'b> {
    /// With the header, which the bytes are without.
    pub(crate) size: u32,
    pub(crate) records: u16,
    pub(crate) base_timestamp: Option<i64>,
    pub(crate) max_ts_delta: i64,
    pub(crate) closed: bool,
    pub(crate) bytes: &'b [u8],
}

impl<M> BatchBuilder<M> {
    /// An empty batch that grows to as many bytes as `memory` has, its header of 61 included.
    pub const fn new(memory: M) -> Self {
        Self {
            memory,
            size: HEADER,
            records: 0,
            base_timestamp: None,
            ts_delta: 0,
            max_ts_delta: 0,
            closed: false,
        }
    }

    /// No record is appended any more, neither here nor by [`Producer::send`](crate::Producer::send) behind those sent.
    pub const fn close(&mut self) {
        self.closed = true;
    }

    /// Empty again, and open.
    pub const fn clear(&mut self) {
        self.size = HEADER;
        self.records = 0;
        self.base_timestamp = None;
        self.ts_delta = 0;
        self.closed = false;
    }

    /// Records in it.
    pub const fn records(&self) -> u16 {
        self.records
    }

    /// Bytes of the batch so far, before compression: never more than the memory has (61 for an empty one).
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// Was [`close`](Self::close) called?
    pub const fn is_closed(&self) -> bool {
        self.closed
    }
}

impl<M: AsMut<[u8]> + AsRef<[u8]>> BatchBuilder<M> {
    /// Appends a record; returns its index in the batch. One without a timestamp gets that of the record before it.
    ///
    /// # Errors
    /// Any [`AppendError`]; the batch is as it was then.
    #[allow(clippy::cast_possible_truncation, reason = "what was written is below 2 GiB")]
    pub fn append(&mut self, record: &Record<'_>) -> Result<u16, AppendError> {
        if self.closed {
            return Err(AppendError::Closed);
        }
        let given = record.timestamp.map(|timestamp| timestamp.as_millis());
        if given.is_some() && self.base_timestamp.is_none() && self.records > 0 {
            return Err(AppendError::Timestamp);
        }
        let next = self.records.checked_add(1).ok_or(AppendError::Full)?;
        let base = self.base_timestamp.or(given);
        let ts_delta = match (given, base) {
            (Some(given), Some(base)) => given.wrapping_sub(base),
            _ => self.ts_delta,
        };
        let room = self.memory.as_mut().get_mut(self.size as usize..).unwrap_or_default();
        let index = self.records;
        let written = write_record(room, record, ts_delta, i32::from(index));
        self.size += written.ok_or(AppendError::Full)? as u32;
        self.records = next;
        self.base_timestamp = base;
        self.ts_delta = ts_delta;
        self.max_ts_delta = if index == 0 { ts_delta } else { self.max_ts_delta.max(ts_delta) };
        Ok(index)
    }

    pub(crate) fn filled(&self) -> Filled<'_> {
        let Self { size, records, base_timestamp, max_ts_delta, closed, .. } = *self;
        let bytes = self.memory.as_ref().get(HEADER as usize..size as usize).unwrap_or_default();
        Filled { size, records, base_timestamp, max_ts_delta, closed, bytes }
    }
}

#[cfg(feature = "recorder")]
impl<'m> BatchBuilder<&'m mut [u8]> {
    /// As it was when it was recorded.
    #[allow(clippy::cast_possible_truncation, reason = "what was written is below 2 GiB")]
    pub(crate) fn restore(
        memory: &'m mut [u8],
        bytes: &[u8],
        records: u16,
        base_timestamp: Option<i64>,
        max_ts_delta: i64,
        closed: bool,
    ) -> Self {
        let mut batch = Self::new(memory);
        let place = batch.memory.get_mut(HEADER as usize..HEADER as usize + bytes.len());
        if let Some(place) = place {
            place.copy_from_slice(bytes);
            batch.size += bytes.len() as u32;
            batch.records = records;
            batch.base_timestamp = base_timestamp;
            batch.max_ts_delta = max_ts_delta;
            batch.closed = closed;
        }
        batch
    }
}
