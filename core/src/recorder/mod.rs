//! Every input of the producer, as bytes, so that a failure in the field is a run on a desk (Cargo feature `recorder`).
//!
//! The producer is a function of its inputs: options, sizes of its memory, seed, and each call with its time and bytes.
//! They are kept in memory that the caller gives, from construction on, until they are taken or the memory is full. What
//! comes out is a *recording*; [`Recording`] reads it, and `klamm_sim::replay` runs it. It holds the records that
//! were sent, secrets in them included.
//!
//! ```
//! # use klamm::{Config, Instant, Limits, Producer, Storage};
//! let storage = Storage::boxed(&Limits::default()).with_recorder(1 << 20);
//! let mut producer = Producer::new(&Config::new("localhost:9092"), storage, 42, Instant::ZERO)?;
//! producer.topic("readings").unwrap();
//! let mut dump = vec![0; producer.recorded()];
//! producer.take_recording(&mut dump); // now and then, to a file: it is a stream
//! assert!(!producer.is_recording_cut());
//! # Ok::<(), klamm::ConfigError>(())
//! ```

mod options;
#[cfg(feature = "policies")]
mod policies;
mod read;

pub use read::{Input, RecordedBatch, RecordedHeaders, Recording, RecordingError, Start};

use crate::batch::builder::Filled;
use crate::batch::record::Record;
#[cfg(all(feature = "compression", feature = "alloc"))]
use crate::compress::Codecs;
use crate::config::Config;
use crate::id::{BatchId, ConnId, TopicId};
#[cfg(feature = "compression")]
use crate::producer::codec::Uncompressed;
use crate::producer::{Destination, Producer, Scope};
#[cfg(feature = "alloc")]
use crate::storage::Counts;
use crate::storage::{Shape, Slab, Storage};
use crate::time::{Instant, Timestamp};
use crate::wire::varint;
use options::Field;

/// The first bytes of a recording; the last is the version of its layout.
const MAGIC: [u8; 6] = *b"klrec\x01";

/// What an entry is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
enum Tag {
    Topic = 1,
    Send,
    SendWith,
    Flush,
    Close,
    Purge,
    SetClock,
    Dialing,
    Connected,
    Received,
    Disconnected,
    Timeout,
    Transmit,
    TakeReport,
    ExpectPartitions,
    ReleaseBatch,
    Restore,
    SendBatch,
    Pause,
    TakeUncompressed,
    Compressed,
}

/// A ring of bytes that holds whole entries only.
#[derive(Default)]
pub(crate) struct Recorder<'a> {
    memory: Slab<'a, u8>,
    start: usize,
    len: usize,
    /// Bytes of the entry that is being written.
    entry: usize,
    overflow: bool,
    /// An entry did not fit: nothing is recorded any more.
    cut: bool,
    last: u64,
}

impl<'a> Recorder<'a> {
    const fn new(memory: Slab<'a, u8>) -> Self {
        Self { memory, start: 0, len: 0, entry: 0, overflow: false, cut: false, last: 0 }
    }
}

impl<'a> Storage<'a> {
    /// The same with memory for a recording.
    #[must_use]
    pub fn with_recorder_in(mut self, memory: &'a mut [u8]) -> Self {
        self.recorder = Recorder::new(Slab::Borrowed(memory));
        self
    }
}

#[cfg(feature = "alloc")]
impl Storage<'static> {
    /// The same with so many bytes for a recording.
    #[must_use]
    pub fn with_recorder(mut self, bytes: usize) -> Self {
        self.recorder = Recorder::new(Slab::boxed(0, bytes));
        self
    }
}

