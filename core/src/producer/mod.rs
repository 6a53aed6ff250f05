//! The producer: public methods, each a few lines. Those for whoever drives it are in `adapter.rs`.

mod adapter;
#[cfg(feature = "compression")]
pub(crate) mod codec;
mod counters;
mod drain;
pub(crate) mod explain;
#[cfg(feature = "events")]
mod figures;
pub(crate) mod identity;
#[cfg(feature = "events")]
mod observe;
mod purge;
#[cfg(feature = "policies")]
pub(crate) mod queue;
pub(crate) mod report;
mod respond;
mod send;
mod send_batch;
#[cfg(feature = "snapshot")]
pub(crate) mod snapshot;
mod start;
pub(crate) mod timers;

use crate::backoff::Rng;
use crate::batch::builder::BatchBuilder;
use crate::batch::record::Record;
use crate::cluster::refresh::Refresh;
use crate::config::Config;
use crate::error::{ConfigError, SendError};
use crate::error_code::ErrorCode;
use crate::id::{BatchId, PartitionId, RecordId, TopicId};
use crate::options::Options;
use crate::partition::partitions::Partitions;
use crate::storage::chunks::Chunks;
use crate::storage::list::{Link, List};
use crate::storage::{Storage, Text};
use crate::time::{Instant, Timestamp};
use crate::wire::record::{write_record_with, write_sized_record};
use counters::Counters;
use explain::Explain;
use identity::Identity;
pub use purge::Scope;
use timers::BACKOFF_LEVELS;

/// Metadata answers that have to name fewer partitions than expected: one may come from a broker that lags behind.
const ANSWERS: u8 = 2;

/// Where a record goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Destination {
    /// The topic.
    pub topic: TopicId,
    /// The partition, or `None` to let the key (or, without one, the sticky partitioner) choose.
    pub partition: Option<i32>,
    /// The codec of the record's batch, or `None` for `Config::compression_type`. A batch has one codec: a record that
    /// asks for another one than the open batch has seals that.
    #[cfg(feature = "compression")]
    pub compression: Option<crate::Compression>,
}

impl Destination {
    /// The partitioner chooses.
    pub const fn topic(topic: TopicId) -> Self {
        Self {
            topic,
            partition: None,
            #[cfg(feature = "compression")]
            compression: None,
        }
    }

    /// This partition.
    pub const fn partition(topic: TopicId, partition: i32) -> Self {
        Self { partition: Some(partition), ..Self::topic(topic) }
    }

    /// The same with this codec. Its memory is made for `Limits::codecs`, or handed in; without it `send` answers
    /// `CodecMissing`.
    #[cfg(feature = "compression")]
    #[must_use]
    pub const fn with_compression(mut self, codec: crate::Compression) -> Self {
        self.compression = Some(codec);
        self
    }
}

/// Everything a connection may want. A level, not an event: ask as often as you like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FlushTicket(pub(crate) u32);

/// As a number: for programs that cannot hold a value of this type.
impl FlushTicket {
    /// The number of this ticket.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The ticket with this number.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// Counters since the start. `accepted == delivered + not_persisted + unknown + dropped + buffered`, after every call. On a
/// processor of 32 bits without a heap each of these but the sum begins again after 2^32 - 1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    /// Records removed by `Overflow::DropOldest`.
    pub dropped: u64,
    /// Records refused by `Overflow::DropNewest`: never accepted, so in none of the other counters.
    pub refused: u64,
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

/// What the wall clock said, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    at: Instant,
}

impl Clock {
    /// The wall-clock time at a moment, which may be before the clock was set.
    pub(crate) fn at(&self, moment: Instant) -> Timestamp {
        let after = if moment >= self.at {
            moment.millis_since(self.at)
        } else {
            -self.at.millis_since(moment)
        };
        Timestamp::from_millis(self.wall.as_millis().wrapping_add(after))
    }
}

