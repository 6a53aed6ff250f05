//! Gzip (RFC 1952) around `miniz_oxide`'s raw DEFLATE.
//!
//! Nothing is allocated after construction, except on wasm32: there `CompressorOxide::reset` of `miniz_oxide` 0.9.1
//! makes one of its buffers (64 KiB) anew for every batch, and frees the old one.

use alloc::boxed::Box;

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::member::{unwrap, wrap};

/// A compressor and a decompressor with their state: 319 kB and 10 kB on the heap, made once.
pub(crate) struct Gzip {
    deflate: Box<CompressorOxide>,
    inflate: Box<DecompressorOxide>,
    level: u8,
}

impl Gzip {
    pub(crate) fn new() -> Self {
        // `Box::default` builds in place. As a local, 65 kB of it would be on the stack: too much for WebAssembly and
        // many threads (Frommi/miniz_oxide#188).
        Self { deflate: Box::default(), inflate: Box::default(), level: 0 }
    }

    /// Compresses `input` into one gzip member and returns its bytes; `None`: `output` is too short, which is how
    /// the caller says how much it must shrink. `level` from 1 (fast) to 9 (small).
    pub(crate) fn compress(&mut self, level: u8, input: &[u8], output: &mut [u8]) -> Option<usize> {
        if level != self.level {
            self.deflate.set_format_and_level(DataFormat::Raw, level);
            self.level = level;
        }
        wrap(input, output, |input, body| {
            self.deflate.reset();
            let (status, used, len) = compress(&mut self.deflate, input, body, TDEFLFlush::Finish);
            (status == TDEFLStatus::Done && used == input.len()).then_some(len)
        })
    }

    /// Takes one gzip member without optional fields apart, checks its trailer, and returns the number of plain bytes.
    /// `None`: not such a member, damaged, or `output` is too short.
    pub(crate) fn decompress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        unwrap(input, output, |body, output| {
            self.inflate.init();
            let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
            let (status, used, len) = decompress(&mut self.inflate, body, output, 0, flags);
            (status == TINFLStatus::Done).then_some((used, len))
        })
    }
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

    use super::Gzip;
    use crate::compress::member::{HEAD, TRAILER};

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
        assert_eq!(Gzip::new().decompress(&member, &mut found), Some(plain.len()));
        assert_eq!(found[..plain.len()], plain);
    }

    #[test]
    fn reads_a_stored_block_that_java_and_brokers_read() {
        let member = hex!("1f8b08000000000000ff010c00f3ff16000000010a68656c6c6f003ea907970c000000");
        let mut out = [0; 64];
        let len = Gzip::new().decompress(&member, &mut out).expect("a member");
        assert_eq!(out[..len], hex!("16000000010a68656c6c6f00"));
    }

    #[test]
    fn one_compressor_serves_many_batches_at_every_level() {
        for level in 1..=9 {
            let mut gzip = Gzip::new();
            for len in [0, 1, 100, 16_384, 200_000] {
                let plain = text(len);
                let (mut member, mut back) = (vec![0; len + 100], vec![0; len]);
                let size = gzip.compress(level, &plain, &mut member).expect("room");
                assert!(len < 1_000 || size < len / 2, "level {level}: {len} to {size}");
                checked(&member[..size], &plain);
                assert_eq!(gzip.decompress(&member[..size], &mut back), Some(len));
                assert_eq!(back, plain);
                assert_eq!(
                    gzip.compress(level, &plain, &mut member[..size - 1]),
                    None,
                    "too short"
                );
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
        let mut gzip = Gzip::new();
        let size = gzip.compress(6, &plain, &mut first);
        assert_eq!(gzip.compress(6, &[7; 3_000], &mut again).map(|_| ()), Some(()));
        again.fill(0);
        assert_eq!(gzip.compress(6, &plain, &mut again), size);
        assert_eq!(first, again);
        assert_eq!(Gzip::new().compress(6, &plain, &mut again), size);
        assert_eq!(first, again);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_and_damage_is_noticed(
            plain in proptest::collection::vec(any::<u8>(), 0..3_000),
            at: prop::sample::Index,
            bit in 0..8,
        ) {
            let mut gzip = Gzip::new();
            let (mut member, mut back) = (vec![0; plain.len() + 100], vec![0; plain.len()]);
            let size = gzip.compress(6, &plain, &mut member).expect("room");
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
