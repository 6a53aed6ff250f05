//! The 61 bytes before the records of a batch, and the records, as a broker reads them.

use bytes::Buf;

/// Bytes of the header of a batch of format 2.
pub(super) const HEADER: usize = 61;
/// Bytes before `batch_length` starts to count.
pub(super) const OVERHEAD: usize = 12;
/// Where the part begins that the checksum covers.
pub(super) const CHECKED_FROM: usize = 21;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What the header of a batch says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) base_offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) crc: u32,
    pub(super) attributes: i16,
    pub(super) last_offset_delta: i32,
    pub(super) base_timestamp: i64,
    pub(super) max_timestamp: i64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) count: i32,
}

impl Header {
    /// `None` if there are fewer than 61 bytes.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Self> {
        if bytes.len() < HEADER {
            return None;
        }
        let base_offset = bytes.get_i64();
        bytes.advance(4);
        let leader_epoch = bytes.get_i32();
        bytes.advance(1);
        Some(Self {
            base_offset,
            leader_epoch,
            crc: bytes.get_u32(),
            attributes: bytes.get_i16(),
            last_offset_delta: bytes.get_i32(),
            base_timestamp: bytes.get_i64(),
            max_timestamp: bytes.get_i64(),
            producer_id: bytes.get_i64(),
            producer_epoch: bytes.get_i16(),
            base_sequence: bytes.get_i32(),
            count: bytes.get_i32(),
        })
    }

    /// Number of the codec, 0 for none.
    pub(super) fn codec(&self) -> i16 {
        self.attributes & 7
    }

    pub(super) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    pub(super) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Sequence of the last record: after 2^31-1 comes 0.
    pub(super) fn last_sequence(&self) -> i32 {
        add_sequence(self.base_sequence, self.last_offset_delta)
    }
}

/// `sequence + n` in 31 bits.
pub(super) fn add_sequence(sequence: i32, n: i32) -> i32 {
    sequence.wrapping_add(n) & i32::MAX
}

/// Size of the first batch in `bytes` if it is there in full (Kafka's `nextBatchSize`).
/// `Err` if what is there cannot be a batch.
pub(super) fn first_size(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    const UP_TO_MAGIC: usize = 17;
    const SMALLEST_EVER: usize = 14;
    if bytes.len() < UP_TO_MAGIC {
        return Ok(None);
    }
    let length = (&bytes[8..]).get_i32();
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    if length < SMALLEST_EVER || bytes[16] > 2 {
        return Err(Malformed);
    }
    Ok(Some(OVERHEAD + length).filter(|size| *size <= bytes.len()))
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Malformed;

/// A record in its batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    headers: &'a [u8],
    header_count: usize,
}

impl<'a> Record<'a> {
    /// Takes the first record off `input`.
    pub(super) fn take(input: &mut &'a [u8]) -> Result<Self, Malformed> {
        let length = usize::try_from(varint(input)?).map_err(|_| Malformed)?;
        let mut body = input.split_off(..length).ok_or(Malformed)?;
        let body = &mut body;
        take(body, 1)?;
        let timestamp_delta = varlong(body)?;
        let offset_delta = varint(body)?;
        let key = nullable(body)?;
        let value = nullable(body)?;
        let header_count = usize::try_from(varint(body)?).map_err(|_| Malformed)?;
        let record =
            Self { timestamp_delta, offset_delta, key, value, headers: body, header_count };
        record.check_headers()?;
        Ok(record)
    }

    /// The headers; the record was checked when it was taken.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut rest = self.headers;
        (0..self.header_count).map_while(move |_| header(&mut rest).ok())
    }

    fn check_headers(&self) -> Result<(), Malformed> {
        let mut rest = self.headers;
        for _ in 0..self.header_count {
            header(&mut rest)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

fn header<'a>(input: &mut &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), Malformed> {
    let key = nullable(input)?.ok_or(Malformed)?;
    Ok((key, nullable(input)?))
}

fn nullable<'a>(input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    match varint(input)? {
        -1 => Ok(None),
        n => Ok(Some(take(input, usize::try_from(n).map_err(|_| Malformed)?)?)),
    }
}

fn take<'a>(input: &mut &'a [u8], n: usize) -> Result<&'a [u8], Malformed> {
    input.split_off(..n).ok_or(Malformed)
}

fn varint(input: &mut &[u8]) -> Result<i32, Malformed> {
    i32::try_from(zigzag(input, 5)?).map_err(|_| Malformed)
}

fn varlong(input: &mut &[u8]) -> Result<i64, Malformed> {
    zigzag(input, 10)
}

fn zigzag(input: &mut &[u8], most: usize) -> Result<i64, Malformed> {
    let mut n = 0u64;
    for i in 0..most {
        let byte = *input.split_off_first().ok_or(Malformed)?;
        n |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok((n >> 1).cast_signed() ^ -(n & 1).cast_signed());
        }
    }
    Err(Malformed)
}
