//! The producer: public methods.

pub(crate) mod report;

use crate::batch::record::Record;
use crate::config::Config;
use crate::error::{ConfigError, ProtocolError, SendError};
use crate::id::{ConnId, RecordId, TopicId};
use crate::storage::Storage;
use crate::time::{Instant, Timestamp};
use report::Report;

/// Where a record goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Destination {
    /// The topic.
    pub topic: TopicId,
    /// The partition, or `None` to let the key (or, without one, the sticky partitioner) choose.
    pub partition: Option<i32>,
}

impl Destination {
    /// The partitioner chooses.
    pub const fn topic(topic: TopicId) -> Self {
        Self { topic, partition: None }
    }

    /// This partition.
    pub const fn partition(topic: TopicId, partition: i32) -> Self {
        Self { topic, partition: Some(partition) }
    }
}

/// Everything a connection may want. A level, not an event: ask as often as you like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Demand {
    /// Nothing; there is no connection, or it is being dialed.
    Nothing,
    /// Dial [`Producer::address`], and say so with [`Producer::handle_dialing`].
    Connect,
    /// Hand in what the socket has to read.
    Receive,
    /// The same, and there is something to write.
    Transmit,
    /// Close the socket, then call [`Producer::handle_disconnected`].
    Close,
}

/// Where a connection should go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Address<'p> {
    /// A host name or an IP address, without brackets.
    pub host: &'p str,
    /// The TCP port.
    pub port: u16,
}

/// What the producer is waiting for next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Timer {
    /// An open batch has lingered.
    Linger,
    /// A batch's delivery timeout.
    Delivery,
    /// A retry after backoff.
    Retry,
    /// A connection: setup or request timeout, throttle, idle.
    Connection,
    /// A metadata refresh, or a producer id to be asked for again.
    Metadata,
}

/// Watermark of [`Producer::flush`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FlushTicket(pub(crate) u32);

/// Counters since the start. `accepted == delivered + not_persisted + unknown + dropped + buffered`, after every call.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Records that `send` accepted.
    pub accepted: u64,
    /// Records delivered.
    pub delivered: u64,
    /// Records certainly not in the log.
    pub not_persisted: u64,
    /// Records of which that is not known.
    pub unknown: u64,
    /// Records removed by a drop policy.
    pub dropped: u64,
    /// Records accepted that have no outcome yet.
    pub buffered: u64,
    /// Produce requests sent.
    pub requests: u64,
    /// Batches sent, retries included.
    pub batches: u64,
    /// Batches sent again.
    pub retries: u64,
    /// Epochs raised to repair sequences.
    pub bumps: u64,
    /// Times that a broker was found to have lost data or the producer's state.
    pub data_losses: u64,
    /// Connections that became ready.
    pub connects: u64,
    /// Sum of the throttle times that brokers asked for, in milliseconds.
    pub throttled_ms: u64,
}

/// A sans-IO Kafka producer over memory that the caller owns. See the crate's page for the run loop.
pub struct Producer<'a> {
    pub(crate) storage: Storage<'a>,
}

#[allow(unused_variables, clippy::todo)]
impl<'a> Producer<'a> {
    /// A producer with this configuration and memory. `seed` feeds all its randomness (jitter, sticky partitions).
    ///
    /// # Errors
    /// When an option is out of its range, options conflict, or the storage is too small.
    pub fn new(
        config: &Config<'_>,
        storage: Storage<'a>,
        seed: u64,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        todo!()
    }

    // Commands from the application.

