//! A recording, read back.

use core::fmt;

use super::options::Field;
use super::{MAGIC, Sizes, Tag, options};
use crate::batch::HEADER;
use crate::batch::builder::BatchBuilder;
use crate::batch::record::{Header, Record};
use crate::config::{Compression, Config};
use crate::id::{BatchId, ConnId, TopicId};
use crate::producer::{Destination, Scope};
use crate::storage::Shape;
#[cfg(feature = "alloc")]
use crate::storage::Storage;
use crate::time::{Instant, Timestamp};
use crate::wire::reader::Reader;
use crate::wire::varint::unzigzag64;

/// A recording: how the producer was made, then its inputs in order.
#[derive(Clone, Debug)]
pub struct Recording<'b> {
    /// How it was made.
    pub start: Start<'b>,
    rest: &'b [u8],
    time: u64,
}

/// How a producer was made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Start<'b> {
    /// Its options. Functions are not in a recording: `crc32c` is klamm's own, which computes the same, and
    /// `partitioner` the default one, to be replaced where it was another.
    pub config: Config<'b>,
    /// What feeds its randomness.
    pub seed: u64,
    /// When it was made.
    pub now: Instant,
    #[cfg_attr(not(feature = "alloc"), expect(dead_code, reason = "for a storage on the heap"))]
    pub(super) sizes: Sizes,
}

/// One call.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(missing_docs, reason = "fields are the arguments of the method that the variant names")]
pub enum Input<'b> {
    /// `topic`
    Topic(&'b str),
    /// `send`; the headers are beside the record, which has none.
    Send { to: Destination, record: Record<'b>, headers: RecordedHeaders<'b>, now: Instant },
    /// `send_with`: what the closure wrote, and how many bytes it said; `None` if it was not called.
    SendWith {
        to: Destination,
        head: Record<'b>,
        headers: RecordedHeaders<'b>,
        value_max: usize,
        now: Instant,
        written: Option<(&'b [u8], usize)>,
    },
    /// `take_uncompressed`
    TakeUncompressed(Instant),
    /// `handle_compressed`
    Compressed { batch: BatchId, codec: Compression, bytes: Option<&'b [u8]>, now: Instant },
    /// `flush`
    Flush(Instant),
    /// `close`
    Close(Instant),
    /// `purge`
    Purge(Scope, Instant),
    /// `pause`
    Pause(bool, Instant),
    /// `send_batch`
    SendBatch(Destination, RecordedBatch<'b>, Instant),
    /// `set_clock`
    SetClock(Timestamp, Instant),
    /// `handle_dialing`
    Dialing(ConnId, Instant),
    /// `handle_connected`
    Connected(ConnId, Instant),
    /// `handle_received`
    Received(ConnId, &'b [u8], Instant),
    /// `handle_disconnected`
    Disconnected(ConnId, Instant),
    /// `handle_timeout`
    Timeout(Instant),
    /// `transmit_with`: how many bytes the closure said it took; `None` for an error, or if it was not called.
    Transmit(ConnId, Instant, Option<usize>),
    /// `poll_report`
    TakeReport,
    /// `expect_partitions`
    ExpectPartitions(TopicId, i32),
    /// `release_batch`
    ReleaseBatch(BatchId),
    /// The producer was made by `restore`: only as the first input.
    Restore(&'b [u8], Instant),
}

/// The headers of a recorded record.
#[derive(Clone, Debug)]
pub struct RecordedHeaders<'b> {
    left: u64,
    bytes: &'b [u8],
}

/// What `send_batch` was given.
#[derive(Clone, Debug)]
pub struct RecordedBatch<'b> {
    records: u16,
    closed: bool,
    base_timestamp: Option<i64>,
    max_ts_delta: i64,
    bytes: &'b [u8],
}

impl RecordedBatch<'_> {
    /// Bytes that [`builder`](Self::builder) needs.
    pub const fn size(&self) -> usize {
        HEADER as usize + self.bytes.len()
    }

    /// The builder as it was, in memory of [`size`](Self::size) bytes; empty in less.
    pub fn builder<'m>(&self, memory: &'m mut [u8]) -> BatchBuilder<&'m mut [u8]> {
        let Self { records, closed, base_timestamp, max_ts_delta, bytes } = *self;
        BatchBuilder::restore(memory, bytes, records, base_timestamp, max_ts_delta, closed)
    }
}

