//! The producer's memory, owned by the caller.

pub(crate) mod carve;
pub(crate) mod chunks;
pub(crate) mod list;
pub(crate) mod resources;

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::ops::{Deref, DerefMut, Index, IndexMut, Range};
use core::slice::SliceIndex;

use crate::batch::BatchSlot;
use crate::cluster::{BrokerSlot, TopicSlot};
#[cfg(feature = "compression")]
use crate::compress::Codecs;
use crate::connection::ConnSlot;
#[cfg(feature = "alloc")]
use crate::limits::Limits;
use crate::partition::PartitionSlot;
use list::Link;

/// Memory for one producer: from [`Resources::storage`](crate::Resources::storage) (a `static`), or
/// [`Storage::boxed`] (a heap).
///
/// What lies in it is opaque. The sizes are those of [`Limits`] or of the const generics of
/// [`Resources`](crate::Resources).
pub struct Storage<'a> {
    /// Record memory: chunks of `chunk_bytes`, each `[headroom | batch | tailroom]`.
    pub(crate) chunks: Slab<'a, u8>,
    /// One bit a chunk.
    pub(crate) chunk_map: Slab<'a, u32>,
    pub(crate) batches: Slab<'a, BatchSlot>,
    pub(crate) partitions: Slab<'a, PartitionSlot>,
    /// Heads of the hash chains that find a partition by (topic, index).
    pub(crate) buckets: Slab<'a, Link>,
    pub(crate) topics: Slab<'a, TopicSlot>,
    pub(crate) brokers: Slab<'a, BrokerSlot>,
    pub(crate) connections: Slab<'a, ConnSlot>,
    /// Per connection: `rx_bytes` for an unfinished element, then `tx_bytes` for a control request.
    pub(crate) io: Slab<'a, u8>,
    pub(crate) client_id: Slab<'a, u8>,
    /// A field of `host_bytes` per broker.
    pub(crate) hosts: Slab<'a, u8>,
    /// A field of `name_bytes` per topic.
    pub(crate) names: Slab<'a, u8>,
    /// The ring of events.
    #[cfg(feature = "events")]
    pub(crate) events: Slab<'a, crate::event::EventSlot>,
    #[cfg(feature = "compression")]
    pub(crate) codecs: Codecs<'a>,
    #[cfg(feature = "recorder")]
    pub(crate) recorder: crate::recorder::Recorder<'a>,
    pub(crate) shape: Shape,
}

/// Sizes of the fields within the slabs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shape {
    pub(crate) chunk_bytes: u32,
    pub(crate) rx_bytes: u16,
    pub(crate) tx_bytes: u16,
    pub(crate) client_id_bytes: u8,
    pub(crate) host_bytes: u8,
    pub(crate) name_bytes: u8,
}

impl Shape {
    /// Room before a batch for the heads of the request, topic and partition: see `producer::drain`.
    pub(crate) const fn headroom(client_id: u8, name: u8) -> u32 {
        44 + client_id as u32 + name as u32
    }

    /// Room behind a batch for the empty tagged fields of partition, topic and request.
    pub(crate) const TAILROOM: u32 = 3;
}

/// The longest Kafka topic name.
#[cfg(feature = "alloc")]
const NAME_MAX: u8 = 249;
#[cfg(feature = "alloc")]
const HOST_MAX: u8 = 255;
#[cfg(feature = "alloc")]
const CLIENT_ID_MAX: u8 = 255;

