//! What must outlive a crash so that nothing is lost or stored twice: producer id, epochs, sequences, and the batches
//! that have sequences.
//!
//! The rule (`Config::hold_stamped`): a snapshot that says a batch's identity is safe before the batch's first byte leaves.
//! So whatever may be in a log is in the last snapshot, with the identity that brokers know it by; sent again
//! after a restart, it is a duplicate to them. A snapshot is bytes: version, contents, CRC-32C.

use core::fmt;

use super::Producer;
use super::report::Records;
use crate::batch::{AGE, BatchSlot, BatchState, HEADER, QUEUE};
use crate::config::{Acks, Config, Idempotence};
use crate::error::{ConfigError, SendError};
use crate::error_code::ErrorCode;
use crate::id::{BatchId, PartitionId, TopicId};
use crate::partition::sequence::Sequence;
use crate::storage::list::{self, Link};
use crate::storage::{Shape, Storage, Text};
use crate::time::Instant;
use crate::wire::reader::Reader;
use crate::wire::record::RecordIter;
use crate::wire::writer::Writer;

/// The first bytes; the last is the version of the layout.
const MAGIC: [u8; 6] = *b"klamm\x01";
const CRC: usize = 4;

/// Why [`Producer::restore`] failed. No producer was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RestoreError {
    /// The configuration or the storage does not do.
    Config(ConfigError),
    /// The bytes are no snapshot, or a torn one: take the one before.
    Corrupt,
    /// Another version of klamm wrote it.
    Version,
    /// The storage is too small for what is in it.
    Storage(SendError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Corrupt => f.write_str("snapshot incomplete or damaged: take the one before"),
            Self::Version => f.write_str("snapshot of another version of klamm"),
            Self::Storage(error) => write!(f, "storage too small for the snapshot: {error}"),
        }
    }
}

impl core::error::Error for RestoreError {}

/// A batch that has sequence numbers and no outcome: what a snapshot holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Numbered {
    /// The batch. Behind a split each part has an id of its own, other than that in its reports.
    pub batch: BatchId,
    /// Where it goes.
    pub partition: PartitionId,
    /// Its records.
    pub records: u16,
    /// The batch that its reports will name: another one behind a split.
    pub origin: BatchId,
    /// Index of its first record there.
    pub first: u16,
    /// Its epoch and sequence now. While a snapshot is being made safe an epoch may be bumped: whoever does that beside
    /// the calls releases those batches only that are still numbered the same.
    pub identity: (i16, i32),
    /// Does it wait for [`Producer::release_batch`]?
    pub held: bool,
}

/// State that outlives a crash (Cargo feature `snapshot`).
///
/// With [`Config::hold_stamped`] the adapter, or whoever owns the flash, does this whenever something is held:
///
/// ```
/// # use klamm::{BatchId, Producer};
/// # fn write_to_flash(bytes: &[u8]) {}
/// fn save(producer: &mut Producer<'_>, page: &mut [u8]) {
///     let held: Vec<BatchId> = producer.numbered().filter(|b| b.held).map(|b| b.batch).collect();
///     if let (false, Some(len)) = (held.is_empty(), producer.snapshot(page)) {
///         write_to_flash(&page[..len]); // returns when it is safe there
///         held.into_iter().for_each(|batch| drop(producer.release_batch(batch)));
///     }
/// }
/// ```
///
/// It also takes a new snapshot before it acts upon a report of `NotPersisted`: the last one may hold that batch, and a
/// restart would send it. What brokers forget (`producer.id.expiration.ms`, a day) no snapshot brings back.
impl<'a> Producer<'a> {
    /// A producer that goes on where the snapshot was taken. Its batches may be in the log or not: they are sent again
    /// under the same identity, and reported like others (`numbered` tells their ids now). Their delivery timeout
    /// begins anew, and they count as accepted.
    ///
    /// # Errors
    /// Any [`RestoreError`].
    pub fn restore(
        config: &Config<'_>,
        storage: Storage<'a>,
        seed: u64,
        snapshot: &[u8],
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let producer = Self::start_from(config, storage, seed, snapshot, now);
        #[cfg(feature = "recorder")]
        let producer = producer.map(|mut producer| {
            record!(producer, restore(snapshot, now));
            producer
        });
        producer
    }