/// The recording (Cargo feature `recorder`).
impl Producer<'_> {
    /// Bytes that wait to be taken.
    pub fn recorded(&self) -> usize {
        self.storage.recorder.len
    }

    /// Moves the oldest recorded bytes into `out`, and says how many: with those taken before they are the recording.
    pub fn take_recording(&mut self, out: &mut [u8]) -> usize {
        let recorder = &mut self.storage.recorder;
        let taken = out.len().min(recorder.len);
        for place in out.iter_mut().take(taken) {
            *place = recorder.memory.get(recorder.start).copied().unwrap_or_default();
            recorder.start = recorder.after(recorder.start, 1);
        }
        recorder.len -= taken;
        taken
    }

    /// Was an input left out because the memory was full? The recording ends before it, for good.
    pub fn is_recording_cut(&self) -> bool {
        self.storage.recorder.cut
    }
}

/// An entry for each input.
impl Recorder<'_> {
    /// Is there memory, and has everything fitted?
    pub(crate) fn is_on(&self) -> bool {
        !self.cut && !self.memory.is_empty()
    }

    /// Options, sizes and seed: what comes first.
    pub(crate) fn start(&mut self, config: &Config<'_>, shape: &Sizes, seed: u64, now: Instant) {
        self.put(&MAGIC);
        shape.put(self);
        self.put_u64(seed);
        self.last = now.as_micros();
        self.put_u64(self.last);
        options::put(self, config);
        self.end();
    }

    pub(crate) fn topic(&mut self, name: &str) {
        self.begin(Tag::Topic, None);
        self.put_slice(name.as_bytes());
        self.end();
    }

    pub(crate) fn send(&mut self, to: Destination, record: &Record<'_>, now: Instant) {
        self.begin(Tag::Send, Some(now));
        self.put_head(to, record);
        self.put_optional(record.value);
        self.end();
    }

    /// What a closure wrote, and how much it said that this was; `None` if it was not called.
    pub(crate) fn send_with(
        &mut self,
        to: Destination,
        head: &Record<'_>,
        value_max: usize,
        now: Instant,
        written: Option<(&[u8], usize)>,
    ) {
        self.begin(Tag::SendWith, Some(now));
        self.put_head(to, head);
        self.put_number(value_max as u64);
        self.put_optional(written.map(|(bytes, _)| bytes));
        self.put_number(written.map_or(0, |(_, said)| said as u64));
        self.end();
    }

    pub(crate) fn flush(&mut self, now: Instant) {
        self.plain(Tag::Flush, now);
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.plain(Tag::Close, now);
    }

    pub(crate) fn purge(&mut self, scope: Scope, now: Instant) {
        let Scope { topic, partition, in_flight } = scope;
        self.begin(Tag::Purge, Some(now));
        self.put_number(topic.map_or(0, |topic| u64::from(topic.0) + 1));
        self.put_number(partition.map_or(0, |index| u64::from(index.cast_unsigned()) + 1));
        self.put(&[u8::from(in_flight)]);
        self.end();
    }

    pub(crate) fn pause(&mut self, paused: bool, now: Instant) {
        self.begin(Tag::Pause, Some(now));
        self.put(&[u8::from(paused)]);
        self.end();
    }

    pub(crate) fn send_batch(&mut self, to: Destination, batch: Filled<'_>, now: Instant) {
        self.begin(Tag::SendBatch, Some(now));
        self.put_destination(to);
        self.put(&batch.records.to_be_bytes());
        self.put(&[u8::from(batch.closed), u8::from(batch.base_timestamp.is_some())]);
        self.put_u64(batch.base_timestamp.unwrap_or_default().cast_unsigned());
        self.put_u64(batch.max_ts_delta.cast_unsigned());
        self.put_slice(batch.bytes);
        self.end();
    }

    #[cfg(feature = "compression")]
    pub(crate) fn take_uncompressed(&mut self, now: Instant) {
        self.plain(Tag::TakeUncompressed, now);
    }

    #[cfg(feature = "compression")]
    pub(crate) fn compressed(&mut self, job: Uncompressed, bytes: Option<&[u8]>, now: Instant) {
        self.begin(Tag::Compressed, Some(now));
        self.put_number(u64::from(job.batch.slot));
        self.put_number(u64::from(job.batch.generation));
        job.codec.put(self);
        self.put_optional(bytes);
        self.end();
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        self.plain(Tag::Timeout, now);
    }

    pub(crate) fn set_clock(&mut self, wall: Timestamp, at: Instant) {
        self.begin(Tag::SetClock, Some(at));
        self.put_u64(wall.as_millis().cast_unsigned());
        self.end();
    }

    pub(crate) fn dialing(&mut self, conn: ConnId, now: Instant) {
        self.about(Tag::Dialing, conn, now);
    }

    pub(crate) fn connected(&mut self, conn: ConnId, now: Instant) {
        self.about(Tag::Connected, conn, now);
    }

    pub(crate) fn disconnected(&mut self, conn: ConnId, now: Instant) {
        self.about(Tag::Disconnected, conn, now);
    }

    pub(crate) fn received(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        self.begin(Tag::Received, Some(now));
        self.put(&[conn.0]);
        self.put_slice(bytes);
        self.end();
    }

    /// How many bytes `write` said it took; `None` for an error, or if it was not called.
    pub(crate) fn transmit(&mut self, conn: ConnId, now: Instant, taken: Option<usize>) {
        self.begin(Tag::Transmit, Some(now));
        self.put(&[conn.0]);
        self.put_number(taken.map_or(0, |taken| taken as u64 + 1));
        self.end();
    }

    pub(crate) fn take_report(&mut self) {
        self.begin(Tag::TakeReport, None);
        self.end();
    }

    pub(crate) fn expect_partitions(&mut self, topic: TopicId, count: i32) {
        self.begin(Tag::ExpectPartitions, None);
        self.put_number(u64::from(topic.0));
        self.put_number(u64::from(count.cast_unsigned()));
        self.end();
    }

    pub(crate) fn release_batch(&mut self, batch: BatchId) {
        self.begin(Tag::ReleaseBatch, None);
        self.put_number(u64::from(batch.slot));
        self.put_number(u64::from(batch.generation));
        self.end();
    }

    pub(crate) fn restore(&mut self, snapshot: &[u8], now: Instant) {
        self.begin(Tag::Restore, Some(now));
        self.put_slice(snapshot);
        self.end();
    }
}

