//! Memory whose size is known at compile time, for a `static` on a microcontroller.

use super::list::Link;
use super::{Shape, Slab, Storage};
use crate::batch::{BatchSlot, SPLITS};
use crate::cluster::{BrokerSlot, CLUSTER, TopicSlot};
use crate::connection::ConnSlot;
use crate::partition::{BUCKETS, PartitionSlot};
use crate::wire::api::FLEXIBLE;

/// What is longer than this fits into no field of `Resources`.
pub(crate) const TEXT: usize = 64;
/// But for the client id: a UUID fits.
pub(crate) const CLIENT_ID: usize = 40;
/// An element: the largest is a topic of a Metadata response.
pub(crate) const RX: usize = crate::wire::MAX_ELEMENT.next_multiple_of(8);
/// A control request: the largest is for Metadata of a topic, or of several with shorter names.
pub(crate) const TX: usize = if FLEXIBLE { 208 } else { 128 };
/// Brokers a connection, bootstrap servers among them; without `cluster` there are no others.
const BROKERS: usize = if CLUSTER { 4 } else { 1 };
/// Batch slots a chunk. Parts of a split, and what a policy drops, have slots without a chunk.
pub(crate) const SLOTS: usize = if SPLITS || cfg!(feature = "policies") { 2 } else { 1 };

/// Memory for one producer: `BATCHES` chunks of `CHUNK` bytes (one of them is the spare for splits and compression),
/// `PARTITIONS` partitions of at most as many topics, `CONNS` connections and four times as many known brokers (without
/// the Cargo feature `cluster` as many bootstrap servers).
///
/// It is all zeros, so a `static` lies in `.bss` and costs no flash:
///
/// ```
/// use klamm::{Config, Instant, Producer, Resources};
///
/// let mut resources = Resources::<1400, 4, 2, 2>::new(); // in firmware: a `static ConstStaticCell`
/// let producer = Producer::new(&Config::new("10.0.0.2:9092"), resources.storage(), 42, Instant::ZERO);
/// assert!(producer.is_ok());
/// ```
///
/// Sizing: a batch holds `CHUNK` - 151 bytes of header (61) and records; host and topic names have room for 64 bytes each,
/// the client id for 40.
pub struct Resources<
    const CHUNK: usize,
    const BATCHES: usize,
    const PARTITIONS: usize,
    const CONNS: usize,
> {
    chunks: [[u8; CHUNK]; BATCHES],
    slots: Slots<BATCHES, PARTITIONS, CONNS>,
    io: [[u8; RX + TX]; CONNS],
    client_id: [u8; CLIENT_ID],
    hosts: [[u8; BROKERS * TEXT]; CONNS],
    names: [[u8; TEXT]; PARTITIONS],
}

/// What a producer must find empty.
struct Slots<const BATCHES: usize, const PARTITIONS: usize, const CONNS: usize> {
    chunk_map: [[u32; 1]; BATCHES],
    batches: [[BatchSlot; SLOTS]; BATCHES],
    partitions: [PartitionSlot; PARTITIONS],
    buckets: [[Link; BUCKETS]; PARTITIONS],
    topics: [TopicSlot; PARTITIONS],
    brokers: [[BrokerSlot; BROKERS]; CONNS],
    connections: [ConnSlot; CONNS],
}

impl<const BATCHES: usize, const PARTITIONS: usize, const CONNS: usize>
    Slots<BATCHES, PARTITIONS, CONNS>
{
    const EMPTY: Self = Self {
        chunk_map: [[0; 1]; BATCHES],
        batches: [[BatchSlot::EMPTY; SLOTS]; BATCHES],
        partitions: [PartitionSlot::EMPTY; PARTITIONS],
        buckets: [[Link::NONE; BUCKETS]; PARTITIONS],
        topics: [TopicSlot::EMPTY; PARTITIONS],
        brokers: [[BrokerSlot::EMPTY; BROKERS]; CONNS],
        connections: [const { ConnSlot::EMPTY }; CONNS],
    };
}

impl<const CHUNK: usize, const BATCHES: usize, const PARTITIONS: usize, const CONNS: usize>
    Resources<CHUNK, BATCHES, PARTITIONS, CONNS>
{
    /// Empty memory, all zeros.
    pub const fn new() -> Self {
        const {
            assert!(CHUNK >= 256 && CHUNK <= 1 << 20, "CHUNK: 256 to 1,048,576 bytes");
            assert!(BATCHES >= 2 && BATCHES <= 32_000, "BATCHES: 2 to 32,000");
            assert!(PARTITIONS >= 1 && PARTITIONS <= 65_000, "PARTITIONS: 1 to 65,000");
            assert!(CONNS >= 1 && CONNS <= 100, "CONNS: 1 to 100");
        }
        Self {
            chunks: [[0; CHUNK]; BATCHES],
            slots: Slots::EMPTY,
            io: [[0; RX + TX]; CONNS],
            client_id: [0; CLIENT_ID],
            hosts: [[0; BROKERS * TEXT]; CONNS],
            names: [[0; TEXT]; PARTITIONS],
        }
    }

    /// The memory as `Producer::new` takes it.
    #[allow(clippy::cast_possible_truncation, reason = "constants, checked in `new`")]
    pub fn storage(&mut self) -> Storage<'_> {
        // What a producer before left in it is forgotten.
        self.slots = Slots::EMPTY;
        let slots = &mut self.slots;
        Storage {
            chunks: Slab::Borrowed(self.chunks.as_flattened_mut()),
            chunk_map: Slab::Borrowed(slots.chunk_map.as_flattened_mut()),
            batches: Slab::Borrowed(slots.batches.as_flattened_mut()),
            partitions: Slab::Borrowed(&mut slots.partitions),
            buckets: Slab::Borrowed(slots.buckets.as_flattened_mut()),
            topics: Slab::Borrowed(&mut slots.topics),
            brokers: Slab::Borrowed(slots.brokers.as_flattened_mut()),
            connections: Slab::Borrowed(&mut slots.connections),
            io: Slab::Borrowed(self.io.as_flattened_mut()),
            client_id: Slab::Borrowed(&mut self.client_id),
            hosts: Slab::Borrowed(self.hosts.as_flattened_mut()),
            names: Slab::Borrowed(self.names.as_flattened_mut()),
            #[cfg(feature = "events")]
            events: Slab::default(),
            #[cfg(feature = "compression")]
            codecs: crate::compress::Codecs::default(),
            #[cfg(feature = "recorder")]
            recorder: crate::recorder::Recorder::default(),
            shape: Shape {
                chunk_bytes: CHUNK as u32,
                rx_bytes: RX as u16,
                tx_bytes: TX as u16,
                client_id_bytes: CLIENT_ID as u8,
                host_bytes: TEXT as u8,
                name_bytes: TEXT as u8,
            },
        }
    }
}

impl<const CHUNK: usize, const BATCHES: usize, const PARTITIONS: usize, const CONNS: usize> Default
    for Resources<CHUNK, BATCHES, PARTITIONS, CONNS>
{
    fn default() -> Self {
        Self::new()
    }
}