    /// Writes what must outlive a crash into `out`, and says how many bytes that took; `None` if it does not fit
    /// ([`snapshot_len`](Self::snapshot_len)). Records that have no sequence numbers yet are not in it.
    pub fn snapshot(&self, out: &mut [u8]) -> Option<usize> {
        self.write_snapshot(out)
    }

    /// The bytes that [`snapshot`](Self::snapshot) takes now. At most five batches and a few bytes a partition; more
    /// only where batches were split.
    pub fn snapshot_len(&self) -> usize {
        self.size_of_snapshot()
    }

    /// The batches that a snapshot holds, oldest first.
    pub fn numbered(&self) -> impl Iterator<Item = Numbered> {
        self.numbered_batches()
    }

    /// A snapshot that holds this batch is safe: it may be sent. False if it is not held (any more).
    pub fn release_batch(&mut self, batch: BatchId) -> bool {
        record!(self, release_batch(batch));
        self.open_gate(batch)
    }

    /// The records of a batch that has no outcome; `None` if it has one, or is compressed.
    pub fn batch_records(&self, batch: BatchId) -> Option<Records<'_>> {
        let slot = self.storage.batches.get(batch.index())?;
        let known = slot.generation == batch.generation
            && matches!(slot.state, BatchState::Open | BatchState::Sealed);
        if known { self.records_of(batch.index()) } else { None }
    }
}

impl Producer<'_> {
    fn numbered_batches(&self) -> impl Iterator<Item = Numbered> {
        let mut at = self.age.head();
        let all = core::iter::from_fn(move || {
            let b = at?;
            at = list::next(&self.storage.batches, AGE, b);
            Some(b)
        });
        all.filter(|&b| self.storage.batches[b].sent).map(|b| {
            let batch = &self.storage.batches[b];
            let partition = &self.storage.partitions[usize::from(batch.partition)];
            let topic = TopicId(partition.topic);
            Numbered {
                batch: self.batch_id(b),
                partition: PartitionId { topic, index: partition.index },
                records: batch.records,
                origin: self.batch_id(batch.kin().origin.get().unwrap_or(b)),
                first: batch.kin().first,
                identity: (partition.epoch, batch.sequence.get()),
                held: self.is_held(b),
            }
        })
    }

    /// The bytes that a snapshot takes now.
    fn size_of_snapshot(&self) -> usize {
        let partitions = self.numbered_partitions().map(|p| {
            let topic = &self.storage.topics[usize::from(self.storage.partitions[p].topic)];
            PARTITION + usize::from(topic.name_len)
        });
        let mut bytes = IDENTITY + CRC + partitions.sum::<usize>();
        for p in self.numbered_partitions() {
            let mut at = self.head(p);
            while let Some(b) = at.filter(|&b| self.storage.batches[b].sent) {
                bytes += BATCH + self.storage.batches[b].size as usize;
                at = list::next(&self.storage.batches, QUEUE, b);
            }
        }
        bytes
    }

    /// How many places before this part of a split stands the one in whose chunk it lies; 0 for others, and where that
    /// one has its outcome.
    fn batches_since_host(&self, p: usize, b: usize) -> u16 {
        let (mut since, mut at) = (0, self.head(p));
        while let Some(earlier) = at.filter(|&earlier| earlier != b) {
            let is_host = self.storage.batches[earlier].kin().guest == Link::to(b);
            since = if is_host || since > 0 { since + 1 } else { 0 };
            at = list::next(&self.storage.batches, QUEUE, earlier);
        }
        since
    }

    /// Bytes that the batch's chunks have to hold: its own before compression, and those of a part that lies behind.
    fn bytes_in_chunks(&self, b: usize) -> u32 {
        let batch = &self.storage.batches[b];
        let guest = batch.kin().guest.get().map(|guest| &self.storage.batches[guest]);
        let behind = guest.map_or(0, |guest| guest.kin().guest_at + guest.size);
        batch.plain.max(behind.saturating_sub(HEADER + Shape::TAILROOM))
    }

    /// The place of the header, of use where the batch is frozen: what was split has none before it is sent.
    fn header_of(&self, b: usize) -> core::ops::Range<usize> {
        let start = self.storage.batch_start(self.storage.batches[b].chunk);
        start..start + HEADER as usize
    }

    fn write_snapshot(&self, out: &mut [u8]) -> Option<usize> {
        let mut w = Writer::new(out);
        w.put_bytes(&MAGIC);
        w.put_i64(self.identity.id_plus_1);
        w.put_i16(self.identity.epoch);
        w.put_i32(self.identity.first_sequence.get());
        w.put_i32(i32::try_from(self.numbered_partitions().count()).ok()?);
        for p in self.numbered_partitions() {
            let partition = &self.storage.partitions[p];
            let t = usize::from(partition.topic);
            let topic = &self.storage.topics[t];
            w.put_u8(topic.name_len);
            w.put_bytes(self.storage.text_bytes(Text::Name(t), topic.name_len));
            w.put_uuid(&topic.ids.now());
            w.put_i32(partition.index);
            w.put_i64(partition.producer_id_plus_1);
            w.put_i16(partition.epoch);
            w.put_i32(partition.next.get());
            w.put_i64(partition.next_offset);
            w.put_bool(partition.hole);
            w.put_i16(partition.sent.cast_signed());
            let mut at = self.head(p);
            while let Some(b) = at.filter(|&b| self.storage.batches[b].sent) {
                let batch = &self.storage.batches[b];
                w.put_u8(flags_of(batch));
                w.put_i16(self.batches_since_host(p, b).cast_signed());
                w.put_i32(batch.kin().guest_at.cast_signed());
                w.put_i16(batch.records.cast_signed());
                w.put_i32(batch.sequence.get());
                w.put_i64(batch.base_timestamp);
                w.put_i64(batch.max_timestamp);
                w.put_i32(self.bytes_in_chunks(b).cast_signed());
                w.put_i32(batch.size.cast_signed());
                w.put_bytes(self.storage.chunks.get(self.header_of(b))?);
                w.put_bytes(self.record_bytes(b));
                at = list::next(&self.storage.batches, QUEUE, b);
            }
        }
        let len = w.finish()?;
        let (contents, rest) = out.split_at_mut_checked(len)?;
        *rest.first_chunk_mut()? = (self.config.crc32c)(contents).to_be_bytes();
        Some(len + CRC)
    }

    /// Partitions that ever numbered a batch.
    fn numbered_partitions(&self) -> impl Iterator<Item = usize> {
        let used = 0..usize::from(self.partitions_used);
        used.filter(|&p| {
            let partition = &self.storage.partitions[p];
            partition.sent > 0 || partition.producer_id_plus_1 != 0
        })
    }
}