/// A sans-IO Kafka producer over memory that the caller owns. See the crate's page for the run loop.
///
/// Methods are of four kinds: commands from the application (`topic`, `send`, `flush`, `close`, ...), facts from the
/// adapter (`handle_*`), questions that change nothing (`demand`, `next_deadline`, `peek_report`, `stats`, ...), and
/// `transmit_with` and `poll_report`, which hand something over. They may be called in any order at any time.
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub struct Producer<'a> {
    pub(crate) client_id_len: u8,
    pub(crate) keeps_spare: bool,
    pub(crate) closed: bool,
    /// Nothing is sent for the first time.
    pub(crate) paused: bool,
    /// Something changed that the adapter has to look at.
    pub(crate) wake: bool,
    /// Connections have to be given out anew; a broker wants a slot and there is none.
    pub(crate) arrange_due: bool,
    pub(crate) slot_wanted: bool,
    pub(crate) chunks: Chunks,
    /// A chunk kept aside for splits and compression, or as many as a batch grows to.
    pub(crate) spare: Option<u16>,
    #[cfg(feature = "grow")]
    pub(crate) spare_run: u16,
    /// Batch slots from here on were never used.
    pub(crate) fresh: u16,
    /// The oldest batch without outcome that has not expired.
    pub(crate) age_cursor: Link,
    pub(crate) topics_used: u16,
    pub(crate) partitions_used: u16,
    /// The sum of all jumps in time, in units of 1,024 us.
    pub(crate) asleep: u32,
    /// Partitions whose next batch waits to be compressed by the adapter.
    #[cfg(feature = "compression")]
    pub(crate) uncompressed: List,
    /// Batch slots given back.
    pub(crate) free: List,
    /// Open batches that wait for more records, oldest first.
    pub(crate) linger: List,
    /// Batches without outcome, oldest first.
    pub(crate) age: List,
    /// Batches with an outcome whose report has not been taken.
    pub(crate) reports: List,
    /// Batches created.
    pub(crate) born: u32,
    /// The largest batch that takes several records, and the largest of a single one.
    pub(crate) batch_max: u32,
    pub(crate) record_max: u32,
    /// Partitions that wait before they send again, by level of the exponential backoff.
    pub(crate) backoff: [List; BACKOFF_LEVELS],
    pub(crate) config: Options,
    pub(crate) rng: Rng,
    /// The latest time that was handed in.
    pub(crate) now: Instant,
    pub(crate) clock: Option<Clock>,
    /// When records that wait for the clock go without.
    pub(crate) clock_due: Instant,
    /// The last jump in time: the call before, and the one that saw it.
    pub(crate) slept_from: Instant,
    pub(crate) woke: Instant,
    pub(crate) identity: Identity,
    pub(crate) metadata: Refresh,
    /// What was never sent.
    #[cfg(feature = "policies")]
    pub(crate) waiting: queue::Waiting,
    /// When a broker's backoff ends that somebody waits for.
    pub(crate) redial_at: Instant,
    pub(crate) counters: Counters,
    /// The earliest deadline that has come up since the adapter last asked.
    #[cfg(feature = "alloc")]
    pub(crate) wake_at: Instant,
    /// What happened and nobody read, and what went over the wire.
    #[cfg(feature = "events")]
    pub(crate) ring: crate::event::Ring,
    #[cfg(feature = "events")]
    pub(crate) traffic: crate::metrics::Traffic,
    /// Last: whoever reads a slab takes long instructions in any place.
    pub(crate) storage: Storage<'a>,
}

/// Commands from the application.
impl<'a> Producer<'a> {
    /// A producer with this configuration and memory. `seed` feeds all its randomness: jitter and sticky partitions.
    ///
    /// # Errors
    /// When an option is out of its range, options conflict, or the storage is too small.
    pub fn new(
        config: &Config<'_>,
        storage: Storage<'a>,
        seed: u64,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        Self::start(config, storage, seed, now)
    }

