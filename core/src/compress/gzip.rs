//! Gzip (RFC 1952) around `miniz_oxide`'s raw DEFLATE. Nothing is allocated after construction.

use alloc::boxed::Box;

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

static CRC32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// Magic, method 8, no flags, no time, no extra flags, unknown system: the same bytes everywhere.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// CRC-32 and length of the plain bytes, little-endian.
const TRAILER: usize = 8;

/// A compressor and a decompressor with their state: 319 kB and 10 kB on the heap, made once.
pub(crate) struct Gzip {
    deflate: Box<CompressorOxide>,
    inflate: Box<DecompressorOxide>,
}

impl Gzip {
    /// `level` from 1 (fast) to 9 (small).
    pub(crate) fn new(level: u8) -> Self {
        // `Box::default` builds in place. As a local, 65 kB of it would be on the stack: too much for WebAssembly and
        // many threads (Frommi/miniz_oxide#188).
        let mut deflate = Box::<CompressorOxide>::default();
        deflate.set_format_and_level(DataFormat::Raw, level);
        Self { deflate, inflate: Box::default() }
    }

    /// Compresses `input` into one gzip member and returns its bytes; `None`: `output` is too short, which is how
    /// the caller says how much it must shrink.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        let (head, body) = output.split_first_chunk_mut()?;
        *head = HEAD;
        self.deflate.reset();
        let (status, used, len) = compress(&mut self.deflate, input, body, TDEFLFlush::Finish);
        if status != TDEFLStatus::Done || used != input.len() {
            return None;
        }
        let trailer = body.get_mut(len..)?.first_chunk_mut::<TRAILER>()?;
        *trailer = trailer_of(input);
        Some(HEAD.len() + len + TRAILER)
    }

    /// Takes one gzip member without optional fields apart, checks its trailer, and returns the number of plain bytes.
    /// `None`: not such a member, damaged, or `output` is too short.
    pub(crate) fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        let (head, body) = input.split_first_chunk::<{ HEAD.len() }>()?;
        let [0x1f, 0x8b, 8, 0, ..] = head else { return None };
        self.inflate.init();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, used, len) = decompress(&mut self.inflate, body, output, 0, flags);
        if status != TINFLStatus::Done {
            return None;
        }
        let plain = output.get(..len)?;
        (body.get(used..)? == trailer_of(plain)).then_some(len)
    }
}

fn trailer_of(plain: &[u8]) -> [u8; TRAILER] {
    // RFC 1952: the length modulo 2^32.
    let len = (plain.len() as u64 & 0xffff_ffff) << 32;
    (u64::from(CRC32.checksum(plain)) | len).to_le_bytes()
}
