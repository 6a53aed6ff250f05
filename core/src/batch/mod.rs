//! The batch slot: what is known of a batch whose bytes lie in a chunk of the storage.
//!
//! Life of a slot: `Free` -> `Open` (records are appended) -> `Sealed` (waits, is in flight, waits again for a retry)
//! -> `Done` (outcome known, report not yet taken) -> `Free`. A batch is *pinned* while its frame is in flight: its
//! memory then belongs to the connection, whatever else happens (CVE-2026-35554).

mod bad;
pub(crate) mod builder;
mod gate;
pub(crate) mod pool;
pub(crate) mod record;
mod seal;
mod share;
mod split;

use crate::error::Reason;
use crate::error_code::ErrorCode;
use crate::partition::outcome::Answer;
use crate::partition::sequence::Sequence;
use crate::storage::broken;
use crate::storage::list::{Link, Linked, Links};
use crate::time::Instant;

/// Are batches split that a broker finds too large?
pub(crate) const SPLITS: bool = cfg!(feature = "split");
/// Is a chunk kept aside? What is neither split nor compressed needs none.
pub(crate) const SPARE: bool = SPLITS || cfg!(feature = "compression");
/// Bytes of a batch's header.
pub(crate) const HEADER: u32 = 61;

/// The lists that a batch can be in.
pub(crate) const QUEUE: usize = 0; // of its partition, in order, until its outcome is known; or the free list
pub(crate) const AGE: usize = 1; // of all batches without outcome, oldest first
pub(crate) const AUX: usize = 2; // lingering, then the request in flight, then the reports
#[cfg(feature = "policies")]
pub(crate) const UNSENT: usize = 3; // of all batches that were never sent, oldest first
const LISTS: usize = if cfg!(feature = "policies") { 4 } else { 3 };

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum BatchState {
    #[default]
    Free = 0,
    Open,
    Sealed,
    Done,
}

/// How a batch ended; the reason stands beside it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Fate {
    #[default]
    Delivered = 0,
    NotPersisted,
    Unknown,
    #[cfg(feature = "policies")]
    Dropped,
}

/// The reason of what was delivered.
pub(crate) const NO_REASON: Reason = Reason::Rejected(ErrorCode::NONE);

#[derive(Clone, Copy, Debug)]
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub(crate) struct BatchSlot {
    pub(crate) state: BatchState,
    /// Full, lingered enough, or flushed: may be sent as soon as it can be, and takes records until then if there is room.
    pub(crate) due: bool,
    /// The base timestamp is real time. Else it is milliseconds since `opened`, until the clock is known.
    pub(crate) anchored: bool,
    /// Header written and records compressed: the bytes from 61 on change no more.
    pub(crate) frozen: bool,
    pub(crate) compressed: bool,
    /// The codec was tried, successful or not; and the adapter has the records.
    #[cfg(feature = "compression")]
    pub(crate) squeezed: bool,
    #[cfg(feature = "compression")]
    pub(crate) outside: bool,
    /// Producer id, epoch, sequence and CRC are written.
    pub(crate) stamped: bool,
    /// Part of a request in flight, or of an answer being read.
    pub(crate) pinned: bool,
    /// Correlation id of that request, while it is pinned.
    #[cfg(feature = "grow")]
    pub(crate) request: i32,
    /// Has a sequence: it joined a request at least once (the "transmitted" of protocol.md 4.6).
    pub(crate) sent: bool,
    /// Its identity, as it stands in its header, may be sent; it has never joined a request.
    #[cfg(feature = "snapshot")]
    pub(crate) released: bool,
    #[cfg(feature = "snapshot")]
    pub(crate) fresh: bool,
    /// One of its transmissions may have put it into the log.
    pub(crate) unsure: bool,
    /// Got a final error although an earlier transmission is unsure.
    pub(crate) rejected: bool,
    /// Its delivery timeout has passed, or it was purged.
    pub(crate) expired: bool,
    pub(crate) purged: bool,
    /// Sent by topic name since its last sequence was given (protocol.md 4.7).
    pub(crate) by_name: bool,
    /// The answer being read has it.
    pub(crate) heard: bool,
    /// Its answer in the current round.
    pub(crate) answer: Answer,
    pub(crate) fate: Fate,
    /// Bytes of empty tags behind the batch.
    pub(crate) tail: u8,
    /// The broker named records as invalid: a bit each lies where the request's heads were (`batch/bad.rs`).
    pub(crate) bad: bool,
    /// Grows with each reuse of the slot: stale `BatchId`s miss.
    pub(crate) generation: u16,
    pub(crate) chunk: u16,
    pub(crate) chunks: u16,
    pub(crate) partition: u16,
    pub(crate) records: u16,
    pub(crate) retries: u16,
    /// Bytes of request head before the batch.
    pub(crate) head: u16,
    /// The last error answered.
    pub(crate) code: ErrorCode,
    /// Records that reports were already taken for (a report for each piece around bad ones).
    pub(crate) told: u16,
    pub(crate) links: [Links; LISTS],
    /// Not an `Option`: its `None` would not be zero, and put the memory into flash.
    pub(crate) reason: Reason,
    /// Bytes of the batch, header included; `plain` before compression.
    pub(crate) size: u32,
    pub(crate) plain: u32,
    /// Bytes that the batch may grow to without more chunks.
    #[cfg(feature = "grow")]
    pub(crate) room: u32,
    pub(crate) sequence: Sequence,
    pub(crate) kin: [Kin; KIN],
    /// Number of the batch in order of creation (wrapping); parts keep their origin's. For flush tickets.
    pub(crate) born: u32,
    /// `Producer::asleep` when it was opened.
    pub(crate) asleep: u32,
    /// The codec that was asked for.
    #[cfg(feature = "compression")]
    pub(crate) codec: crate::Compression,
    pub(crate) opened: Instant,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) base_offset: i64,
    pub(crate) append_time: i64,
}