    /// The handle of a topic, registered on first use; its metadata is asked for then.
    ///
    /// # Errors
    /// `InvalidTopic`, `NoTopicSlot`, `Closed`.
    pub fn topic(&mut self, name: &str) -> Result<TopicId, SendError> {
        record!(self, topic(name));
        self.register_topic(name)
    }

    /// Says how many partitions the topic has, so that keyed records are accepted before the first metadata. Returns
    /// whether that counts: not once metadata has said it, with a `count` below 1, or for another producer's handle.
    ///
    /// If metadata says more, later records go by its number, and those that were accepted stay where they are. If two
    /// answers running say fewer, the records of partitions that do not exist fail with
    /// [`Reason::NoSuchPartition`](crate::Reason::NoSuchPartition).
    pub fn expect_partitions(&mut self, topic: TopicId, count: i32) -> bool {
        record!(self, expect_partitions(topic, count));
        let known = topic.index() < usize::from(self.topics_used);
        let slot = self.storage.topics.get_mut(topic.index()).filter(|_| known && count > 0);
        let Some(slot) = slot.filter(|slot| slot.partitions == 0 || slot.expected > 0) else {
            return false;
        };
        slot.partitions = count;
        slot.expected = ANSWERS;
        true
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
        record!(self, send(to, record, now));
        let value = record.value.map(<[u8]>::len);
        self.accept(to, record, value, now, |room, place| {
            write_sized_record(room, record, place.ts_delta, place.offset_delta, place.body)
        })
    }

    /// As `send`, but the value is written in place: `write` gets `value_max` bytes and says how many it used. The value
    /// of `head` is ignored.
    ///
    /// # Errors
    /// As `send`; `write` is not called then.
    pub fn send_with(
        &mut self,
        to: Destination,
        head: &Record<'_>,
        value_max: usize,
        now: Instant,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<RecordId, SendError> {
        #[cfg(feature = "recorder")]
        let mut recorder = core::mem::take(&mut self.storage.recorder);
        #[cfg(feature = "recorder")]
        let mut called = false;
        #[cfg(feature = "recorder")]
        let write = |room: &mut [u8]| {
            called = true;
            let said = write(room);
            let written = room.get(..said.min(room.len())).unwrap_or_default();
            recorder.send_with(to, head, value_max, now, Some((written, said)));
            said
        };
        let result = self.accept(to, head, Some(value_max), now, |room, place| {
            write_record_with(room, head, place.ts_delta, place.offset_delta, value_max, write)
        });
        #[cfg(feature = "recorder")]
        {
            if !called {
                recorder.send_with(to, head, value_max, now, None);
            }
            self.storage.recorder = recorder;
        }
        result
    }

    /// Accepts the records of a builder as a batch of its own: one copy. The partition's open batch is sealed before it.
    /// Unless the builder is closed, later records are appended to this batch while it lingers or waits, as to any other.
    /// Record `n` of it has the [`RecordId`] with this batch and index `n`.
    ///
    /// # Errors
    /// Any [`SendError`]; nothing has changed then.
    pub fn send_batch<M: AsMut<[u8]> + AsRef<[u8]>>(
        &mut self,
        to: Destination,
        batch: &BatchBuilder<M>,
        now: Instant,
    ) -> Result<BatchId, SendError> {
        let filled = batch.filled();
        record!(self, send_batch(to, filled, now));
        self.accept_batch(to, filled, now)
    }

    /// Stops lingering for everything accepted so far. The ticket is for [`is_flushed`](Self::is_flushed).
    pub fn flush(&mut self, now: Instant) -> FlushTicket {
        record!(self, flush(now));
        self.flush_all(now)
    }

    fn flush_all(&mut self, now: Instant) -> FlushTicket {
        self.advance(now);
        self.release_all();
        FlushTicket(self.born)
    }

    /// Has everything accepted before `flush` gave this ticket an outcome? Its report may still be unread.
    pub fn is_flushed(&self, ticket: FlushTicket) -> bool {
        // Numbers wrap: what matters is which side of the ticket the oldest batch is on.
        self.age.head().is_none_or(|oldest| {
            self.storage.batches[oldest].born.wrapping_sub(ticket.0).cast_signed() > 0
        })
    }

    /// Accepts nothing more, and flushes. What is under way goes on until its outcome.
    pub fn close(&mut self, now: Instant) {
        record!(self, close(now));
        self.closed = true;
        self.flush_all(now);
    }

    /// Gives up what is in the scope and has no outcome: what was never sent is `NotPersisted(Purged)` at once; what was
    /// sent is `Unknown(Purged)` when its answer is there and says nothing else. [`Scope::ALL`] waits for no answers: it
    /// closes the connections with requests in flight.
    pub fn purge(&mut self, scope: Scope, now: Instant) {
        record!(self, purge(scope, now));
        self.advance(now);
        self.give_up(scope);
    }

    /// Holds everything back that was never sent, until it is called with `false`. What was sent goes on to its outcome,
    /// retries included; delivery timeouts run.
    pub fn pause(&mut self, paused: bool, now: Instant) {
        record!(self, pause(paused, now));
        self.advance(now);
        self.paused = paused;
        self.refile_all();
    }

    /// Says what time it is at the moment `at`. Records without a timestamp take it from here; those accepted before the
    /// first call wait for it, and then get the time at which they were accepted.
    pub fn set_clock(&mut self, wall: Timestamp, at: Instant) {
        record!(self, set_clock(wall, at));
        let first = self.clock.is_none();
        self.clock = Some(Clock { wall, at });
        if first {
            self.refile_all();
        }
    }
}

/// What is known of a topic.
impl Producer<'_> {
    /// The topic's name; empty for a handle of another producer.
    pub fn topic_name(&self, topic: TopicId) -> &str {
        let len = self.storage.topics.get(topic.index()).map_or(0, |slot| slot.name_len);
        self.storage.text(Text::Name(topic.index()), len)
    }