/// How entries are written: a tag, the time passed since the last one that has a time, and numbers of variable length.
impl Recorder<'_> {
    fn plain(&mut self, tag: Tag, now: Instant) {
        self.begin(tag, Some(now));
        self.end();
    }

    fn about(&mut self, tag: Tag, conn: ConnId, now: Instant) {
        self.begin(tag, Some(now));
        self.put(&[conn.0]);
        self.end();
    }

    fn begin(&mut self, tag: Tag, now: Option<Instant>) {
        self.put(&[tag as u8]);
        if let Some(now) = now {
            let passed = now.as_micros().wrapping_sub(self.last).cast_signed();
            self.put_number(varint::zigzag64(passed));
            if !self.overflow {
                self.last = now.as_micros();
            }
        }
    }

    /// The entry is whole, or not there at all.
    fn end(&mut self) {
        if core::mem::take(&mut self.overflow) {
            self.cut = true;
        } else {
            self.len += self.entry;
        }
        self.entry = 0;
    }

    fn put_destination(&mut self, to: Destination) {
        self.put_number(u64::from(to.topic.0));
        self.put_number(to.partition.map_or(0, |index| u64::from(index.cast_unsigned()) + 1));
        #[cfg(feature = "compression")]
        let codec = to.compression;
        #[cfg(not(feature = "compression"))]
        let codec: Option<crate::Compression> = None;
        codec.is_some().put(self);
        codec.unwrap_or_default().put(self);
    }

    fn put_head(&mut self, to: Destination, record: &Record<'_>) {
        self.put_destination(to);
        self.put_optional(record.key);
        self.put(&[u8::from(record.timestamp.is_some())]);
        self.put_u64(record.timestamp.unwrap_or_default().as_millis().cast_unsigned());
        self.put_number(record.headers.len() as u64);
        for header in record.headers {
            self.put_slice(header.key.as_bytes());
            self.put_optional(header.value);
        }
    }

    fn put_optional(&mut self, bytes: Option<&[u8]>) {
        self.put_number(bytes.map_or(0, |bytes| bytes.len() as u64 + 1));
        self.put(bytes.unwrap_or_default());
    }

    fn put_slice(&mut self, bytes: &[u8]) {
        self.put_number(bytes.len() as u64);
        self.put(bytes);
    }

    fn put_number(&mut self, number: u64) {
        self.put(varint::encode(number, &mut [0; 10]));
    }

    fn put_u64(&mut self, number: u64) {
        self.put(&number.to_be_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        let room = self.memory.len() - self.len - self.entry;
        if self.cut || self.overflow || bytes.len() > room {
            self.overflow = true;
            return;
        }
        let at = self.after(self.start, self.len + self.entry);
        let (before, behind) = bytes.split_at(bytes.len().min(self.memory.len() - at));
        for (from, at) in [(before, at), (behind, 0)] {
            if let Some(to) = self.memory.get_mut(at..at + from.len()) {
                to.copy_from_slice(from);
            }
        }
        self.entry += bytes.len();
    }

    /// The place `bytes` behind `at`; neither is beyond the memory.
    fn after(&self, at: usize, bytes: usize) -> usize {
        let behind = at + bytes;
        if behind >= self.memory.len() { behind - self.memory.len() } else { behind }
    }
}