/// Bytes of the identity, and of a partition and a batch without name and contents.
const IDENTITY: usize = 6 + 8 + 2 + 4 + 4;
const PARTITION: usize = 1 + 16 + 4 + 8 + 2 + 4 + 8 + 1 + 2;
const BATCH: usize = 1 + 2 + 4 + 2 + 4 + 8 + 8 + 4 + 4;

const BY_NAME: u8 = 1;
const FROZEN: u8 = 2;
const STAMPED: u8 = 4;
const COMPRESSED: u8 = 8;
#[cfg(feature = "compression")]
const CODEC_SHIFT: u32 = 4;

fn flags_of(batch: &BatchSlot) -> u8 {
    let flag = |on: bool, flag: u8| if on { flag } else { 0 };
    flag(batch.by_name, BY_NAME)
        | flag(batch.frozen, FROZEN)
        | flag(batch.stamped, STAMPED)
        | flag(batch.compressed, COMPRESSED)
        | codec_flags(batch)
}

/// The codec of what is compressed; its level is not needed to send it again.
#[cfg(feature = "compression")]
fn codec_flags(batch: &BatchSlot) -> u8 {
    u8::try_from(batch.codec.id()).unwrap_or_default() << CODEC_SHIFT
}

#[cfg(not(feature = "compression"))]
const fn codec_flags(_: &BatchSlot) -> u8 {
    0
}

