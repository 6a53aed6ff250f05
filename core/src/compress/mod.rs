//! Codecs. Each compresses from one slice into another, and says `None` when that does not fit: a batch that would not
//! shrink goes out as it is.

#[cfg(feature = "alloc")]
pub(crate) mod compressor;
#[cfg(feature = "gzip-tight")]
mod deflate;
#[cfg(feature = "gzip")]
pub(crate) mod gzip;
#[cfg(feature = "gzip-tight")]
mod huffman;
#[cfg(feature = "gzip-tight")]
mod inflate;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "codec-memory")]
#[allow(dead_code, reason = "used by every codec of klamm's own")]
mod matches;
#[cfg(any(feature = "gzip", feature = "gzip-tight"))]
mod member;
#[cfg(feature = "codec-memory")]
#[allow(dead_code, reason = "used by every codec of klamm's own")]
pub(crate) mod memory;
#[cfg(feature = "codec-memory")]
#[allow(dead_code, reason = "each codec uses some of it")]
mod out;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(all(
    test,
    feature = "gzip",
    feature = "gzip-tight",
    feature = "lz4",
    feature = "snappy",
    feature = "zstd"
))]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use crate::config::Compression;
use crate::error::ConfigError;

/// The encoders and decoders of a producer, with their memory: what is not there was not asked for.
#[derive(Default)]
pub(crate) struct Codecs<'a> {
    #[cfg(feature = "codec-memory")]
    pub(crate) work: memory::Work<'a>,
    #[cfg(feature = "gzip")]
    gzip: Option<gzip::Gzip>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::Zstd>,
    memory: core::marker::PhantomData<&'a mut ()>,
}

#[cfg(feature = "alloc")]
impl Codecs<'static> {
    /// With memory for these codecs; those not built in are refused when a record asks for them.
    pub(crate) fn of(list: &[Compression]) -> Self {
        let mut codecs = Self::default();
        for codec in list {
            let _ = codecs.prepare(*codec);
        }
        codecs
    }
}

#[cfg(feature = "recorder")]
#[allow(unused_mut, clippy::unused_self, reason = "depends on the codecs built in")]
#[allow(clippy::cast_possible_truncation, reason = "lengths of tables")]
impl Codecs<'_> {
    /// Lengths of tables, and what else there is: it decides what batches look like.
    pub(crate) fn sizes(&self) -> [u32; 5] {
        let mut sizes = [0; 5];
        #[cfg(feature = "codec-memory")]
        {
            let tables = &self.work.tables;
            (sizes[0], sizes[1]) = (tables.head.len() as u32, tables.chain.len() as u32);
        }
        #[cfg(feature = "gzip-tight")]
        {
            sizes[2] = self.work.huffman.len() as u32;
        }
        #[cfg(feature = "gzip")]
        {
            sizes[3] = u32::from(self.gzip.is_some());
        }
        #[cfg(feature = "zstd")]
        {
            sizes[4] = u32::from(self.zstd.is_some());
        }
        sizes
    }
}

#[cfg(all(feature = "recorder", feature = "alloc"))]
#[allow(unused_variables, unused_mut, reason = "depends on the codecs built in")]
impl Codecs<'static> {
    pub(crate) fn of_sizes([head, chain, huffman, gzip, zstd]: [u32; 5]) -> Self {
        let mut codecs = Self::default();
        #[cfg(feature = "codec-memory")]
        {
            codecs.work = memory::Work::of_sizes(head, chain, huffman);
        }
        #[cfg(feature = "gzip")]
        {
            codecs.gzip = (gzip > 0).then(gzip::Gzip::new);
        }
        #[cfg(feature = "zstd")]
        {
            codecs.zstd = (zstd > 0).then(zstd::Zstd::new);
        }
        codecs
    }
}

