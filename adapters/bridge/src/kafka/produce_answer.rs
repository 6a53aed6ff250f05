//! Answers to Produce: what the broker says of the partitions it was sent, and what the bridge says
//! of those that it kept back.

use super::error::Refusal;
use super::{Api, Code, Malformed, Reader, Writer, header};
use crate::kafka::metadata::virtual_host;
use crate::kafka::write::cut;

/// Of a broker's words to a page, so many bytes.
const MAX_MESSAGE: usize = 256;
const VIRTUAL_PORT: i32 = 9092;

/// A partition that the bridge refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused {
    pub(crate) topic: String,
    pub(crate) index: i32,
    pub(crate) refusal: Refusal,
}

/// A broker's answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Answer<'a> {
    throttle_ms: i32,
    topics: Vec<(&'a str, Vec<Partition<'a>>)>,
    /// Leaders that partitions have moved to (KIP-951): their ids.
    endpoints: Vec<i32>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Partition<'a> {
    index: i32,
    error: Code,
    base_offset: i64,
    log_append_time_ms: i64,
    log_start_offset: i64,
    record_errors: Vec<(i32, Option<&'a str>)>,
    message: Option<&'a str>,
    /// Leader and its epoch.
    leader: Option<(i32, i32)>,
}

impl<'a> Answer<'a> {
    /// Reads the body of a broker's answer.
    pub(crate) fn read(mut body: Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let mut topics = Vec::new();
        for _ in 0..body.count(3)?.ok_or(Malformed)? {
            let name = body.string()?;
            let mut partitions = Vec::new();
            for _ in 0..body.count(22)?.ok_or(Malformed)? {
                partitions.push(read_partition(&mut body, version)?);
            }
            body.tags()?;
            topics.push((name, partitions));
        }
        let throttle_ms = body.i32()?;
        let mut endpoints = Vec::new();
        body.tags_with(|tag, value| {
            if tag == 0 {
                endpoints = read_endpoints(value)?;
            }
            Ok(())
        })?;
        body.end()?;
        Ok(Self { throttle_ms, topics, endpoints })
    }

    /// How many partitions were not appended, by the broker's word.
    pub(crate) fn errors(&self) -> usize {
        let partitions = self.topics.iter().flat_map(|(_, partitions)| partitions);
        partitions.filter(|partition| partition.error != Code::NONE).count()
    }

    /// The answer to the page.
    pub(crate) fn answer(
        &self,
        version: i16,
        correlation: i32,
        allows: impl Fn(&str) -> bool,
        refused: &[Refused],
    ) -> Option<Vec<u8>> {
        let mut writer = header::answer(Api::Produce, version, correlation);
        let shown = || self.topics.iter().filter(|(name, _)| allows(name));
        writer.count(shown().count() + refused.len());
        for (name, partitions) in shown() {
            writer.string(name);
            writer.count(partitions.len());
            for partition in partitions {
                write_partition(&mut writer, version, partition);
            }
            writer.no_tags();
        }
        for refused in refused {
            writer.string(&refused.topic);
            writer.count(1);
            write_partition(&mut writer, version, &Partition::refused(refused));
            writer.no_tags();
        }
        writer.i32(self.throttle_ms);
        self.write_endpoints(&mut writer, version);
        writer.frame()
    }

    fn write_endpoints(&self, writer: &mut Writer, version: i16) {
        if version < 10 || self.endpoints.is_empty() {
            writer.no_tags();
            return;
        }
        let mut value = Writer::plain();
        value.count(self.endpoints.len());
        for id in &self.endpoints {
            value.i32(*id);
            value.string(&virtual_host(*id));
            value.i32(VIRTUAL_PORT);
            value.nullable_string(None);
            value.no_tags();
        }
        write_tag_0(writer, value);
    }
}

impl<'a> Partition<'a> {
    fn refused(refused: &Refused) -> Self {
        Self {
            index: refused.index,
            error: refused.refusal.code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            message: Some(refused.refusal.why),
            leader: None,
        }
    }
}

fn read_partition<'a>(body: &mut Reader<'a>, version: i16) -> Result<Partition<'a>, Malformed> {
    let mut partition = Partition {
        index: body.i32()?,
        error: Code(body.i16()?),
        base_offset: body.i64()?,
        log_append_time_ms: body.i64()?,
        log_start_offset: if version >= 5 { body.i64()? } else { -1 },
        record_errors: Vec::new(),
        message: None,
        leader: None,
    };
    if version >= 8 {
        for _ in 0..body.count(5)?.unwrap_or(0) {
            partition.record_errors.push((body.i32()?, body.nullable_string()?));
            body.tags()?;
        }
        partition.message = body.nullable_string()?;
    }
    let mut leader = None;
    body.tags_with(|tag, value| {
        if tag == 0 {
            let mut value = Reader::new(value, true);
            leader = Some((value.i32()?, value.i32()?));
            value.tags()?;
            value.end()?;
        }
        Ok(())
    })?;
    partition.leader = leader;
    Ok(partition)
}

fn write_partition(writer: &mut Writer, version: i16, partition: &Partition<'_>) {
    writer.i32(partition.index);
    writer.i16(partition.error.0);
    writer.i64(partition.base_offset);
    writer.i64(partition.log_append_time_ms);
    if version >= 5 {
        writer.i64(partition.log_start_offset);
    }
    if version >= 8 {
        writer.count(partition.record_errors.len());
        for (index, message) in &partition.record_errors {
            writer.i32(*index);
            writer.nullable_string(message.map(|message| cut(message, MAX_MESSAGE)));
            writer.no_tags();
        }
        writer.nullable_string(partition.message.map(|message| cut(message, MAX_MESSAGE)));
    }
    match partition.leader.filter(|_| version >= 10) {
        None => writer.no_tags(),
        Some((id, epoch)) => {
            let mut value = Writer::plain();
            value.i32(id);
            value.i32(epoch);
            value.no_tags();
            write_tag_0(writer, value);
        }
    }
}

fn read_endpoints(value: &[u8]) -> Result<Vec<i32>, Malformed> {
    let mut value = Reader::new(value, true);
    let mut endpoints = Vec::new();
    for _ in 0..value.count(11)?.ok_or(Malformed)? {
        endpoints.push(value.i32()?);
        value.string()?;
        value.i32()?;
        value.nullable_string()?;
        value.tags()?;
    }
    value.tags()?;
    value.end()?;
    Ok(endpoints)
}

/// One tagged field, number 0.
fn write_tag_0(writer: &mut Writer, value: Writer) {
    let value = value.into_bytes();
    writer.uvarint(1);
    writer.uvarint(0);
    writer.uvarint(value.len() as u64);
    writer.raw(&value);
}