impl<'a> Producer<'a> {
    fn start_from(
        config: &Config<'_>,
        storage: Storage<'a>,
        seed: u64,
        snapshot: &[u8],
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let contents = checked(snapshot, config.crc32c)?;
        if config.acks != Acks::All || config.enable_idempotence == Idempotence::Off {
            let conflict = ConfigError::Conflict { option: "restore", with: "enable_idempotence" };
            return Err(RestoreError::Config(conflict));
        }
        let mut producer = Self::start(config, storage, seed, now).map_err(RestoreError::Config)?;
        let mut r = Reader::new(contents, false);
        producer.identity.restore(count(&mut r)?, r.i16(), Sequence::new(r.i32()));
        for _ in 0..r.i32() {
            producer.restore_partition(&mut r, now)?;
        }
        match r.finish() {
            Ok(0) => Ok(producer),
            _ => Err(RestoreError::Corrupt),
        }
    }

    fn restore_partition(&mut self, r: &mut Reader<'_>, now: Instant) -> Result<(), RestoreError> {
        let name = r.u8();
        let name = core::str::from_utf8(r.bytes(usize::from(name)));
        let name = name.map_err(|_| RestoreError::Corrupt)?;
        let uuid = r.uuid();
        let index = r.i32();
        let topic = self.register_topic(name).map_err(RestoreError::Storage)?;
        self.storage.topics[topic.index()].ids.change(uuid);
        let no_slot = RestoreError::Storage(SendError::NoPartitionSlot);
        let p = self.partition_slot(topic.index(), index).ok_or(no_slot)?;
        let partition = &mut self.storage.partitions[p];
        // It is there already.
        if partition.sent > 0 || partition.producer_id_plus_1 != 0 {
            return Err(RestoreError::Corrupt);
        }
        partition.producer_id_plus_1 = count(r)?;
        partition.epoch = r.i16();
        partition.next = Sequence::new(r.i32());
        partition.next_offset = count(r)?;
        partition.hole = r.u8() != 0;
        for _ in 0..r.i16() {
            self.restore_batch(p, r, now)?;
        }
        self.restart_round(p);
        self.settle_partition(p);
        Ok(())
    }

    /// The batch so many places before the end of the partition's queue; none for 0.
    fn batch_before_end(&self, p: usize, places: u16) -> Option<usize> {
        let queued = self.storage.partitions[p].queued;
        let mut skip = queued.checked_sub(places).filter(|_| places > 0)?;
        let mut at = self.head(p);
        while skip > 0 {
            at = list::next(&self.storage.batches, QUEUE, at?);
            skip -= 1;
        }
        at
    }

