//! What a broker looks at before it appends a batch. Codes and order as seen on live brokers.

use super::batch::{self, Header, Record};
use super::code;
use super::compression::decompress;
use super::config::{TimestampKind, TopicConfig};
use bytes::Bytes;

/// Why a batch is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: i16,
    /// The records at fault, if single ones are.
    pub(super) records: Vec<i32>,
    pub(super) message: &'static str,
}

impl Refusal {
    fn new(code: i16, message: &'static str) -> Self {
        Self { code, records: Vec::new(), message }
    }
}

/// The shape of `records`, checked before anything is known about the partition: exactly one batch
/// of format 2. Cuts off what follows it (a rest too short to be a batch is ignored).
pub(super) fn shape(records: &Bytes, version: i16) -> Result<(Bytes, Header), Refusal> {
    let corrupt = |_| Refusal::new(code::CORRUPT_MESSAGE, "not a record batch");
    let invalid = |message| Refusal::new(code::INVALID_RECORD, message);
    let Some(size) = batch::first_size(records).map_err(corrupt)? else {
        return Err(invalid("produce request without a complete record batch"));
    };
    if records[16] != 2 {
        return Err(invalid("record batch of an old format"));
    }
    let header = Header::read(&records[..size]).ok_or(batch::Malformed).map_err(corrupt)?;
    if header.codec() == 4 && version < 7 {
        let message = "zstd needs Produce version 7";
        return Err(Refusal::new(code::UNSUPPORTED_COMPRESSION_TYPE, message));
    }
    if batch::first_size(&records[size..]).map_err(corrupt)?.is_some() {
        return Err(invalid("more than one record batch for a partition"));
    }
    Ok((records.slice(..size), header))
}

/// The content of one batch, checked by the leader.
pub(super) fn content(
    batch: &Bytes,
    header: &Header,
    topic: &TopicConfig,
    now_ms: i64,
    max_decompressed: usize,
) -> Result<(), Refusal> {
    if batch.len() > topic.max_message_bytes {
        return Err(Refusal::new(code::MESSAGE_TOO_LARGE, "batch above max.message.bytes"));
    }
    if crc32c::crc32c(&batch[batch::CHECKED_FROM..]) != header.crc {
        return Err(Refusal::new(code::CORRUPT_MESSAGE, "checksum does not match"));
    }
    let invalid = |message| Err(Refusal::new(code::INVALID_RECORD, message));
    if header.base_offset != 0 {
        return invalid("base offset of a produced batch is not 0");
    }
    if header.count <= 0 || header.last_offset_delta != header.count - 1 {
        return invalid("record count and last offset delta do not match");
    }
    if header.is_control() {
        return invalid("clients may not write control batches");
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return invalid("producer id without a sequence number");
    }
    records(batch, header, topic, now_ms, max_decompressed)
}

fn records(
    batch: &Bytes,
    header: &Header,
    topic: &TopicConfig,
    now_ms: i64,
    max_decompressed: usize,
) -> Result<(), Refusal> {
    let compressed = header.codec() != 0;
    let plain = decompress(header.codec(), &batch.slice(batch::HEADER..), max_decompressed)
        .map_err(|_| Refusal::new(code::UNKNOWN_SERVER_ERROR, "batch does not decompress"))?;
    let latest = match (topic.timestamps, topic.max_ahead_ms) {
        (TimestampKind::Create, Some(ahead)) => now_ms.saturating_add(ahead),
        _ => i64::MAX,
    };
    let mut rest = &plain[..];
    let (mut keyless, mut ahead) = (Vec::new(), Vec::new());
    for index in 0..header.count {
        let record = Record::take(&mut rest)
            .map_err(|_| Refusal::new(code::INVALID_RECORD, "record is malformed or missing"))?;
        if compressed && record.offset_delta != index {
            let message = "offset delta in a compressed batch is not consecutive";
            return Err(Refusal::new(code::UNKNOWN_SERVER_ERROR, message));
        }
        if topic.compacted && record.key.is_none() {
            keyless.push(index);
        }
        if header.base_timestamp.saturating_add(record.timestamp_delta) > latest {
            ahead.push(index);
        }
    }
    if !rest.is_empty() {
        return Err(Refusal::new(code::INVALID_RECORD, "bytes after the last record"));
    }
    let refuse = |code, records, message| Err(Refusal { code, records, message });
    if !keyless.is_empty() {
        return refuse(code::INVALID_RECORD, keyless, "compacted topic: record without key");
    }
    if !ahead.is_empty() {
        return refuse(code::INVALID_TIMESTAMP, ahead, "timestamp too far in the future");
    }
    Ok(())
}