#[cfg(feature = "alloc")]
impl Storage<'static> {
    /// Memory on the heap, for `limits`. The only allocation that klamm makes (and, in `Producer::new`, the memory of
    /// `Config::compression_type`).
    pub fn boxed(limits: &Limits) -> Self {
        let brokers = usize::from(limits.brokers.max(2));
        let connections = usize::from(limits.connections.max(1));
        let partitions = usize::from(limits.partitions.max(1));
        let topics = usize::from(limits.topics.max(1));
        let shape = Shape {
            chunk_bytes: limits.chunk_bytes(),
            rx_bytes: 512,
            tx_bytes: 4_096,
            client_id_bytes: CLIENT_ID_MAX,
            host_bytes: HOST_MAX,
            name_bytes: NAME_MAX,
        };
        let chunks = limits.chunks();
        let counts = Counts {
            chunk_bytes: chunks * shape.chunk_bytes as usize,
            chunk_map: chunks.div_ceil(32),
            batches: (chunks + chunks / 4 + 8).min(65_535),
            partitions,
            buckets: partitions,
            topics,
            brokers,
            connections,
        };
        #[allow(unused_mut, reason = "a feature adds to it")]
        let mut storage = Self::of_counts(&counts, shape);
        #[cfg(feature = "compression")]
        {
            storage.codecs = Codecs::of(limits.codecs);
        }
        #[cfg(feature = "events")]
        {
            storage.events =
                Slab::boxed(crate::event::EventSlot::EMPTY, usize::from(limits.events));
        }
        storage
    }

    pub(crate) fn of_counts(counts: &Counts, shape: Shape) -> Self {
        let io = usize::from(shape.rx_bytes) + usize::from(shape.tx_bytes);
        Self {
            chunks: Slab::boxed(0, counts.chunk_bytes),
            chunk_map: Slab::boxed(0, counts.chunk_map),
            batches: Slab::boxed(BatchSlot::EMPTY, counts.batches),
            partitions: Slab::boxed(PartitionSlot::EMPTY, counts.partitions),
            buckets: Slab::boxed(Link::NONE, counts.buckets),
            topics: Slab::boxed(TopicSlot::EMPTY, counts.topics),
            brokers: Slab::boxed(BrokerSlot::EMPTY, counts.brokers),
            connections: Slab::Owned((0..counts.connections).map(|_| ConnSlot::EMPTY).collect()),
            io: Slab::boxed(0, counts.connections * io),
            client_id: Slab::boxed(0, usize::from(shape.client_id_bytes)),
            hosts: Slab::boxed(0, counts.brokers * usize::from(shape.host_bytes)),
            names: Slab::boxed(0, counts.topics * usize::from(shape.name_bytes)),
            #[cfg(feature = "events")]
            events: Slab::default(),
            #[cfg(feature = "compression")]
            codecs: Codecs::default(),
            #[cfg(feature = "recorder")]
            recorder: crate::recorder::Recorder::default(),
            shape,
        }
    }
}

#[cfg(feature = "codec-memory")]
impl<'a> Storage<'a> {
    /// The same, with memory for the codecs `lz4`, `snappy` and `gzip-tight`.
    #[must_use]
    pub fn with_codec_memory<const HASH: usize, const CHAIN: usize>(
        mut self,
        memory: &'a mut crate::compress::memory::CodecMemory<HASH, CHAIN>,
    ) -> Self {
        self.codecs.work = memory.work();
        self
    }
}

/// How many of everything there is memory for.
#[cfg(feature = "alloc")]
pub(crate) struct Counts {
    pub(crate) chunk_bytes: usize,
    pub(crate) chunk_map: usize,
    pub(crate) batches: usize,
    pub(crate) partitions: usize,
    pub(crate) buckets: usize,
    pub(crate) topics: usize,
    pub(crate) brokers: usize,
    pub(crate) connections: usize,
}

#[cfg(feature = "alloc")]
impl Limits {
    fn chunk_bytes(&self) -> u32 {
        let batch = self.batch_size.clamp(128, 1 << 30);
        batch + Shape::headroom(CLIENT_ID_MAX, NAME_MAX) + Shape::TAILROOM
    }

    /// Two at least: one for records and the spare. At most 65,535, so a very large memory wants larger batches.
    fn chunks(&self) -> usize {
        (self.buffer_memory / self.chunk_bytes()).clamp(2, 65_535) as usize
    }
}

#[cfg(feature = "events")]
impl<'a> Storage<'a> {
    /// The same with room for these events, of which the producer keeps the latest 65,535 at most.
    #[must_use]
    pub fn with_events(self, slots: &'a mut [crate::event::EventSlot]) -> Self {
        Self { events: Slab::Borrowed(slots), ..self }
    }
}

