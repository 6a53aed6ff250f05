//! Zstandard by the C library, through `zstd-safe`. Its memory is its own: made for the largest batch so far, and kept.

use zstd_safe::{CCtx, CParameter, DCtx};

/// The default of Java's producer.
const DEFAULT_LEVEL: i32 = 3;
/// The largest window that every broker takes is 2^27; 8 MiB is what decoders have to take (RFC 8878).
const WINDOW_LOG: u32 = 23;
/// Levels above ask for larger windows by themselves.
const LARGEST_BY_LEVEL: i32 = 19;

/// A compressor and a decompressor with their state.
pub(crate) struct Zstd {
    compressor: CCtx<'static>,
    decompressor: DCtx<'static>,
    level: i32,
}

impl Zstd {
    pub(crate) fn new() -> Self {
        Self { compressor: CCtx::create(), decompressor: DCtx::create(), level: DEFAULT_LEVEL }
    }

    /// Compresses `input` into one frame and returns its bytes; `None`: `output` is too short.
    pub(crate) fn compress(
        &mut self,
        level: i32,
        input: &[u8],
        output: &mut [u8],
    ) -> Option<usize> {
        if level != self.level {
            self.compressor.set_parameter(CParameter::CompressionLevel(level)).ok()?;
            let window = if level > LARGEST_BY_LEVEL { WINDOW_LOG } else { 0 };
            self.compressor.set_parameter(CParameter::WindowLog(window)).ok()?;
            self.level = level;
        }
        self.compressor.compress2(output, input).ok()
    }

    /// Expands one frame and returns the number of plain bytes. `None`: damaged, or `output` is too short.
    pub(crate) fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        // To the library, nothing is no frame at all.
        let frame = (!input.is_empty()).then_some(input)?;
        self.decompressor.decompress(output, frame).ok()
    }
}
