//! The records of a batch: each field is checked, and headers are added and taken away by policy.

use super::batch::Batch;
use super::error::Refusal;
use super::{Malformed, Reader, Writer};

/// A record's fields, in the batch's bytes.
#[derive(Debug)]
struct Record<'a> {
    timestamp_delta: i64,
    offset_delta: i32,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// What is done to the headers of every record. It depends on nothing but the token and the
/// configuration, so that a retry is the same bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct HeaderPolicy {
    /// Added behind the page's own, which cannot have these names.
    pub(crate) add: Vec<(String, Vec<u8>)>,
    /// Taken away: exact names, or the beginnings of names.
    pub(crate) remove: Vec<String>,
    pub(crate) remove_beginning: Vec<String>,
}

impl HeaderPolicy {
    pub(crate) const fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && self.remove_beginning.is_empty()
    }

    /// The most bytes that a record grows by: the headers, and what is in front of each.
    pub(crate) fn added(&self) -> usize {
        self.add.iter().map(|(name, value)| name.len() + value.len() + 10).sum()
    }

    /// Does a header of the page's stay?
    pub(crate) fn keeps(&self, name: &str) -> bool {
        !self.add.iter().any(|(added, _)| added == name)
            && !self.remove.iter().any(|removed| removed == name)
            && !self.remove_beginning.iter().any(|start| name.starts_with(start.as_str()))
    }
}

/// Bounds of what a page may write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Headers of one record.
    pub(crate) headers: usize,
    /// Unix time, in milliseconds: no record is from later.
    pub(crate) latest_ms: i64,
}

/// Looks at all of a batch's records, as they are without compression.
pub(crate) fn check(batch: &Batch<'_>, plain: &[u8], bounds: Bounds) -> Result<(), Refusal> {
    walk(batch, plain, bounds, |_| ())
}

/// Checks the records and writes them again, with other headers.
pub(crate) fn rewrite(
    batch: &Batch<'_>,
    plain: &[u8],
    bounds: Bounds,
    policy: &HeaderPolicy,
) -> Result<Vec<u8>, Refusal> {
    let mut out = Writer::plain();
    walk(batch, plain, bounds, |record| write(&mut out, record, policy))?;
    Ok(out.into_bytes())
}

fn walk<'a>(
    batch: &Batch<'_>,
    plain: &'a [u8],
    bounds: Bounds,
    mut see: impl FnMut(&Record<'a>),
) -> Result<(), Refusal> {
    let mut reader = Reader::new(plain, false);
    let mut latest = i64::MIN;
    for expected in 0..batch.count {
        let record = read(&mut reader, bounds.headers)
            .map_err(|Malformed| Refusal::invalid("a record is not what its lengths say"))?;
        if u32::try_from(record.offset_delta) != Ok(expected) {
            return Err(Refusal::invalid("the offsets of the records have gaps"));
        }
        let timestamp = batch.base_timestamp.checked_add(record.timestamp_delta);
        let timestamp = timestamp.filter(|timestamp| *timestamp >= 0);
        let timestamp = timestamp.ok_or(TIMESTAMP)?;
        if timestamp > bounds.latest_ms {
            return Err(TIMESTAMP);
        }
        latest = latest.max(timestamp);
        see(&record);
    }
    if !reader.is_empty() {
        return Err(Refusal::invalid("there is more than the batch's count of records"));
    }
    if latest != batch.max_timestamp {
        return Err(Refusal::invalid("the batch's latest time is not that of its records"));
    }
    Ok(())
}

const TIMESTAMP: Refusal = Refusal::new(
    super::Code::INVALID_TIMESTAMP,
    "a record's time is before 1970, or too far in the future",
);

fn read<'a>(reader: &mut Reader<'a>, most_headers: usize) -> Result<Record<'a>, Malformed> {
    let length = usize::try_from(reader.varint()?).map_err(|_| Malformed)?;
    let mut body = Reader::new(reader.take(length)?, false);
    if body.i8()? != 0 {
        return Err(Malformed);
    }
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let (key, value) = (field(&mut body)?, field(&mut body)?);
    let count = usize::try_from(body.varint()?).map_err(|_| Malformed)?;
    if count > most_headers {
        return Err(Malformed);
    }
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = field(&mut body)?.ok_or(Malformed)?;
        let name = str::from_utf8(name).map_err(|_| Malformed)?;
        headers.push((name, field(&mut body)?));
    }
    body.end()?;
    Ok(Record { timestamp_delta, offset_delta, key, value, headers })
}

/// Bytes behind their length; -1 is null.
fn field<'a>(body: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    match body.varint()? {
        -1 => Ok(None),
        length => body.take(usize::try_from(length).map_err(|_| Malformed)?).map(Some),
    }
}

fn write(out: &mut Writer, record: &Record<'_>, policy: &HeaderPolicy) {
    let mut body = Writer::plain();
    body.i8(0);
    body.varint(record.timestamp_delta);
    body.varint(record.offset_delta.into());
    write_field(&mut body, record.key);
    write_field(&mut body, record.value);
    let kept = || record.headers.iter().filter(|(name, _)| policy.keeps(name));
    write_length(&mut body, kept().count() + policy.add.len());
    for (name, value) in kept() {
        write_field(&mut body, Some(name.as_bytes()));
        write_field(&mut body, *value);
    }
    for (name, value) in &policy.add {
        write_field(&mut body, Some(name.as_bytes()));
        write_field(&mut body, Some(value));
    }
    let body = body.into_bytes();
    write_field(out, Some(&body));
}

fn write_field(out: &mut Writer, value: Option<&[u8]>) {
    match value {
        None => out.varint(-1),
        Some(value) => {
            write_length(out, value.len());
            out.raw(value);
        }
    }
}

fn write_length(out: &mut Writer, length: usize) {
    // No record is longer than a request, which is counted in 32 bits.
    out.varint(i64::try_from(length).unwrap_or(i64::MAX));
}
