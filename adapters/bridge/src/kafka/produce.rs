//! Produce requests, which name topics (versions 3 to 12).

use super::{Api, Malformed, Reader, Writer, header};

/// More partitions than a producer would put into one request.
const MAX_PARTITIONS: usize = 4_096;

/// What a page sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Request<'a> {
    pub(crate) transactional: bool,
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) topics: Vec<Topic<'a>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Topic<'a> {
    pub(crate) name: &'a str,
    pub(crate) partitions: Vec<Partition<'a>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Partition<'a> {
    pub(crate) index: i32,
    /// `None`: null, which no broker answers.
    pub(crate) records: Option<&'a [u8]>,
}

/// Reads the request's body.
pub(crate) fn read(mut body: Reader<'_>) -> Result<Request<'_>, Malformed> {
    let transactional = body.nullable_string()?.is_some();
    let (acks, timeout_ms) = (body.i16()?, body.i32()?);
    let mut topics = Vec::new();
    let mut room = MAX_PARTITIONS;
    for _ in 0..body.count(3)?.ok_or(Malformed)? {
        let name = body.string()?;
        let mut partitions = Vec::new();
        for _ in 0..body.count(5)?.ok_or(Malformed)? {
            room = room.checked_sub(1).ok_or(Malformed)?;
            let partition = Partition { index: body.i32()?, records: body.nullable_bytes()? };
            body.tags()?;
            partitions.push(partition);
        }
        body.tags()?;
        room = room.checked_sub(1).ok_or(Malformed)?;
        topics.push(Topic { name, partitions });
    }
    body.tags()?;
    body.end()?;
    Ok(Request { transactional, acks, timeout_ms, topics })
}

/// What goes to the broker of one partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) index: i32,
    /// A batch of records that the bridge has checked, or made.
    pub(crate) batch: Vec<u8>,
}

/// The request to the broker.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    pub(crate) acks: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) topics: Vec<(&'a str, Vec<Part>)>,
}

impl Forward<'_> {
    pub(crate) fn request(
        &self,
        version: i16,
        correlation: i32,
        client_id: &str,
    ) -> Option<Vec<u8>> {
        let mut writer = header::request(Api::Produce, version, correlation, client_id);
        writer.nullable_string(None);
        writer.i16(self.acks);
        writer.i32(self.timeout_ms);
        writer.count(self.topics.len());
        for (name, parts) in &self.topics {
            writer.string(name);
            writer.count(parts.len());
            for part in parts {
                write_part(&mut writer, part);
            }
            writer.no_tags();
        }
        writer.no_tags();
        writer.frame()
    }
}

fn write_part(writer: &mut Writer, part: &Part) {
    writer.i32(part.index);
    writer.bytes(&part.batch);
    writer.no_tags();
}