/// How many of everything the storage has: what the producer's decisions depend on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Sizes {
    counts: [u32; 8],
    codecs: [u32; 5],
    shape: Shape,
}

impl Sizes {
    pub(crate) fn of(storage: &Storage<'_>) -> Self {
        let counts = [
            storage.chunks.len(),
            storage.chunk_map.len(),
            storage.batches.len(),
            storage.partitions.len(),
            storage.buckets.len(),
            storage.topics.len(),
            storage.brokers.len(),
            storage.connections.len(),
        ];
        #[allow(clippy::cast_possible_truncation, reason = "sizes of memory are below 4 GiB")]
        let counts = counts.map(|count| count as u32);
        #[cfg(feature = "compression")]
        let codecs = storage.codecs.sizes();
        #[cfg(not(feature = "compression"))]
        let codecs = [0; 5];
        Self { counts, codecs, shape: storage.shape }
    }

    #[cfg(feature = "alloc")]
    fn storage(&self) -> Storage<'static> {
        let counts = self.counts.map(|count| count as usize);
        let [chunk_bytes, chunk_map, batches, partitions, buckets, topics, brokers, connections] =
            counts;
        let counts = Counts {
            chunk_bytes,
            chunk_map,
            batches,
            partitions,
            buckets,
            topics,
            brokers,
            connections,
        };
        #[allow(unused_mut, reason = "with codecs it has more")]
        let mut storage = Storage::of_counts(&counts, self.shape);
        #[cfg(feature = "compression")]
        {
            storage.codecs = Codecs::of_sizes(self.codecs);
        }
        storage
    }

    fn put(&self, recorder: &mut Recorder<'_>) {
        for count in self.counts.into_iter().chain(self.codecs) {
            recorder.put_number(u64::from(count));
        }
        let Shape { chunk_bytes, rx_bytes, tx_bytes, client_id_bytes, host_bytes, name_bytes } =
            self.shape;
        recorder.put_number(u64::from(chunk_bytes));
        recorder.put_number(u64::from(rx_bytes));
        recorder.put_number(u64::from(tx_bytes));
        recorder.put(&[client_id_bytes, host_bytes, name_bytes]);
    }
}
