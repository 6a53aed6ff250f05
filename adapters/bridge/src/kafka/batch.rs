//! A batch of records: every field of its head is looked at, and its checksum.

use super::error::Refusal;
use super::{Code, Malformed, Reader, Writer};

/// Bytes before the records.
pub(crate) const HEAD: usize = 61;
/// Bytes that a batch's length does not count: the offset and the length itself.
const OUTSIDE: usize = 12;
/// Where the bytes begin that the checksum is about.
const SUMMED: usize = 21;
const LEADER_EPOCH: core::ops::Range<usize> = 12..16;

const CODEC: i16 = 0b111;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// How records are compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub(crate) const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    fn from_attributes(attributes: i16) -> Option<Self> {
        let number = usize::try_from(attributes & CODEC).ok()?;
        Self::ALL.get(number).copied()
    }
}

/// A batch whose head is sound; its records have not been looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) codec: Codec,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: u32,
    /// As they came: compressed, if there is a codec.
    pub(crate) records: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads exactly one batch.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let invalid = |_: Malformed| Refusal::invalid("the batch is cut short");
        let mut head = Reader::new(bytes, false);
        let base_offset = head.i64().map_err(invalid)?;
        let length = head.i32().map_err(invalid)?;
        head.i32().map_err(invalid)?;
        let magic = head.i8().map_err(invalid)?;
        if magic != 2 {
            return Err(Refusal::invalid("not a batch of magic 2"));
        }
        let checksum = head.i32().map_err(invalid)?.cast_unsigned();
        let attributes = head.i16().map_err(invalid)?;
        let last_delta = head.i32().map_err(invalid)?;
        let base_timestamp = head.i64().map_err(invalid)?;
        let max_timestamp = head.i64().map_err(invalid)?;
        let producer_id = head.i64().map_err(invalid)?;
        let producer_epoch = head.i16().map_err(invalid)?;
        let base_sequence = head.i32().map_err(invalid)?;
        let count = head.i32().map_err(invalid)?;
        if usize::try_from(length).ok() != bytes.len().checked_sub(OUTSIDE) {
            return Err(Refusal::invalid("the batch's length is not that of the records field"));
        }
        if base_offset != 0 {
            return Err(Refusal::invalid("the batch has an offset"));
        }
        let summed = bytes.get(SUMMED..).unwrap_or_default();
        if crc32c::crc32c(summed) != checksum {
            return Err(Refusal::new(Code::CORRUPT_MESSAGE, "the batch's checksum is wrong"));
        }
        let codec = check_attributes(attributes)?;
        if count < 1 || Some(last_delta) != count.checked_sub(1) {
            return Err(Refusal::invalid("the batch's count is not that of its offsets"));
        }
        check_identity(producer_id, producer_epoch, base_sequence)?;
        let records = bytes.get(HEAD..).unwrap_or_default();
        let count = count.unsigned_abs();
        Ok(Self {
            bytes,
            codec,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            count,
            records,
        })
    }

    /// The batch as it came, but for the one field that the checksum does not cover.
    pub(crate) fn as_it_came(&self) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        if let Some(epoch) = bytes.get_mut(LEADER_EPOCH) {
            epoch.copy_from_slice(&(-1_i32).to_be_bytes());
        }
        bytes
    }

    /// A batch of the same identity, time and count, with other bytes for its records. The same input
    /// gives the same bytes, so a retry is the same batch to the broker. `None`: it got too long.
    pub(crate) fn with_records(&self, records: &[u8]) -> Option<Vec<u8>> {
        let length = i32::try_from(HEAD.checked_add(records.len())?.checked_sub(OUTSIDE)?).ok()?;
        let count = self.count.cast_signed();
        let mut body = Writer::plain();
        // Uncompressed, times by the producer, neither transactional nor control.
        body.i16(0);
        body.i32(count.checked_sub(1)?);
        body.i64(self.base_timestamp);
        body.i64(self.max_timestamp);
        body.i64(self.producer_id);
        body.i16(self.producer_epoch);
        body.i32(self.base_sequence);
        body.i32(count);
        body.raw(records);
        let body = body.into_bytes();
        let mut batch = Writer::plain();
        batch.i64(0);
        batch.i32(length);
        batch.i32(-1);
        batch.i8(2);
        batch.i32(crc32c::crc32c(&body).cast_signed());
        batch.raw(&body);
        Some(batch.into_bytes())
    }
}

fn check_attributes(attributes: i16) -> Result<Codec, Refusal> {
    if attributes & CONTROL != 0 {
        return Err(Refusal::invalid("a producer writes no control batches"));
    }
    if attributes & TRANSACTIONAL != 0 {
        let code = Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        return Err(Refusal::new(code, "the bridge takes no transactions"));
    }
    if attributes & !CODEC != 0 {
        return Err(Refusal::invalid("the batch has attributes that no producer sets"));
    }
    Codec::from_attributes(attributes).ok_or_else(|| {
        Refusal::new(Code::UNSUPPORTED_COMPRESSION_TYPE, "there is no such compression")
    })
}

/// All of it or nothing.
fn check_identity(id: i64, epoch: i16, sequence: i32) -> Result<(), Refusal> {
    let none = id == -1 && epoch == -1 && sequence == -1;
    let all = id >= 0 && epoch >= 0 && sequence >= 0;
    if none || all { Ok(()) } else { Err(Refusal::invalid("half a producer identity")) }
}
