//! A batch that the broker finds too large is cut in two at a record boundary (KAFKA-8350: until it fits, or a single
//! record is left). The parts keep the batch's identity: the same epoch and consecutive sequences.

use core::ops::Range;

use super::{AGE, BatchSlot, BatchState, HEADER, KIN, Kin, QUEUE};
use crate::partition::outcome::Answer;
use crate::producer::Producer;
use crate::storage::list::{self, Link};
use crate::storage::shift;
use crate::wire::record::RecordIter;
use crate::wire::varint::{varint_len, varlong_len};
use crate::wire::writer::Writer;

impl Producer<'_> {
    /// Splits every batch of the round that was answered "too large". `None` if there was none; `Some(false)` where a
    /// slot lacked, or a chunk for what cannot be split in place: the batch stays whole, and the next round asks again.
    pub(crate) fn split_where_asked(&mut self, p: usize) -> Option<bool> {
        let mut found = None;
        let mut at = self.head(p);
        while let Some(b) = at.filter(|&b| self.storage.batches[b].sent) {
            at = list::next(&self.storage.batches, QUEUE, b);
            if self.storage.batches[b].answer == Answer::Split {
                let smaller = self.split(p, b).is_some();
                found = Some(smaller || found == Some(true));
            }
        }
        found
    }

    /// Makes the second half of the records a batch of its own, right behind: in another chunk, or, where memory lacks,
    /// in place.
    fn split(&mut self, p: usize, b: usize) -> Option<()> {
        let batch = &self.storage.batches[b];
        // What is cut off joins the guest that stands right behind, if there is one: order is kept, and no slot taken.
        let next = list::next(&self.storage.batches, QUEUE, b);
        let guest =
            batch.kin().guest.get().filter(|guest| {
                next == Some(*guest) && !batch.unsure && self.is_part_of(*guest, b)
            });
        // Parts of an unsure batch need one another's answers (rule 9): none of them may wait for the other.
        let needs_chunk = batch.unsure || batch.kin().guest.is_some();
        // Of the second part of a compressed batch is known only that it is smaller.
        let cut = if batch.compressed { None } else { self.cut(b, batch.records / 2) };
        let run = self.storage.run_for(HEADER + batch.plain - cut.unwrap_or(HEADER));
        let chunk = !needs_chunk || self.has_run(run) || self.may_take_spare(p, run);
        let possible = guest.is_some() || self.has_slot() && chunk;
        // Only then: what is not split goes out again as it was, also compressed or not.
        if !possible || !self.make_plain(b) {
            return None;
        }
        let batch = self.storage.batches[b];
        let keep = batch.records / 2;
        let cut = self.cut(b, keep)?;
        if let Some(guest) = guest {
            self.widen_guest(b, guest, cut, keep);
        } else {
            let run = self.storage.run_for(HEADER + batch.size - cut);
            let chunks = self.take_chunks(run).map(|first| (first, run));
            let chunks = if needs_chunk {
                Some(chunks.or_else(|| self.lend_spare(p, run))?)
            } else {
                chunks
            };
            self.split_off(p, b, chunks, cut, keep)?;
        }
        let head = &mut self.storage.batches[b];
        head.records = keep;
        head.size = cut;
        head.plain = cut;
        head.frozen = false;
        head.stamped = false;
        head.retries = 0;
        self.trim(b);
        self.storage.batches[b].max_timestamp = self.max_timestamp(b);
        Some(())
    }

    /// Are the records of both named by one `BatchId`? Not where they were split before a restart: what is restored has ids
    /// of its own, and records that moved over would be reported under another one's.
    fn is_part_of(&self, guest: usize, b: usize) -> bool {
        let origin = self.storage.batches[b].kin().origin;
        self.storage.batches[guest].kin().origin
            == if origin.is_some() { origin } else { Link::to(b) }
    }

    /// What was cut off has chunks of its own: the batch keeps no more than it needs, so that the next split finds some.
    fn trim(&mut self, b: usize) {
        let batch = self.storage.batches[b];
        let needs = self.storage.run_for(batch.size);
        if batch.chunks > needs && !batch.kin().guest.is_some() {
            self.storage.batches[b].chunks = needs;
            self.give_back_chunks(batch.chunk + needs, batch.chunks - needs);
        }
    }

    /// The spare is what compressed batches are made plain with, which is the first step of a split. It is taken for a
    /// part only where none of those that could be sent now would wait for it: all would wait for one another
    /// (seed 503008).
    fn may_take_spare(&self, p: usize, run: u16) -> bool {
        let waits = |b: usize| {
            let batch = &self.storage.batches[b];
            batch.compressed && !batch.unsure
        };
        let mut others = (0..usize::from(self.partitions_used)).filter(|other| *other != p);
        self.spare.is_some()
            && run <= self.spare_run()
            && !others.any(|other| self.head(other).is_some_and(waits))
    }

    /// As many chunks of the spare as needed; the others are for further splits. It comes back when there is room for it.
    fn lend_spare(&mut self, p: usize, run: u16) -> Option<(u16, u16)> {
        let lent = if self.may_take_spare(p, run) { self.spare.take() } else { None };
        let (first, more) = (lent?, self.spare_run() - run);
        self.chunks.give_back(&mut self.storage.chunk_map, first + run, more);
        Some((first, run))
    }

    /// The records from byte `cut` on, of which `keep` are before it, as a batch in these chunks, or behind the others.
    fn split_off(
        &mut self,
        p: usize,
        b: usize,
        chunks: Option<(u16, u16)>,
        cut: u32,
        keep: u16,
    ) -> Option<()> {
        let batch = self.storage.batches[b];
        let Some(tail) = self.take_slot() else {
            let (first, run) = chunks.unwrap_or_default();
            self.give_back_chunks(first, run);
            return None;
        };
        let (chunk, run) = chunks.unwrap_or((batch.chunk, 0));
        let kin = batch.kin();
        let origin = if kin.origin.is_some() { kin.origin } else { Link::to(b) };
        let kin = Kin { origin, first: kin.first + keep, parts: 0, guest: Link::NONE, ..kin };
        self.storage.batches[tail] = BatchSlot {
            links: BatchSlot::EMPTY.links,
            state: BatchState::Sealed,
            generation: self.storage.batches[tail].generation,
            chunk,
            chunks: run,
            records: batch.records - keep,
            sequence: batch.sequence.plus(keep),
            kin: [kin; KIN],
            frozen: false,
            stamped: false,
            retries: 0,
            answer: Answer::None,
            ..batch
        };
        match chunks {
            Some(_) => self.place_records(tail, batch.chunk, cut..batch.size),
            None => self.take_in(b, tail, cut),
        }
        if let Some(origin) = origin.get() {
            self.storage.batches[origin].change_kin(|kin| kin.parts += 1);
        }
        let partition = &mut self.storage.partitions[p];
        partition.queue.insert_after(&mut self.storage.batches, QUEUE, Link::to(b), tail);
        partition.sent += 1;
        partition.queued += 1;
        self.age.insert_after(&mut self.storage.batches, AGE, Link::to(b), tail);
        Some(())
    }

    /// Where the record with index `keep` begins, in bytes of the batch.
    fn cut(&self, b: usize, keep: u16) -> Option<u32> {
        let record = RecordIter::new(self.record_bytes(b)).nth(usize::from(keep))?;
        u32::try_from(record.range.start).ok().map(|at| HEADER + at)
    }

    /// Writes the records that lie in `from` of a chunk behind the header of the batch, as its first, second, ... one. It
    /// may be the same chunk: records only shrink, for lengths and deltas take no more bytes than before. Others, which
    /// only a forged snapshot has, end it: the broker finds fewer records than the header names.
    #[allow(clippy::cast_possible_truncation, reason = "no larger than the batch it came from")]
    pub(crate) fn place_records(&mut self, b: usize, chunk: u16, from: Range<u32>) {
        let source = self.storage.batch_start(chunk);
        let (mut read, end) = (source + from.start as usize, source + from.end as usize);
        let start = self.storage.batch_start(self.storage.batches[b].chunk);
        let mut write = start + HEADER as usize;
        let mut offset_delta = 0;
        while let Some(view) = RecordIter::new(&self.storage.chunks[read..end]).next() {
            let (ts_delta, tail, size) = (view.ts_delta, view.tail, view.range.len());
            let body = 1 + varlong_len(ts_delta) + varint_len(offset_delta) + tail;
            let moved = write - start + varint_len(body as i32) + body;
            if moved > HEADER as usize + (read + size - source - from.start as usize) {
                break;
            }
            let mut head = Writer::new(&mut self.storage.chunks[write..]);
            head.put_varint(body as i32);
            head.put_u8(0);
            head.put_varlong(ts_delta);
            head.put_varint(offset_delta);
            write += head.finish().unwrap_or_default();
            shift(&mut self.storage.chunks, read + size - tail..read + size, write);
            write += tail;
            read += size;
            offset_delta += 1;
        }
        let slot = &mut self.storage.batches[b];
        slot.size = (write - start) as u32;
        slot.plain = slot.size;
        slot.change_kin(|kin| kin.guest_at = 0);
        self.storage.batches[b].max_timestamp = self.max_timestamp(b);
    }

    fn max_timestamp(&self, b: usize) -> i64 {
        let delta = RecordIter::new(self.record_bytes(b)).map(|view| view.ts_delta).max();
        self.storage.batches[b].base_timestamp.wrapping_add(delta.unwrap_or_default())
    }

    /// The records of a batch that is not compressed.
    pub(crate) fn record_bytes(&self, b: usize) -> &[u8] {
        let batch = &self.storage.batches[b];
        let start =
            self.storage.batch_start(batch.chunk) + batch.kin().guest_at.max(HEADER) as usize;
        let records = start..start + (batch.size - HEADER) as usize;
        self.storage.chunks.get(records).unwrap_or_default()
    }
}
