//! Records in a batch: exact sizes, writing, and reading back.

use core::ops::Range;

use nom::number::streaming::be_u8;

use super::reader::{BAD, Parsed, take, varint, varlong};
use super::varint::{varint_len, varlong_len};
use super::writer::Writer;
use crate::batch::record::{Header, Record};
use crate::storage::shift;

#[cfg(test)]
/// Most bytes of a record besides its key, value and headers: its length (5), attributes (1), time (10), offset
/// (5), and the lengths of key and value (5 each) and the number of headers (5).
pub(crate) const MAX_RECORD_OVERHEAD: usize = 36;

/// A length as Kafka writes it; -1 is null. A slice that is too long for an `i32` gives a record that is too long.
#[inline]
fn wire_len(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

/// Bytes of a nullable byte string, with its length.
#[inline]
fn bytes_len(len: Option<usize>) -> usize {
    match len {
        Some(len) => varint_len(wire_len(len)).saturating_add(len),
        None => 1,
    }
}

/// Bytes of a record after its length. Saturates where headers share memory and add up to more than there is.
#[inline]
pub(crate) fn record_body_size(
    ts_delta: i64,
    offset_delta: i32,
    key: Option<usize>,
    value: Option<usize>,
    headers: &[Header<'_>],
) -> usize {
    let fixed = 1 + varlong_len(ts_delta) + varint_len(offset_delta);
    let mut size = fixed.saturating_add(bytes_len(key)).saturating_add(bytes_len(value));
    size = size.saturating_add(varint_len(wire_len(headers.len())));
    for header in headers {
        size = size.saturating_add(bytes_len(Some(header.key.len())));
        size = size.saturating_add(bytes_len(header.value.map(<[u8]>::len)));
    }
    size
}

/// What a body takes that was `body` bytes long with both deltas 0.
#[cfg_attr(not(target_os = "none"), inline(always))]
pub(crate) fn with_deltas(body: usize, ts_delta: i64, offset_delta: i32) -> usize {
    body.saturating_add(varlong_len(ts_delta) + varint_len(offset_delta) - 2)
}

/// Bytes of a record whose body has this size, with the length in front.
#[inline]
pub(crate) fn record_size(body: usize) -> usize {
    varint_len(wire_len(body)).saturating_add(body)
}

/// Writes a record to the start of `out` and returns its bytes; `None`: it does not fit, and `out` is as it was.
#[inline]
pub(crate) fn write_record(
    out: &mut [u8],
    record: &Record<'_>,
    ts_delta: i64,
    offset_delta: i32,
) -> Option<usize> {
    let (key, value) = (record.key.map(<[u8]>::len), record.value.map(<[u8]>::len));
    let body = record_body_size(ts_delta, offset_delta, key, value, record.headers);
    let out = out.get_mut(..record_size(body))?;
    write_sized_record(out, record, ts_delta, offset_delta, body)
}

/// As [`write_record`], with a body of this size into the room that the record takes, both of which the caller has asked for.
#[inline]
pub(crate) fn write_sized_record(
    out: &mut [u8],
    record: &Record<'_>,
    ts_delta: i64,
    offset_delta: i32,
    body: usize,
) -> Option<usize> {
    let length = i32::try_from(body).ok()?;
    let mut w = Writer::new(out);
    w.put_varint(length);
    w.put_u8(0);
    w.put_varlong(ts_delta);
    w.put_varint(offset_delta);
    put_nullable(&mut w, record.key);
    put_nullable(&mut w, record.value);
    put_headers(&mut w, record.headers);
    w.finish()
}

/// As [`write_record`], but the value of at most `value_max` bytes is written in place by `write`, which says how many
/// bytes it used. `out` has room for the largest value.
pub(crate) fn write_record_with(
    out: &mut [u8],
    record: &Record<'_>,
    ts_delta: i64,
    offset_delta: i32,
    value_max: usize,
    write: impl FnOnce(&mut [u8]) -> usize,
) -> Option<usize> {
    let key = record.key.map(<[u8]>::len);
    let sized = |value| record_body_size(ts_delta, offset_delta, key, Some(value), record.headers);
    let headers = record_body_size(0, 0, None, None, record.headers) - 5;
    // The value goes where it would lie if it were largest: from there it only ever moves down.
    let place = record_size(sized(value_max)) - value_max - headers;
    let value = write(out.get_mut(place..place + value_max)?).min(value_max);
    let body = sized(value);
    let start = record_size(body) - value - headers;
    shift(out, place..place + value, start);
    let (front, rest) = out.split_at_mut_checked(start)?;
    let mut w = Writer::new(front);
    w.put_varint(i32::try_from(body).ok()?);
    w.put_u8(0);
    w.put_varlong(ts_delta);
    w.put_varint(offset_delta);
    put_nullable(&mut w, record.key);
    w.put_varint(wire_len(value));
    w.finish()?;
    let mut w = Writer::new(rest.get_mut(value..)?);
    put_headers(&mut w, record.headers);
    Some(start + value + w.finish()?)
}

#[inline]
fn put_headers(w: &mut Writer<'_>, headers: &[Header<'_>]) {
    w.put_varint(wire_len(headers.len()));
    for header in headers {
        put_nullable(w, Some(header.key.as_bytes()));
        put_nullable(w, header.value);
    }
}

#[inline]
fn put_nullable(w: &mut Writer<'_>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            w.put_varint(wire_len(bytes.len()));
            w.put_bytes(bytes);
        }
        None => w.put_u8(1),
    }
}