impl Storage<'_> {
    /// The slab that holds a text, where in it, and how long the text may be.
    fn field(&self, text: Text) -> (&[u8], usize, usize) {
        let (host, name) = (usize::from(self.shape.host_bytes), usize::from(self.shape.name_bytes));
        match text {
            Text::ClientId => (&self.client_id, 0, self.client_id.len()),
            Text::Host(broker) => (&self.hosts, broker * host, host),
            Text::Name(topic) => (&self.names, topic * name, name),
        }
    }

    /// Copies `value`, the bytes of a `str`, into its field; false if it does not fit.
    pub(crate) fn set_text(&mut self, text: Text, value: &[u8]) -> bool {
        let (_, start, max) = self.field(text);
        let slab = match text {
            Text::ClientId => &mut self.client_id,
            Text::Host(_) => &mut self.hosts,
            Text::Name(_) => &mut self.names,
        };
        match slab.get_mut(start..start + value.len()) {
            Some(place) if value.len() <= max => copy(place, value) == value.len(),
            _ => false,
        }
    }

    /// The first `len` bytes of a field, which `set_text` wrote.
    pub(crate) fn text(&self, text: Text, len: u8) -> &str {
        // `set_text` copied a `str`, so this never fails.
        core::str::from_utf8(self.text_bytes(text, len)).unwrap_or_default()
    }

    /// The same, where nobody needs a `str`.
    pub(crate) fn text_bytes(&self, text: Text, len: u8) -> &[u8] {
        let (slab, start, _) = self.field(text);
        slab.get(start..start + usize::from(len)).unwrap_or_default()
    }

    /// Where a batch begins in `chunks`.
    pub(crate) fn batch_start(&self, chunk: u16) -> usize {
        usize::from(chunk) * self.shape.chunk_bytes as usize + self.headroom() as usize
    }

    pub(crate) fn headroom(&self) -> u32 {
        Shape::headroom(self.shape.client_id_bytes, self.shape.name_bytes)
    }

    /// The largest batch that a run of `chunks` chunks holds.
    pub(crate) fn capacity(&self, chunks: u16) -> u32 {
        (u32::from(chunks) * self.shape.chunk_bytes)
            .saturating_sub(self.headroom() + Shape::TAILROOM)
    }

    /// The chunks that a batch of so many bytes takes.
    pub(crate) fn run_for(&self, size: u32) -> u16 {
        let overhead = self.shape.chunk_bytes - self.capacity(1);
        let run =
            (size + overhead + self.shape.chunk_bytes - 1).checked_div(self.shape.chunk_bytes);
        run.and_then(|run| u16::try_from(run).ok()).unwrap_or(u16::MAX)
    }

    #[allow(clippy::cast_possible_truncation, reason = "bounded by the constructors")]
    pub(crate) fn chunk_count(&self) -> u16 {
        let chunks = self.chunks.len().checked_div(self.shape.chunk_bytes as usize);
        chunks.unwrap_or_default().min(65_535) as u16
    }

    /// The places of a connection's receive and transmit memory in `io`.
    pub(crate) fn rx(&self, conn: usize) -> Range<usize> {
        let (rx, tx) = (usize::from(self.shape.rx_bytes), usize::from(self.shape.tx_bytes));
        let start = conn * (rx + tx);
        start..start + rx
    }

    pub(crate) fn tx(&self, conn: usize) -> Range<usize> {
        let start = self.rx(conn).end;
        start..start + usize::from(self.shape.tx_bytes)
    }
}

/// An invariant of klamm's own does not hold. To go on could lose, double or mix up records, so it stops here: the one
/// panic that is left in a firmware image (`cargo xtask size` checks that).
#[cold]
#[inline(never)]
pub(crate) fn broken(invariant: &'static str) -> ! {
    panic!("{invariant}: this is a bug in klamm")
}

/// Copies as much as fits; returns how much. Cut to one length the compiler sees that `copy_from_slice` cannot panic.
#[cfg_attr(target_os = "none", inline(never))]
#[cfg_attr(not(target_os = "none"), inline)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let len = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..len), from.get(..len)) {
        to.copy_from_slice(from);
    }
    len
}

/// `copy_within` without a path to a panic: bytes that do not lie in `bytes`, or would not, stay where they are.
#[cfg_attr(target_os = "none", inline(never))]
pub(crate) fn shift(bytes: &mut [u8], from: Range<usize>, to: usize) {
    let len = bytes.len();
    if from.start <= from.end && from.end <= len && to <= len - (from.end - from.start) {
        bytes.copy_within(from, to);
    }
}

/// A text kept in the storage.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text {
    ClientId,
    /// By broker slot.
    Host(usize),
    /// By topic slot.
    Name(usize),
}

/// Slots, borrowed or on the heap. The number never changes.
pub(crate) enum Slab<'a, T> {
    Borrowed(&'a mut [T]),
    #[cfg(feature = "alloc")]
    Owned(Box<[T]>),
}

#[cfg(feature = "alloc")]
impl<T: Clone> Slab<'_, T> {
    pub(crate) fn boxed(empty: T, len: usize) -> Self {
        Self::Owned(alloc::vec![empty; len].into_boxed_slice())
    }
}

impl<T> Default for Slab<'_, T> {
    fn default() -> Self {
        Self::Borrowed(&mut [])
    }
}

impl<T> Deref for Slab<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Borrowed(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Owned(slots) => slots,
        }
    }
}

impl<T> DerefMut for Slab<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::Borrowed(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Owned(slots) => slots,
        }
    }
}

impl<T, I: SliceIndex<[T]>> Index<I> for Slab<'_, T> {
    type Output = I::Output;

    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    fn index(&self, index: I) -> &I::Output {
        self.get(index).unwrap_or_else(|| broken("an index lies in its slab"))
    }
}

impl<T, I: SliceIndex<[T]>> IndexMut<I> for Slab<'_, T> {
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline)]
    fn index_mut(&mut self, index: I) -> &mut I::Output {
        self.get_mut(index).unwrap_or_else(|| broken("an index lies in its slab"))
    }
}