#[allow(
    unused_variables,
    unreachable_patterns,
    clippy::needless_pass_by_ref_mut,
    clippy::unused_self,
    reason = "depends on the codecs built in"
)]
impl Codecs<'_> {
    /// Makes what the codec needs, on the heap where there is one.
    pub(crate) fn prepare(&mut self, codec: Compression) -> Result<(), ConfigError> {
        match codec {
            Compression::None => {}
            #[cfg(feature = "gzip")]
            Compression::Gzip { .. } if !self.is_tight() => {
                self.gzip.get_or_insert_with(gzip::Gzip::new);
            }
            #[cfg(all(feature = "gzip-tight", feature = "alloc"))]
            Compression::Gzip { level } => {
                self.work.grow(level > 1);
                self.work.grow_huffman();
            }
            #[cfg(all(feature = "lz4", feature = "alloc"))]
            Compression::Lz4 { level } => self.work.grow(level > 1),
            #[cfg(all(feature = "snappy", feature = "alloc"))]
            Compression::Snappy => self.work.grow(false),
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => {
                self.zstd.get_or_insert_with(zstd::Zstd::new);
            }
            _ => {}
        }
        if self.has(codec) {
            Ok(())
        } else if codec.is_built_in() {
            Err(ConfigError::StorageTooSmall { what: "codec memory", min: 256 })
        } else {
            Err(ConfigError::CodecMissing)
        }
    }

    /// Is there memory for the codec?
    pub(crate) fn has(&self, codec: Compression) -> bool {
        match codec {
            Compression::None => true,
            #[cfg(feature = "gzip")]
            Compression::Gzip { .. } if !self.is_tight() => self.gzip.is_some(),
            #[cfg(feature = "gzip-tight")]
            Compression::Gzip { .. } => self.is_tight(),
            #[cfg(feature = "lz4")]
            Compression::Lz4 { .. } => !self.work.tables.head.is_empty(),
            #[cfg(feature = "snappy")]
            Compression::Snappy => !self.work.tables.head.is_empty(),
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => self.zstd.is_some(),
            _ => false,
        }
    }

    /// Was memory handed in for gzip's own encoder? Then that is what it is for, whatever else is built in.
    #[cfg(any(feature = "gzip", feature = "gzip-tight"))]
    fn is_tight(&self) -> bool {
        #[cfg(feature = "gzip-tight")]
        return !self.work.huffman.is_empty();
        #[cfg(not(feature = "gzip-tight"))]
        return false;
    }

    /// Compresses `input` and returns its bytes; `None`: `output` is too short, or the codec is not there.
    pub(crate) fn compress(
        &mut self,
        codec: Compression,
        input: &[u8],
        output: &mut [u8],
    ) -> Option<usize> {
        if !self.has(codec) {
            return None;
        }
        match codec {
            #[cfg(feature = "gzip")]
            Compression::Gzip { level } if !self.is_tight() => {
                self.gzip.as_mut()?.compress(level, input, output)
            }
            #[cfg(feature = "gzip-tight")]
            Compression::Gzip { level } => {
                let (tables, huffman) = (&mut self.work.tables, self.work.huffman.first_mut()?);
                member::wrap(input, output, |input, output| {
                    deflate::compress(tables, huffman, depth(level), input, output)
                })
            }
            #[cfg(feature = "lz4")]
            Compression::Lz4 { level } => {
                lz4::compress(&mut self.work.tables, depth(level), input, output)
            }
            #[cfg(feature = "snappy")]
            Compression::Snappy => snappy::compress(&mut self.work.tables, input, output),
            #[cfg(feature = "zstd")]
            Compression::Zstd { level } => self.zstd.as_mut()?.compress(level, input, output),
            _ => None,
        }
    }

    /// Expands what `compress` made and returns the number of plain bytes; `None`: it is something else, or `output` is
    /// too short.
    pub(crate) fn decompress(
        &mut self,
        codec: Compression,
        input: &[u8],
        output: &mut [u8],
    ) -> Option<usize> {
        match codec {
            #[cfg(feature = "gzip")]
            Compression::Gzip { .. } if !self.is_tight() => {
                self.gzip.as_mut()?.decompress(input, output)
            }
            #[cfg(feature = "gzip-tight")]
            Compression::Gzip { .. } => {
                let huffman = self.work.huffman.first_mut()?;
                member::unwrap(input, output, |input, output| {
                    inflate::decompress(huffman, input, output)
                })
            }
            #[cfg(feature = "lz4")]
            Compression::Lz4 { .. } => lz4::decompress(input, output),
            #[cfg(feature = "snappy")]
            Compression::Snappy => snappy::decompress(input, output),
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => self.zstd.as_mut()?.decompress(input, output),
            _ => None,
        }
    }
}

/// Candidates that klamm's own encoders look at for each position: twice as many with each level.
#[cfg(any(feature = "lz4", feature = "gzip-tight"))]
fn depth(level: u8) -> u16 {
    1 << level.saturating_sub(1).min(8)
}
