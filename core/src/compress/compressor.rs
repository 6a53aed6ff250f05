//! An encoder by itself, for those who compress batches outside of the producer.

use super::Codecs;
#[cfg(feature = "codec-memory")]
use super::memory::CodecMemory;
use crate::config::Compression;
use crate::error::ConfigError;

/// Codecs with their memory on the heap, or in what was handed in: for threads that compress the batches of
/// [`Producer::take_uncompressed`](crate::Producer::take_uncompressed).
#[derive(Default)]
pub struct Compressor<'m>(Codecs<'m>);

impl<'m> Compressor<'m> {
    /// Without memory for any codec yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this memory for klamm's own encoders, in place of the heap's.
    #[cfg(feature = "codec-memory")]
    pub fn in_memory<const HASH: usize, const CHAIN: usize>(
        memory: &'m mut CodecMemory<HASH, CHAIN>,
    ) -> Self {
        Self(Codecs { work: memory.work(), ..Codecs::default() })
    }

    /// Compresses `input` into `output` and returns how many bytes that took; `Ok(None)`: `output` is too short. Memory
    /// is taken from the heap when a codec is used first.
    ///
    /// # Errors
    /// The codec is not built in, or its level is out of range.
    pub fn compress(
        &mut self,
        codec: Compression,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Option<usize>, ConfigError> {
        codec.check()?;
        self.0.prepare(codec)?;
        Ok(self.0.compress(codec, input, output))
    }
}