impl BatchSlot {
    pub(crate) const EMPTY: Self = Self {
        links: [Links::EMPTY; LISTS],
        state: BatchState::Free,
        due: false,
        anchored: false,
        frozen: false,
        compressed: false,
        #[cfg(feature = "compression")]
        codec: crate::Compression::None,
        #[cfg(feature = "compression")]
        squeezed: false,
        #[cfg(feature = "compression")]
        outside: false,
        stamped: false,
        pinned: false,
        #[cfg(feature = "grow")]
        request: 0,
        sent: false,
        #[cfg(feature = "snapshot")]
        released: false,
        #[cfg(feature = "snapshot")]
        fresh: false,
        unsure: false,
        rejected: false,
        expired: false,
        purged: false,
        by_name: false,
        heard: false,
        answer: Answer::None,
        fate: Fate::Delivered,
        reason: NO_REASON,
        generation: 0,
        chunk: 0,
        chunks: 0,
        partition: 0,
        records: 0,
        retries: 0,
        head: 0,
        tail: 0,
        size: 0,
        plain: 0,
        #[cfg(feature = "grow")]
        room: 0,
        sequence: Sequence::ZERO,
        code: ErrorCode::NONE,
        kin: [Kin::NONE; KIN],
        told: 0,
        bad: false,
        born: 0,
        opened: Instant::ZERO,
        asleep: 0,
        base_timestamp: 0,
        max_timestamp: 0,
        base_offset: 0,
        append_time: 0,
    };
}

/// What a batch that was split, or a part of one, knows of the others. A snapshot may have some, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kin {
    /// A part: the slot whose `RecordId`s these are, and the index of the first one.
    pub(crate) origin: Link,
    pub(crate) first: u16,
    /// Parts split off from this slot that have not been reported: it is not reused before.
    pub(crate) parts: u16,
    /// The part split off in place, whose records lie behind this batch's in its chunk (`batch/share.rs`).
    pub(crate) guest: Link,
    /// Of such a part: where its records begin, from the start of the batch that it is the guest of; else 0.
    pub(crate) guest_at: u32,
}

const KIN: usize = if cfg!(any(feature = "split", feature = "snapshot")) { 1 } else { 0 };

impl Kin {
    const NONE: Self =
        Self { origin: Link::NONE, first: 0, parts: 0, guest: Link::NONE, guest_at: 0 };
}

impl BatchSlot {
    pub(crate) fn kin(&self) -> Kin {
        self.kin.first().copied().unwrap_or(Kin::NONE)
    }

    pub(crate) fn change_kin(&mut self, change: impl FnOnce(&mut Kin)) {
        if let Some(kin) = self.kin.first_mut() {
            change(kin);
        }
    }
}

impl Linked for BatchSlot {
    fn links(&self, which: usize) -> Links {
        self.links.get(which).copied().unwrap_or(Links::EMPTY)
    }

    fn links_mut(&mut self, which: usize) -> &mut Links {
        match self.links.get_mut(which) {
            Some(links) => links,
            None => broken("a slot has links for every list"),
        }
    }
}