    /// The handle of a topic, registered on first use.
    ///
    /// # Errors
    /// `InvalidTopic`, `NoTopicSlot`, `Closed`.
    pub fn topic(&mut self, name: &str) -> Result<TopicId, SendError> {
        todo!()
    }
    /// Accepts a record: copies it into the open batch of its partition.
    ///
    /// # Errors
    /// Any [`SendError`]; nothing has changed then.
    pub fn send(
        &mut self,
        to: Destination,
        record: &Record<'_>,
        now: Instant,
    ) -> Result<RecordId, SendError> {
        todo!()
    }
    /// As `send`, but the value is written in place by `write`, which gets `value_max` bytes and says how many it used.
    ///
    /// # Errors
    /// As `send`.
    pub fn send_with(
        &mut self,
        to: Destination,
        head: &Record<'_>,
        value_max: usize,
        now: Instant,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<RecordId, SendError> {
        todo!()
    }
    /// Stops lingering for everything accepted so far.
    pub fn flush(&mut self, now: Instant) -> FlushTicket {
        todo!()
    }
    /// Has everything accepted before `flush` gave this ticket an outcome (its report may still be unread)?
    pub fn is_flushed(&self, ticket: FlushTicket) -> bool {
        todo!()
    }
    /// Accepts nothing more, and flushes.
    pub fn close(&mut self, now: Instant) {
        todo!()
    }
    /// Gives up everything not delivered: never sent becomes `NotPersisted(Purged)` at once; sent becomes
    /// `Unknown(Purged)` as soon as its connection, which is closed for it, is gone.
    pub fn purge(&mut self, now: Instant) {
        todo!()
    }
    /// Says what time it is: records without a timestamp take it from here.
    pub fn set_clock(&mut self, wall: Timestamp, at: Instant) {
        todo!()
    }

    // Facts from the adapter.

    /// `Demand::Connect` is taken up; starts the connect timeout.
    pub fn handle_dialing(&mut self, conn: ConnId, now: Instant) {
        todo!()
    }
    /// The connection is open.
    pub fn handle_connected(&mut self, conn: ConnId, now: Instant) {
        todo!()
    }
    /// Bytes from the peer: any number, split anywhere. Always takes them all.
    ///
    /// # Errors
    /// The peer broke the protocol; `demand` is `Close` now.
    pub fn handle_received(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        now: Instant,
    ) -> Result<(), ProtocolError> {
        todo!()
    }
    /// The connection is gone, or could not be made. No byte of it will be written any more.
    pub fn handle_disconnected(&mut self, conn: ConnId, now: Instant) {
        todo!()
    }
    /// Lets time pass. Harmless to call too early or too often.
    pub fn handle_timeout(&mut self, now: Instant) {
        todo!()
    }

    // What the adapter should do.

    /// All connection slots.
    pub fn connections(&self) -> impl Iterator<Item = ConnId> + use<'a> {
        (0..1).map(ConnId)
    }
    /// What a connection wants now.
    pub fn demand(&self, conn: ConnId) -> Demand {
        todo!()
    }
    /// Where a connection should go; `None` for a slot without a broker.
    pub fn address(&self, conn: ConnId) -> Option<Address<'_>> {
        todo!()
    }
    /// Hands the bytes to be written to `write`, which says how many it took: those are committed, the others are
    /// offered again. With nothing to send it returns `Ok(0)` without calling `write`.
    ///
    /// # Errors
    /// What `write` returned; nothing is committed then.
    pub fn transmit_with<E>(
        &mut self,
        conn: ConnId,
        now: Instant,
        write: impl FnOnce(&Transmit<'_>) -> Result<usize, E>,
    ) -> Result<usize, E> {
        todo!()
    }
    /// When `handle_timeout` is due, and why; `None` while nothing is waited for.
    pub fn next_deadline(&self) -> Option<(Instant, Timer)> {
        todo!()
    }
    /// The next report, without taking it.
    pub fn peek_report(&self) -> Option<Report> {
        todo!()
    }
    /// The records of the report that `peek_report` shows; `None` when they were compressed and delivered.
    pub fn report_records(&self) -> Option<Records<'_>> {
        todo!()
    }
    /// Takes the next report, and frees its records' memory.
    pub fn poll_report(&mut self) -> Option<Report> {
        todo!()
    }
    /// Did any demand, deadline or report appear since last asked?
    pub fn take_wake(&mut self) -> bool {
        todo!()
    }
    /// The counters.
    pub fn stats(&self) -> Stats {
        todo!()
    }

    // What is known of a topic.

    /// The topic's name.
    pub fn topic_name(&self, topic: TopicId) -> &str {
        todo!()
    }
    /// How many partitions the topic has, once metadata said so.
    pub fn partition_count(&self, topic: TopicId) -> Option<i32> {
        todo!()
    }
    /// The last error that metadata gave for the topic.
    pub fn topic_error(&self, topic: TopicId) -> Option<crate::error_code::ErrorCode> {
        todo!()
    }
    /// The broker id that leads a partition, if known.
    pub fn leader(&self, topic: TopicId, partition: i32) -> Option<i32> {
        todo!()
    }
}

/// The records of a report.
pub struct Records<'p> {
    pub(crate) bytes: &'p [u8],
}

/// Bytes to be written, borrowed for the length of a `write` closure.
pub struct Transmit<'t> {
    pub(crate) bytes: &'t [u8],
}

impl<'t> Transmit<'t> {
    /// Bytes left of the frame being written.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
    /// The bytes as slices, in order, from where the last write ended.
    pub fn slices(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        core::iter::once(self.bytes)
    }
    /// Copies as much as fits into `out`; returns how much.
    pub fn copy_to(&self, out: &mut [u8]) -> usize {
        let n = self.bytes.len().min(out.len());
        out[..n].copy_from_slice(&self.bytes[..n]);
        n
    }
}