/// The bytes are no recording of this version of klamm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordingError;

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a recording of this version of klamm, or damaged")
    }
}

impl core::error::Error for RecordingError {}

#[cfg(feature = "alloc")]
impl Start<'_> {
    /// Memory of the same sizes.
    pub fn storage(&self) -> Storage<'static> {
        self.sizes.storage()
    }
}

impl<'b> Recording<'b> {
    /// Reads how the producer was made; the inputs are read one by one.
    ///
    /// # Errors
    /// When `bytes` do not begin like a recording.
    pub fn new(bytes: &'b [u8]) -> Result<Self, RecordingError> {
        let contents = bytes.strip_prefix(&MAGIC).ok_or(RecordingError)?;
        let mut r = Reader::new(contents, false);
        let sizes = Sizes {
            counts: core::array::from_fn(|_| small(&mut r)),
            codecs: core::array::from_fn(|_| small(&mut r)),
            shape: Shape {
                chunk_bytes: small(&mut r),
                rx_bytes: short(&mut r),
                tx_bytes: short(&mut r),
                client_id_bytes: r.u8(),
                host_bytes: r.u8(),
                name_bytes: r.u8(),
            },
        };
        let (seed, time) = (r.i64().cast_unsigned(), r.i64().cast_unsigned());
        let config = options::get(&mut r);
        let left = r.finish().map_err(|_| RecordingError)?;
        let start = Start { config, seed, now: Instant::from_micros(time), sizes };
        Ok(Self { start, rest: last(contents, left), time })
    }

    /// The next input; `None` at the end, also where the last one is incomplete.
    ///
    /// # Errors
    /// When it is not one.
    pub fn next_input(&mut self) -> Result<Option<Input<'b>>, RecordingError> {
        let mut r = Reader::new(self.rest, false);
        let mut time = self.time;
        let input = input(&mut r, &mut time);
        let Ok(left) = r.finish() else { return Ok(None) };
        self.rest = last(self.rest, left);
        self.time = time;
        input.map(Some).ok_or(RecordingError)
    }
}

impl<'b> Iterator for RecordedHeaders<'b> {
    type Item = Header<'b>;

    fn next(&mut self) -> Option<Header<'b>> {
        self.left = self.left.checked_sub(1)?;
        let mut r = Reader::new(self.bytes, false);
        let header = Header { key: text(&mut r), value: optional(&mut r) };
        self.bytes = last(self.bytes, r.finish().ok()?);
        Some(header)
    }
}

fn input<'b>(r: &mut Reader<'b>, time: &mut u64) -> Option<Input<'b>> {
    let tag = r.u8();
    let is = |one: Tag| tag == one as u8;
    let mut now = |r: &mut Reader<'b>| {
        *time = time.wrapping_add(unzigzag64(r.number()).cast_unsigned());
        Instant::from_micros(*time)
    };
    Some(if is(Tag::Topic) {
        Input::Topic(text(r))
    } else if is(Tag::Send) {
        let now = now(r);
        let (to, mut record, headers) = head(r);
        record.value = optional(r);
        Input::Send { to, record, headers, now }
    } else if is(Tag::SendWith) {
        let now = now(r);
        let (to, head, headers) = head(r);
        let (value_max, written) = (size(r), optional(r));
        let said = size(r);
        let written = written.map(|bytes| (bytes, said));
        Input::SendWith { to, head, headers, value_max, now, written }
    } else if is(Tag::Flush) {
        Input::Flush(now(r))
    } else if is(Tag::Close) {
        Input::Close(now(r))
    } else if is(Tag::Purge) {
        let now = now(r);
        let topic = r.number().checked_sub(1).and_then(|topic| u16::try_from(topic).ok());
        let (topic, partition) = (topic.map(TopicId), partition(r));
        Input::Purge(Scope { topic, partition, in_flight: r.u8() != 0 }, now)
    } else if is(Tag::Pause) {
        let now = now(r);
        Input::Pause(r.u8() != 0, now)
    } else if is(Tag::SendBatch) {
        let now = now(r);
        let to = destination(r);
        let records = r.i16().cast_unsigned();
        let (closed, timed) = (r.u8() != 0, r.u8() != 0);
        let (base, max_ts_delta) = (r.i64(), r.i64());
        let base_timestamp = timed.then_some(base);
        let bytes = slice(r);
        let batch = RecordedBatch { records, closed, base_timestamp, max_ts_delta, bytes };
        Input::SendBatch(to, batch, now)
    } else if is(Tag::SetClock) {
        let at = now(r);
        Input::SetClock(Timestamp::from_millis(r.i64()), at)
    } else if is(Tag::Dialing) {
        let now = now(r);
        Input::Dialing(ConnId(r.u8()), now)
    } else if is(Tag::Connected) {
        let now = now(r);
        Input::Connected(ConnId(r.u8()), now)
    } else if is(Tag::Disconnected) {
        let now = now(r);
        Input::Disconnected(ConnId(r.u8()), now)
    } else if is(Tag::Received) {
        let now = now(r);
        Input::Received(ConnId(r.u8()), slice(r), now)
    } else if is(Tag::Timeout) {
        Input::Timeout(now(r))
    } else if is(Tag::Transmit) {
        let now = now(r);
        Input::Transmit(ConnId(r.u8()), now, size(r).checked_sub(1))
    } else if is(Tag::TakeReport) {
        Input::TakeReport
    } else if is(Tag::ExpectPartitions) {
        Input::ExpectPartitions(TopicId(short(r)), small(r).cast_signed())
    } else if is(Tag::ReleaseBatch) {
        Input::ReleaseBatch(BatchId { slot: short(r), generation: short(r) })
    } else if is(Tag::Restore) {
        let now = now(r);
        Input::Restore(slice(r), now)
    } else if is(Tag::TakeUncompressed) {
        Input::TakeUncompressed(now(r))
    } else if is(Tag::Compressed) {
        let now = now(r);
        let batch = BatchId { slot: short(r), generation: short(r) };
        Input::Compressed { batch, codec: Compression::get(r), bytes: optional(r), now }
    } else {
        return None;
    })
}

