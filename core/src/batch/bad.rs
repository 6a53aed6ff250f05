//! Records that a broker names as invalid (KIP-467): a bit each, in the room before the batch. The heads of the request
//! lay there; it was written whole before it was answered, and the next one writes its heads anew.

use crate::producer::Producer;

impl Producer<'_> {
    /// Notes that the record is invalid. Its answer is being read, so the batch's frame has been written.
    pub(crate) fn mark_bad(&mut self, b: usize, index: u16) {
        let (byte, bit) = place(self.storage.headroom(), index);
        let first = !core::mem::replace(&mut self.storage.batches[b].bad, true);
        let bits = self.bad_bits(b);
        let Some(bits) = self.storage.chunks.get_mut(bits) else { return };
        if first {
            bits.fill(0);
        }
        if let Some(byte) = bits.get_mut(byte) {
            *byte |= bit;
        }
    }

    pub(crate) fn is_bad(&self, b: usize, index: u16) -> bool {
        let (byte, bit) = place(self.storage.headroom(), index);
        let bits = self.storage.chunks.get(self.bad_bits(b)).unwrap_or_default();
        bits.get(byte).is_some_and(|bits| bits & bit != 0)
    }

    /// The room before the batch.
    pub(super) fn bad_bits(&self, b: usize) -> core::ops::Range<usize> {
        let start = self.storage.batch_start(self.storage.batches[b].chunk);
        start - self.storage.headroom() as usize..start
    }
}

/// Byte and bit of a record. Those for which there is no room (from 1,375 on, from 4,383 on a host) share the last bit.
fn place(room: u32, index: u16) -> (usize, u8) {
    let at = u32::from(index).min(room * 8 - 1);
    ((at / 8) as usize, 1 << (at % 8))
}
