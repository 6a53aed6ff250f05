//! Memory of klamm's own encoders, handed in by the caller where there is no allocator.

#[cfg(feature = "gzip-tight")]
use super::huffman::Huffman;
use super::matches::Tables;
use crate::storage::Slab;

/// Memory for the codecs `lz4`, `snappy` and `gzip-tight` of one producer, for a `static` on a microcontroller: handed
/// in with [`Storage::with_codec_memory`](crate::Storage::with_codec_memory).
///
/// `HASH` and `CHAIN` are powers of two; `HASH` from 256 to 32,768, `CHAIN` 0 or up to 65,536. It takes 2 bytes for each,
/// and 4,160 bytes more with `gzip-tight`. 1,024 find nearly all there is to find in a batch of 4 KiB, 8,192 in one of
/// 64 KiB. `CHAIN` is for compression levels above 1, and needs no more than a batch has bytes; without it, these do as
/// level 1 does. All of it is zeros, so a `static` costs no flash.
///
/// ```
/// use klamm::{CodecMemory, Resources};
///
/// let mut resources = Resources::<1400, 4, 2, 2>::new(); // in firmware: `static`s
/// let mut memory = CodecMemory::<1024>::new();
/// let storage = resources.storage().with_codec_memory(&mut memory);
/// # let _ = storage;
/// ```
pub struct CodecMemory<const HASH: usize, const CHAIN: usize = 0> {
    head: [u16; HASH],
    chain: [u16; CHAIN],
    #[cfg(feature = "gzip-tight")]
    huffman: [Huffman; 1],
}

impl<const HASH: usize, const CHAIN: usize> CodecMemory<HASH, CHAIN> {
    /// Empty memory, all zeros.
    pub const fn new() -> Self {
        const {
            assert!(HASH.is_power_of_two() && HASH >= 256 && HASH <= 32_768, "HASH: 256 to 32,768");
            assert!(CHAIN == 0 || CHAIN.is_power_of_two() && CHAIN <= 65_536, "CHAIN: to 65,536");
        }
        Self {
            head: [0; HASH],
            chain: [0; CHAIN],
            #[cfg(feature = "gzip-tight")]
            huffman: [Huffman::EMPTY],
        }
    }

    pub(crate) fn work(&mut self) -> Work<'_> {
        Work {
            tables: Tables {
                head: Slab::Borrowed(&mut self.head),
                chain: Slab::Borrowed(&mut self.chain),
            },
            #[cfg(feature = "gzip-tight")]
            huffman: Slab::Borrowed(&mut self.huffman),
        }
    }
}

impl<const HASH: usize, const CHAIN: usize> Default for CodecMemory<HASH, CHAIN> {
    fn default() -> Self {
        Self::new()
    }
}

/// The same, as the encoders use it. Empty: there is none.
#[derive(Default)]
pub(crate) struct Work<'a> {
    pub(super) tables: Tables<'a>,
    /// One or none.
    #[cfg(feature = "gzip-tight")]
    pub(super) huffman: Slab<'a, Huffman>,
}

/// On a heap there is no reason to save on it: 16 KiB, and 128 KiB for higher levels.
#[cfg(feature = "alloc")]
const HASH: usize = 8_192;
#[cfg(feature = "alloc")]
const CHAIN: usize = 65_536;

#[cfg(all(feature = "alloc", feature = "recorder"))]
#[allow(unused_variables, reason = "without gzip-tight there is no third")]
impl Work<'static> {
    pub(super) fn of_sizes(head: u32, chain: u32, huffman: u32) -> Self {
        Self {
            tables: Tables {
                head: Slab::boxed(0, head as usize),
                chain: Slab::boxed(0, chain as usize),
            },
            #[cfg(feature = "gzip-tight")]
            huffman: Slab::boxed(Huffman::EMPTY, huffman as usize),
        }
    }
}

#[cfg(feature = "alloc")]
impl Work<'_> {
    /// Takes from the heap what is missing.
    pub(super) fn grow(&mut self, chain: bool) {
        if self.tables.head.is_empty() {
            self.tables.head = Slab::boxed(0, HASH);
        }
        if chain && self.tables.chain.is_empty() {
            self.tables.chain = Slab::boxed(0, CHAIN);
        }
    }

    #[cfg(feature = "gzip-tight")]
    pub(super) fn grow_huffman(&mut self) {
        if self.huffman.is_empty() {
            self.huffman = Slab::boxed(Huffman::EMPTY, 1);
        }
    }
}