/// Destination, key and timestamp; then the headers, which end the head.
fn head<'b>(r: &mut Reader<'b>) -> (Destination, Record<'b>, RecordedHeaders<'b>) {
    let to = destination(r);
    let mut record = Record::null();
    record.key = optional(r);
    let timed = r.u8() != 0;
    let timestamp = Timestamp::from_millis(r.i64());
    record.timestamp = timed.then_some(timestamp);
    let left = r.number();
    let bytes = r.rest();
    let headers = RecordedHeaders { left, bytes };
    for _ in 0..left {
        slice(r);
        optional(r);
        if r.finish().is_err() {
            break;
        }
    }
    (to, record, headers)
}

fn destination(r: &mut Reader<'_>) -> Destination {
    let topic = TopicId(short(r));
    let to = Destination { partition: partition(r), ..Destination::topic(topic) };
    let (asks, codec) = (r.u8() != 0, Compression::get(r));
    #[cfg(feature = "compression")]
    return if asks { to.with_compression(codec) } else { to };
    #[cfg(not(feature = "compression"))]
    {
        if asks {
            // Whoever recorded it had codecs, and this build has not.
            let _ = codec;
            r.fail(crate::wire::Need::Bad);
        }
        to
    }
}

fn partition(r: &mut Reader<'_>) -> Option<i32> {
    let index = r.number().checked_sub(1).and_then(|index| u32::try_from(index).ok());
    index.map(u32::cast_signed)
}

pub(super) fn text<'b>(r: &mut Reader<'b>) -> &'b str {
    core::str::from_utf8(slice(r)).unwrap_or_default()
}

fn slice<'b>(r: &mut Reader<'b>) -> &'b [u8] {
    let len = size(r);
    r.bytes(len)
}

fn optional<'b>(r: &mut Reader<'b>) -> Option<&'b [u8]> {
    let len = size(r).checked_sub(1)?;
    Some(r.bytes(len))
}

fn small(r: &mut Reader<'_>) -> u32 {
    u32::try_from(r.number()).unwrap_or(u32::MAX)
}

fn short(r: &mut Reader<'_>) -> u16 {
    u16::try_from(r.number()).unwrap_or(u16::MAX)
}

fn size(r: &mut Reader<'_>) -> usize {
    usize::try_from(r.number()).unwrap_or(usize::MAX)
}

fn last(bytes: &[u8], count: usize) -> &[u8] {
    bytes.len().checked_sub(count).and_then(|at| bytes.get(at..)).unwrap_or_default()
}
