//! The 61 bytes in front of the records of a batch (magic 2, KIP-98).

/// Bytes of a batch before its records.
pub(crate) const BATCH_HEADER: usize = 61;
/// Bytes of a batch that its `batch_length` does not count.
pub(crate) const BEFORE_LENGTH: usize = 12;

/// Where the checksum lies, and where what it covers begins.
#[cfg(test)]
const CRC: usize = 17;
const CRC_FROM: usize = 21;
/// Where producer id, epoch and sequence lie.
const PRODUCER: usize = 43;

/// The fields that differ from batch to batch. Base offset (0) and leader epoch (-1) are the broker's to fill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BatchHeader {
    /// `batch_length`: the bytes of the batch but the first [`BEFORE_LENGTH`].
    pub(crate) length: i32,
    /// Bits 0 to 2: the codec; bit 4: transactional.
    pub(crate) attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

impl BatchHeader {
    /// Writes all of it; the checksum stays 0 until [`set_crc`].
    pub(crate) fn write(&self, out: &mut [u8; BATCH_HEADER]) {
        let mut w = super::writer::Writer::new(out);
        w.put_i64(0);
        w.put_i32(self.length);
        w.put_i32(-1);
        w.put_u8(2);
        w.put_i32(0);
        w.put_i16(self.attributes);
        w.put_i32(self.last_offset_delta);
        w.put_i64(self.base_timestamp);
        w.put_i64(self.max_timestamp);
        w.put_i64(self.producer_id);
        w.put_i16(self.epoch);
        w.put_i32(self.base_sequence);
        w.put_i32(self.count);
    }

    #[cfg(test)]
    /// Reads the header of a batch and its checksum; `None`: too short, or not magic 2.
    pub(crate) fn parse(batch: &[u8]) -> Option<(Self, u32)> {
        let head = batch.first_chunk::<BATCH_HEADER>()?;
        if head[16] != 2 {
            return None;
        }
        let header = Self {
            length: i32::from_be_bytes(field(head, 8)?),
            attributes: i16::from_be_bytes(field(head, 21)?),
            last_offset_delta: i32::from_be_bytes(field(head, 23)?),
            base_timestamp: i64::from_be_bytes(field(head, 27)?),
            max_timestamp: i64::from_be_bytes(field(head, 35)?),
            producer_id: i64::from_be_bytes(field(head, 43)?),
            epoch: i16::from_be_bytes(field(head, 51)?),
            base_sequence: i32::from_be_bytes(field(head, 53)?),
            count: i32::from_be_bytes(field(head, 57)?),
        };
        Some((header, u32::from_be_bytes(field(head, CRC)?)))
    }
}

#[cfg(test)]
fn field<const N: usize>(head: &[u8; BATCH_HEADER], at: usize) -> Option<[u8; N]> {
    head.get(at..)?.first_chunk().copied()
}

/// Puts in whose batch it is. Only this and the checksum may differ from one transmission to the next.
pub(crate) fn stamp(
    header: &mut [u8; BATCH_HEADER],
    producer_id: i64,
    epoch: i16,
    base_sequence: i32,
) {
    let mut w = super::writer::Writer::new(&mut header[PRODUCER..PRODUCER + 14]);
    w.put_i64(producer_id);
    w.put_i16(epoch);
    w.put_i32(base_sequence);
}

/// Computes and puts in the checksum of a whole batch. Bytes that are too few for a batch stay as they are.
pub(crate) fn set_crc(batch: &mut [u8], crc32c: fn(&[u8]) -> u32) {
    if let Some((head, covered)) = batch.split_at_mut_checked(CRC_FROM)
        && let Some(place) = head.last_chunk_mut()
    {
        *place = crc32c(covered).to_be_bytes();
    }
}