    /// How many partitions the topic has, once metadata said so.
    pub fn partition_count(&self, topic: TopicId) -> Option<i32> {
        self.storage
            .topics
            .get(topic.index())
            .map(|slot| slot.partitions)
            .filter(|count| *count > 0)
    }

    /// The topic's partitions, as a partitioner sees them; `None` while their number is not known.
    pub fn partitions(&self, topic: TopicId) -> Option<Partitions<'_>> {
        self.partition_count(topic).map(|_| Partitions::new(self, topic.index(), 0))
    }

    /// What the next batch of a partition waits for: the first thing that has to happen.
    pub fn explain(&self, partition: PartitionId) -> Explain {
        self.why_partition(partition)
    }

    /// What this record waits for. With [`Explain::Behind`] the way on is [`explain`](Self::explain) of its partition.
    pub fn explain_record(&self, record: RecordId) -> Explain {
        self.why_record(record)
    }

    /// The last error that metadata gave for the topic.
    pub fn topic_error(&self, topic: TopicId) -> Option<ErrorCode> {
        self.storage.topics.get(topic.index()).map(|slot| slot.error).filter(|error| !error.is_ok())
    }

    /// The broker id that leads a partition, if known.
    pub fn leader(&self, topic: TopicId, partition: i32) -> Option<i32> {
        let p = self.find_partition(topic.index(), partition)?;
        self.storage.partitions[p].leader.get().map(|broker| self.storage.brokers[broker].node)
    }
}

impl Producer<'_> {
    /// Nothing is held back any longer.
    pub(crate) fn release_all(&mut self) {
        while let Some(b) = self.linger.head() {
            self.make_due(b);
        }
    }

    /// A broker was found to have lost data or the producer's state.
    #[cfg_attr(not(feature = "events"), allow(unused_variables, reason = "who notes events"))]
    pub(crate) fn note_data_loss(&mut self, p: usize) {
        #[cfg(feature = "events")]
        self.note_loss(p);
        self.counters.data_losses.up(1);
        self.closed |= self.config.stop_on_data_loss;
    }
}
