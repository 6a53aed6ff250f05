//! An encoder by itself, for those who compress batches outside of the producer.

use super::Codecs;
use crate::config::Compression;
use crate::error::ConfigError;

/// One codec with its memory on the heap: for threads that compress the batches of
/// [`Producer::take_uncompressed`](crate::Producer::take_uncompressed).
#[derive(Default)]
pub struct Compressor(Codecs<'static>);

impl Compressor {
    /// Without memory for any codec yet.
    pub fn new() -> Self {
        Self::default()
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
