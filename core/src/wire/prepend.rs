//! A cursor that grows downwards, for heads in front of bytes that already lie in place.

use super::varint;
use crate::storage::copy;

/// Writes at the end of a slice and from there towards its start.
///
/// Produce requests are built around batches where they lie: the heads' lengths depend on the number of topics and
/// partitions, so they are written from the last field to the first.
pub(crate) struct Prepend<'b> {
    out: &'b mut [u8],
    start: usize,
    overflow: bool,
}

impl<'b> Prepend<'b> {
    /// A cursor at the end of `out`.
    pub(crate) const fn new(out: &'b mut [u8]) -> Self {
        let start = out.len();
        Self { out, start, overflow: false }
    }

    /// Bytes written: the last `len()` bytes of the slice.
    pub(crate) const fn len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Was there too little room for anything so far?
    pub(crate) const fn overflow(&self) -> bool {
        self.overflow
    }

    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        let room = self.out.get_mut(..self.start);
        match room.and_then(|free| free.split_at_mut_checked(self.start.wrapping_sub(bytes.len())))
        {
            Some((free, room)) => {
                self.start = free.len();
                copy(room, bytes);
            }
            None => self.overflow = true,
        }
    }

    pub(crate) fn put_u8(&mut self, value: u8) {
        self.put_bytes(&[value]);
    }

    pub(crate) fn put_i16(&mut self, value: i16) {
        self.put_bytes(&value.to_be_bytes());
    }

    pub(crate) fn put_i32(&mut self, value: i32) {
        self.put_bytes(&value.to_be_bytes());
    }

    pub(crate) fn put_uvarint(&mut self, value: u32) {
        self.put_bytes(varint::encode(u64::from(value), &mut [0; 10]));
    }

    /// A length or count: `flexible` chooses the compact form, which is one more.
    pub(crate) fn put_count(&mut self, count: u32, flexible: bool) {
        match i32::try_from(count) {
            Ok(_) if flexible => self.put_uvarint(count + 1),
            Ok(count) => self.put_i32(count),
            Err(_) => self.overflow = true,
        }
    }

    /// A string: `flexible` chooses the compact form.
    pub(crate) fn put_string(&mut self, text: &[u8], flexible: bool) {
        self.put_bytes(text);
        match i16::try_from(text.len()) {
            Ok(len) if flexible => self.put_uvarint(u32::from(len.cast_unsigned()) + 1),
            Ok(len) => self.put_i16(len),
            Err(_) => self.overflow = true,
        }
    }
}
