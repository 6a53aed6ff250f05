//! Every bound of a producer on a host, in one place.

/// How much of everything a producer may hold. All memory follows from these numbers; nothing grows later.
///
/// On a microcontroller the same numbers are the const generics of [`Resources`](crate::Resources).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of record memory; Java's `buffer.memory`. Default 32 MiB. Split into chunks of `batch_size` plus some
    /// room for the request's head.
    pub buffer_memory: u32,
    /// Bytes of a batch that a chunk holds. Default 16,384. A batch grows over the chunks behind its own while they are
    /// free, up to `Config::batch_size` and a quarter of the memory; as many chunks are kept aside for splits and
    /// compression (Cargo feature `grow`; else a chunk is a batch).
    pub batch_size: u32,
    /// `Config::max_request_size`: no chunk run is larger. Default 1,048,576.
    pub max_request_size: u32,
    /// Topics, at most 65,535. Default 64.
    pub topics: u16,
    /// Partitions that can be written to, over all topics; at most 65,535. Default 4,096.
    pub partitions: u16,
    /// Brokers that can be known at once, bootstrap servers included. Default 128. Brokers that nothing is queued for
    /// make room for others, so it takes one for each leader under steady load: with fewer, what is sent to the others
    /// times out. (Connections may be fewer: leaders take turns at them.)
    pub brokers: u8,
    /// Connections open at once. Default 32.
    pub connections: u8,
    /// Codecs that records ask for besides `Config::compression_type`: memory is made for each. Default none.
    #[cfg(feature = "compression")]
    pub codecs: &'static [crate::Compression],
    /// Events that wait for `Producer::poll_event`, of 64 to 80 bytes each. Default 0: none are kept.
    #[cfg(feature = "events")]
    pub events: u16,
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            buffer_memory: 32 * 1024 * 1024,
            batch_size: 16_384,
            max_request_size: 1_048_576,
            topics: 64,
            partitions: 4_096,
            brokers: 128,
            connections: 32,
            #[cfg(feature = "compression")]
            codecs: &[],
            #[cfg(feature = "events")]
            events: 0,
        }
    }

    /// The same with chunks for batches of so many bytes: small ones, of 4 KiB, that batches grow over, so that batches of
    /// few partitions become large and those of many have room; smaller ones, down to 1 KiB, for more than 4,096 partitions
    /// (10,000 have 35,000 chunks, of 150 bytes of state each). Where batches are no larger, a chunk is a batch.
    #[cfg(feature = "grow")]
    #[must_use]
    pub const fn for_batches(mut self, batch_size: u32) -> Self {
        self.batch_size = batch_size;
        let mut small =
            if self.buffer_memory >> 28 == 0 { SMALL } else { self.buffer_memory >> 15 };
        if self.partitions > MANY {
            let four_each = 4 * self.partitions as u32;
            let chunks = if four_each < CHUNKS { four_each } else { CHUNKS };
            let share = (self.buffer_memory / chunks).saturating_sub(HEADS);
            let share = if share > LEAST { share } else { LEAST };
            small = if share < small { share } else { small };
        }
        if batch_size > small {
            self.batch_size = small;
        }
        self
    }
}

/// 32 chunks of this size hold a batch of 128 KiB: see `storage/chunks.rs`.
#[cfg(feature = "grow")]
const SMALL: u32 = 3_563;

/// With more partitions each gets four chunks, unless those would be smaller than `LEAST` or more than `CHUNKS`, whose numbers
/// have 16 bits: where chunks are fewer than partitions, batches of a record each fill the memory.
#[cfg(feature = "grow")]
const MANY: u16 = 4_096;
#[cfg(feature = "grow")]
const LEAST: u32 = 400;
#[cfg(feature = "grow")]
const CHUNKS: u32 = 35_000;
/// What a chunk has besides its part of a batch.
#[cfg(feature = "grow")]
const HEADS: u32 = 533;

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