/// A record as it lies in a batch.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RecordView<'b> {
    pub(crate) ts_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'b [u8]>,
    pub(crate) value: Option<&'b [u8]>,
    pub(crate) header_count: u32,
    /// The headers as they lie there, without their number.
    pub(crate) raw_headers: &'b [u8],
    /// Bytes behind length, attributes and the two deltas: what stays as it is in another batch.
    pub(crate) tail: usize,
    /// Where the record lies in the bytes handed to [`RecordIter::new`], with its length.
    pub(crate) range: Range<usize>,
}

impl<'b> RecordView<'b> {
    /// The headers, one after the other.
    pub(crate) const fn headers(&self) -> HeaderIter<'b> {
        HeaderIter { rest: self.raw_headers, left: self.header_count }
    }
}

/// The records of an uncompressed batch, from the bytes after its header. Ends early at bytes that are no record.
#[derive(Clone, Debug)]
pub(crate) struct RecordIter<'b> {
    rest: &'b [u8],
    at: usize,
}

impl<'b> RecordIter<'b> {
    pub(crate) const fn new(records: &'b [u8]) -> Self {
        Self { rest: records, at: 0 }
    }
}

impl<'b> Iterator for RecordIter<'b> {
    type Item = RecordView<'b>;

    fn next(&mut self) -> Option<RecordView<'b>> {
        let (rest, mut view) = record(self.rest).ok()?;
        let end = self.at + (self.rest.len() - rest.len());
        view.range = self.at..end;
        self.rest = rest;
        self.at = end;
        Some(view)
    }
}

/// The headers of a record. Ends early at bytes that are no header.
#[derive(Clone, Debug)]
pub(crate) struct HeaderIter<'b> {
    rest: &'b [u8],
    left: u32,
}

impl<'b> Iterator for HeaderIter<'b> {
    type Item = Header<'b>;

    fn next(&mut self) -> Option<Header<'b>> {
        self.left = self.left.checked_sub(1)?;
        let (rest, header) = header(self.rest).ok()?;
        self.rest = rest;
        Some(header)
    }
}

fn record(input: &[u8]) -> Parsed<'_, RecordView<'_>> {
    let (input, length) = varint(input)?;
    let (rest, body) = take(input, u32::try_from(length).map_err(|_| BAD)?)?;
    let (body, _attributes) = be_u8(body)?;
    let (body, ts_delta) = varlong(body)?;
    let (body, offset_delta) = varint(body)?;
    let tail = body.len();
    let (body, key) = nullable(body)?;
    let (body, value) = nullable(body)?;
    let (raw_headers, header_count) = varint(body)?;
    let header_count = u32::try_from(header_count).map_err(|_| BAD)?;
    let view = RecordView {
        ts_delta,
        offset_delta,
        key,
        value,
        header_count,
        raw_headers,
        tail,
        range: 0..0,
    };
    Ok((rest, view))
}

fn header(input: &[u8]) -> Parsed<'_, Header<'_>> {
    let (input, key) = nullable(input)?;
    let key = core::str::from_utf8(key.ok_or(BAD)?).map_err(|_| BAD)?;
    let (input, value) = nullable(input)?;
    Ok((input, Header { key, value }))
}

fn nullable(input: &[u8]) -> Parsed<'_, Option<&[u8]>> {
    let (input, len) = varint(input)?;
    match u32::try_from(len) {
        Ok(len) => {
            let (input, bytes) = take(input, len)?;
            Ok((input, Some(bytes)))
        }
        Err(_) => Ok((input, None)),
    }
}
