//! One replica of a partition.

use super::batch::{self, Header};
use super::producers::Producers;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// A stored batch. Its first 16 bytes are as the client sent them: offset and leader epoch are
/// filled in when it is read ([`Entry::write_to`]), so that appending copies nothing.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) base_offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) header: Header,
    pub(super) batch: Bytes,
}

impl Entry {
    /// The offset behind its last record.
    pub(super) fn end(&self) -> i64 {
        self.base_offset + i64::from(self.header.last_offset_delta) + 1
    }

    /// The batch as a consumer gets it.
    pub(super) fn write_to(&self, out: &mut BytesMut) {
        out.put_i64(self.base_offset);
        out.put_slice(&self.batch[8..batch::OVERHEAD]);
        out.put_i32(self.leader_epoch);
        out.put_slice(&self.batch[batch::OVERHEAD + 4..]);
    }

    fn is(&self, other: &Self) -> bool {
        self.base_offset == other.base_offset
            && self.leader_epoch == other.leader_epoch
            && self.header.crc == other.header.crc
    }
}

/// The log of one replica, with what it knows about producers.
#[derive(Clone, Debug, Default)]
pub(super) struct ReplicaLog {
    entries: VecDeque<Entry>,
    /// Batches dropped at the front, so that the others keep their numbers.
    dropped: usize,
    start: i64,
    end: i64,
    bytes: u64,
    pub(super) producers: Producers,
}

impl ReplicaLog {
    /// Offset of the first record.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// Offset behind the last record.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// Was nothing ever appended?
    pub(super) fn is_new(&self) -> bool {
        self.end == 0
    }

    /// A new log begins at `offset`, because what was before it is gone.
    pub(super) fn start_at(&mut self, offset: i64) {
        if self.is_new() {
            (self.start, self.end) = (offset, offset);
        }
    }

    /// Appends at the end; `entry.base_offset` is the end. (The first batch of a copy may begin before the log does:
    /// whole batches are copied, records are deleted one by one.)
    pub(super) fn push(&mut self, entry: Entry) {
        let first = self.entries.is_empty() && entry.base_offset < self.end;
        debug_assert!(first || entry.base_offset == self.end, "no gap and no overlap");
        self.producers.learn(&entry.header, entry.base_offset);
        self.end = entry.end();
        self.bytes += entry.batch.len() as u64;
        self.entries.push_back(entry);
    }

    /// Batches with their numbers, from the one that contains `offset` on.
    pub(super) fn from(&self, offset: i64) -> impl Iterator<Item = (usize, &Entry)> {
        let first = self.entries.partition_point(|entry| entry.end() <= offset);
        let dropped = self.dropped;
        self.entries.iter().enumerate().skip(first).map(move |(i, entry)| (i + dropped, entry))
    }

    /// Copies at most `batches` from `leader`; what diverges from it is dropped first (KIP-101).
    /// Returns how many were copied.
    pub(super) fn copy(&mut self, leader: &Self, batches: usize) -> usize {
        let stays = |mine: &Entry| {
            leader
                .entries
                .binary_search_by_key(&mine.base_offset, |entry| entry.base_offset)
                .map_or_else(|_| mine.end() <= leader.start, |i| leader.entries[i].is(mine))
        };
        let diverging = self.entries.iter().rev().take_while(|mine| !stays(mine)).count();
        self.drop_last(diverging);
        if self.end < leader.start {
            self.entries.clear();
            (self.start, self.end, self.bytes) = (leader.start, leader.start, 0);
        }
        let mut copied = 0;
        for (_, entry) in leader.from(self.end).take(batches) {
            self.push(entry.clone());
            copied += 1;
        }
        copied
    }

    /// Drops the last `batches` batches. Producer state is then rebuilt: of each producer the last
    /// batch that is left.
    pub(super) fn drop_last(&mut self, batches: usize) {
        if batches == 0 {
            return;
        }
        let keep = self.entries.len().saturating_sub(batches);
        for entry in self.entries.drain(keep..) {
            self.bytes -= entry.batch.len() as u64;
        }
        self.end = self.entries.back().map_or(self.start, Entry::end);
        self.producers.forget(None);
        for entry in &self.entries {
            self.producers.learn(&entry.header, entry.base_offset);
        }
        self.producers.keep_last();
    }

    /// Drops whole batches below `offset`; records below it are not read any more.
    pub(super) fn drop_before(&mut self, offset: i64) {
        let offset = offset.min(self.end);
        while self.entries.front().is_some_and(|entry| entry.end() <= offset) {
            self.drop_first();
        }
        self.start = self.start.max(offset);
    }

    /// Drops the oldest batches until at most `bytes` are left (and always one batch).
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        while self.bytes > bytes && self.entries.len() > 1 {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.batch.len() as u64;
            self.dropped += 1;
            self.start = entry.end();
        }
    }
}