    /// A batch of which nobody knows whether it was sent.
    fn restore_batch(
        &mut self,
        p: usize,
        r: &mut Reader<'_>,
        now: Instant,
    ) -> Result<(), RestoreError> {
        let flags = r.u8();
        let (since_host, guest_at) = (r.i16().cast_unsigned(), r.i32().cast_unsigned());
        let (records, sequence) = (r.i16().cast_unsigned(), Sequence::new(r.i32()));
        let (base_timestamp, max_timestamp) = (r.i64(), r.i64());
        let (in_chunks, size) = (r.i32().cast_unsigned(), r.i32().cast_unsigned());
        let plain = if flags & COMPRESSED == 0 { size } else { in_chunks };
        let bytes = r.bytes(size as usize);
        if bytes.len() <= HEADER as usize || records == 0 {
            return Err(RestoreError::Corrupt);
        }
        let full = RestoreError::Storage(SendError::Full);
        if in_chunks as usize > self.storage.chunks.len() {
            return Err(full);
        }
        let host = self.batch_before_end(p, since_host);
        let (chunk, run) = match host {
            Some(host) => (self.storage.batches[host].chunk, 0),
            None => {
                let run = self.storage.run_for(in_chunks.max(size));
                let spare_run = self.spare_run();
                match self.take_chunks(run) {
                    Some(chunk) => (chunk, run),
                    None if run <= spare_run => (self.spare.take().ok_or(full)?, spare_run),
                    None => return Err(full),
                }
            }
        };
        #[cfg(feature = "compression")]
        let codec = crate::Compression::of_id(flags >> CODEC_SHIFT);
        #[cfg(feature = "compression")]
        self.storage.codecs.prepare(codec).map_err(RestoreError::Config)?;
        let b = self.take_slot().ok_or(full)?;
        self.born = self.born.wrapping_add(1);
        #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 partitions")]
        let slot = BatchSlot {
            state: BatchState::Sealed,
            due: true,
            anchored: true,
            frozen: flags & FROZEN != 0,
            compressed: flags & COMPRESSED != 0,
            #[cfg(feature = "compression")]
            codec,
            #[cfg(feature = "compression")]
            squeezed: flags & (FROZEN | COMPRESSED) != 0,
            stamped: flags & STAMPED != 0,
            released: true,
            sent: true,
            unsure: host.is_none(),
            by_name: flags & BY_NAME != 0,
            generation: self.storage.batches[b].generation,
            chunk,
            chunks: run,
            partition: p as u16,
            records,
            size,
            plain,
            sequence,
            code: ErrorCode::NETWORK_EXCEPTION,
            born: self.born,
            opened: now,
            base_timestamp,
            max_timestamp,
            base_offset: -1,
            append_time: -1,
            ..BatchSlot::EMPTY
        };
        self.storage.batches[b] = slot;
        let written = bytes.get(HEADER as usize..).unwrap_or_default();
        if flags & COMPRESSED == 0 && !are_records(written, records) {
            return Err(RestoreError::Corrupt);
        }
        if let Some(host) = host {
            // As it was: there may be no memory for anything else.
            let first = &self.storage.batches[host];
            let room = self.storage.capacity(first.chunks) + Shape::TAILROOM;
            let fits = guest_at >= first.size + Shape::TAILROOM
                && guest_at.saturating_add(size - HEADER) <= room;
            let alone = !first.compressed && !first.kin().guest.is_some();
            if !fits || !alone || flags & (FROZEN | COMPRESSED) != 0 {
                return Err(RestoreError::Corrupt);
            }
            self.storage.batches[host].change_kin(|kin| kin.guest = Link::to(b));
            self.storage.batches[b].change_kin(|kin| kin.guest_at = guest_at);
            let start = self.storage.batch_start(chunk) + guest_at as usize;
            let room = self.storage.chunks.get_mut(start..start + written.len());
            room.ok_or(RestoreError::Corrupt)?.copy_from_slice(written);
        } else {
            let range = self.bytes_of(b);
            let room = self.storage.chunks.get_mut(range).ok_or(RestoreError::Corrupt)?;
            room.copy_from_slice(bytes);
            // A part of a split may be compressed, by the adapter, before it is frozen.
            if flags & (FROZEN | COMPRESSED) == 0 {
                // It may have lain behind another one, its records counted from that one's first.
                self.place_records(b, chunk, HEADER..size);
            }
        }
        let partition = &mut self.storage.partitions[p];
        partition.queue.push_back(&mut self.storage.batches, QUEUE, b);
        partition.queued += 1;
        partition.sent += 1;
        self.age.push_back(&mut self.storage.batches, AGE, b);
        if !self.age_cursor.is_some() {
            self.age_cursor = Link::to(b);
        }
        self.counters.buffered.up(u32::from(records));
        Ok(())
    }
}

/// A number that is never negative.
fn count(r: &mut Reader<'_>) -> Result<i64, RestoreError> {
    let number = r.i64();
    if number < 0 { Err(RestoreError::Corrupt) } else { Ok(number) }
}

/// Are these so many records, none counted from a later one than they were written with? That takes no more bytes then.
fn are_records(bytes: &[u8], records: u16) -> bool {
    let (mut place, mut end) = (0, 0);
    for view in RecordIter::new(bytes) {
        if view.offset_delta < place {
            return false;
        }
        (place, end) = (place + 1, view.range.end);
    }
    place == i32::from(records) && end == bytes.len()
}

/// The contents of a snapshot that is whole.
fn checked(snapshot: &[u8], crc32c: fn(&[u8]) -> u32) -> Result<&[u8], RestoreError> {
    let (contents, crc) = snapshot.split_last_chunk::<CRC>().ok_or(RestoreError::Corrupt)?;
    if crc32c(contents).to_be_bytes() != *crc {
        return Err(RestoreError::Corrupt);
    }
    match contents.strip_prefix(&MAGIC) {
        Some(rest) => Ok(rest),
        None if contents.starts_with(&MAGIC[..5]) => Err(RestoreError::Version),
        None => Err(RestoreError::Corrupt),
    }
}
