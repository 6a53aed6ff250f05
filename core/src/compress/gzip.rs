//! Gzip (RFC 1952) around `miniz_oxide`'s raw DEFLATE.
//!
//! Nothing is allocated after construction, except on wasm32: there `CompressorOxide::reset` of `miniz_oxide` 0.9.1
//! makes one of its buffers (64 KiB) anew for every batch, and frees the old one.

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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::vec;
    use std::vec::Vec;

    use flate2::Compression;
    use flate2::bufread::GzDecoder;
    use flate2::write::GzEncoder;
    use hex_literal::hex;
    use proptest::prelude::*;

    use super::{Gzip, HEAD, TRAILER};

    /// Repeats itself, so that it shrinks.
    fn text(len: usize) -> Vec<u8> {
        b"klamm means tight; ".iter().copied().cycle().take(len).collect()
    }

    /// Checks a member with flate2's reader of gzip.
    fn checked(member: &[u8], plain: &[u8]) {
        let mut found = Vec::new();
        let mut reader = GzDecoder::new(member);
        reader.read_to_end(&mut found).expect("a member");
        assert_eq!(found, plain);
        assert!(reader.into_inner().is_empty(), "bytes after the member");
    }

    #[test]
    fn reads_what_flate2_writes() {
        let plain = text(30_000);
        let mut writer = GzEncoder::new(Vec::new(), Compression::best());
        writer.write_all(&plain).expect("a vector");
        let member = writer.finish().expect("a vector");
        let mut found = vec![0; 40_000];
        assert_eq!(Gzip::new(6).decompress(&member, &mut found), Some(plain.len()));
        assert_eq!(found[..plain.len()], plain);
    }

    #[test]
    fn reads_a_stored_block_that_java_and_brokers_read() {
        let member = hex!("1f8b08000000000000ff010c00f3ff16000000010a68656c6c6f003ea907970c000000");
        let mut out = [0; 64];
        let len = Gzip::new(6).decompress(&member, &mut out).expect("a member");
        assert_eq!(out[..len], hex!("16000000010a68656c6c6f00"));
    }

    #[test]
    fn one_compressor_serves_many_batches_at_every_level() {
        for level in 1..=9 {
            let mut gzip = Gzip::new(level);
            for len in [0, 1, 100, 16_384, 200_000] {
                let plain = text(len);
                let (mut member, mut back) = (vec![0; len + 100], vec![0; len]);
                let size = gzip.compress(&plain, &mut member).expect("room");
                assert!(len < 1_000 || size < len / 2, "level {level}: {len} to {size}");
                checked(&member[..size], &plain);
                assert_eq!(gzip.decompress(&member[..size], &mut back), Some(len));
                assert_eq!(back, plain);
                assert_eq!(gzip.compress(&plain, &mut member[..size - 1]), None, "too short");
                if len > 0 {
                    let short = &mut back[..len - 1];
                    assert_eq!(gzip.decompress(&member[..size], short), None);
                }
            }
        }
    }

    #[test]
    fn the_same_bytes_every_time() {
        let (plain, mut first, mut again) = (text(5_000), vec![0; 5_000], vec![0; 5_000]);
        let mut gzip = Gzip::new(6);
        let size = gzip.compress(&plain, &mut first);
        assert_eq!(gzip.compress(&[7; 3_000], &mut again).map(|_| ()), Some(()));
        again.fill(0);
        assert_eq!(gzip.compress(&plain, &mut again), size);
        assert_eq!(first, again);
        assert_eq!(Gzip::new(6).compress(&plain, &mut again), size);
        assert_eq!(first, again);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_and_damage_is_noticed(
            plain in proptest::collection::vec(any::<u8>(), 0..3_000),
            at: prop::sample::Index,
            bit in 0..8,
        ) {
            let mut gzip = Gzip::new(6);
            let (mut member, mut back) = (vec![0; plain.len() + 100], vec![0; plain.len()]);
            let size = gzip.compress(&plain, &mut member).expect("room");
            member.truncate(size);
            checked(&member, &plain);
            prop_assert_eq!(gzip.decompress(&member, &mut back), Some(plain.len()));
            prop_assert_eq!(&back, &plain);

            for cut in [0, HEAD.len(), size - TRAILER, size - 1] {
                prop_assert_eq!(gzip.decompress(&member[..cut], &mut back), None);
            }
            // Bytes 4 to 9 say time, extra flags and system: nobody reads them.
            let place = at.index(size);
            member[place] ^= 1_u8 << bit;
            let read = gzip.decompress(&member, &mut back);
            let same = read == Some(plain.len()) && back == plain;
            let unread = (4..10).contains(&place);
            prop_assert!(same || !unread && read.is_none());
        }
    }
}
