//! Memory whose size is known at run time, without an allocator: for programs in other languages.

use super::list::Link;
use super::resources::{CLIENT_ID, RX, SLOTS, TEXT, TX};
use super::{Shape, Slab, Storage};
use crate::batch::BatchSlot;
use crate::cluster::{BrokerSlot, TopicSlot};
use crate::connection::ConnSlot;
use crate::limits::Limits;
use crate::partition::PartitionSlot;

/// A control request, with a client id of `TEXT` bytes.
const CONTROL: usize = TX + TEXT - CLIENT_ID;

/// What a [`Storage`] can be cut out of. klamm has no `unsafe`, so whoever turns bytes into slots is outside of it:
/// `klamm-c` does, for memory that a C program hands in.
pub trait Memory<'a> {
    /// `count` slots, each with what `empty` returns; `None` if there is no room for so many.
    fn slots<T: 'a>(&mut self, count: usize, empty: fn() -> T) -> Option<&'a mut [T]>;
}

impl<'a> Storage<'a> {
    /// Storage of a size that is known at run time, cut out of `memory`; `None` if that is too small. Fields for texts
    /// have 64 bytes, as in [`Resources`](crate::Resources), and the client id's, too, whatever `limits` say of
    /// requests, codecs and events.
    #[allow(clippy::cast_possible_truncation, reason = "constants, below 256 and 65,536")]
    pub fn carved(memory: &mut impl Memory<'a>, limits: &Limits) -> Option<Self> {
        let partitions = usize::from(limits.partitions.max(1));
        let topics = usize::from(limits.topics.max(1));
        let brokers = usize::from(limits.brokers.max(2));
        let connections = usize::from(limits.connections.max(1));
        let shape = Shape {
            chunk_bytes: limits.batch_size.clamp(128, 1 << 30)
                + Shape::headroom(TEXT as u8, TEXT as u8)
                + Shape::TAILROOM,
            rx_bytes: RX as u16,
            tx_bytes: CONTROL as u16,
            client_id_bytes: TEXT as u8,
            host_bytes: TEXT as u8,
            name_bytes: TEXT as u8,
        };
        let chunks = (limits.buffer_memory / shape.chunk_bytes).clamp(2, 32_000) as usize;
        Some(Self {
            chunks: cut(memory, chunks.checked_mul(shape.chunk_bytes as usize)?, || 0)?,
            chunk_map: cut(memory, chunks.div_ceil(32), || 0)?,
            batches: cut(memory, chunks * SLOTS, || BatchSlot::EMPTY)?,
            partitions: cut(memory, partitions, || PartitionSlot::EMPTY)?,
            buckets: cut(memory, partitions, || Link::NONE)?,
            topics: cut(memory, topics, || TopicSlot::EMPTY)?,
            brokers: cut(memory, brokers, || BrokerSlot::EMPTY)?,
            connections: cut(memory, connections, || ConnSlot::EMPTY)?,
            io: cut(memory, connections * (RX + CONTROL), || 0)?,
            client_id: cut(memory, TEXT, || 0)?,
            hosts: cut(memory, brokers * TEXT, || 0)?,
            names: cut(memory, topics * TEXT, || 0)?,
            #[cfg(feature = "events")]
            events: Slab::default(),
            #[cfg(feature = "compression")]
            codecs: crate::compress::Codecs::default(),
            #[cfg(feature = "recorder")]
            recorder: crate::recorder::Recorder::default(),
            shape,
        })
    }
}

fn cut<'a, T>(memory: &mut impl Memory<'a>, count: usize, empty: fn() -> T) -> Option<Slab<'a, T>> {
    memory.slots(count, empty).map(Slab::Borrowed)
}
