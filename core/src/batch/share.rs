//! A split where memory lacks: the second part stays where it is, as the *guest* of the first, and is sent when that one
//! is done with. Else batches that are all too large would fill the memory, each waiting for another one's.

use super::{BatchState, HEADER, SPLITS};
use crate::producer::Producer;
use crate::storage::Shape;
use crate::storage::list::Link;
use crate::storage::shift;

impl Producer<'_> {
    /// The records from byte `cut` on are those of `guest`. They make room for the tags behind the first part.
    pub(super) fn take_in(&mut self, b: usize, guest: usize, cut: u32) {
        let batch = self.storage.batches[b];
        let start = self.storage.batch_start(batch.chunk);
        let records = start + cut as usize..start + batch.size as usize;
        let to = start + (cut + Shape::TAILROOM) as usize;
        shift(&mut self.storage.chunks, records, to);
        let slot = &mut self.storage.batches[guest];
        slot.change_kin(|kin| kin.guest_at = cut + Shape::TAILROOM);
        slot.size = HEADER + batch.size - cut;
        slot.plain = slot.size;
        self.storage.batches[b].change_kin(|kin| kin.guest = Link::to(guest));
    }

    /// The first part is split once more: what is cut off joins the guest, so a chunk never has more than one.
    pub(super) fn widen_guest(&mut self, b: usize, guest: usize, cut: u32, keep: u16) {
        let batch = self.storage.batches[b];
        let start = self.storage.batch_start(batch.chunk);
        let bytes = batch.size - cut;
        let slot = &mut self.storage.batches[guest];
        slot.change_kin(|kin| {
            kin.guest_at -= bytes;
            kin.first = batch.kin().first + keep;
        });
        slot.size += bytes;
        slot.plain = slot.size;
        slot.records += batch.records - keep;
        slot.sequence = batch.sequence.plus(keep);
        let to = slot.kin().guest_at;
        let records = start + cut as usize..start + batch.size as usize;
        shift(&mut self.storage.chunks, records, start + to as usize);
    }

    /// Nobody needs the records of the batch any more: its guest, if it has one, gets the chunk. The guest's slot is
    /// still its own: it stands behind the batch in the queue and in the reports, and is not sent before this.
    pub(super) fn hand_over(&mut self, b: usize) {
        if !SPLITS {
            return;
        }
        let batch = &mut self.storage.batches[b];
        let Some(guest) = batch.kin().guest.get() else { return };
        batch.change_kin(|kin| kin.guest = Link::NONE);
        let (chunk, chunks) = (batch.chunk, core::mem::take(&mut batch.chunks));
        let slot = &mut self.storage.batches[guest];
        slot.chunks = chunks;
        // One that has its outcome already is only read any more.
        if slot.state != BatchState::Done {
            let at = slot.kin().guest_at;
            let from = at..at + slot.size - HEADER;
            self.place_records(guest, chunk, from);
        }
    }
}
