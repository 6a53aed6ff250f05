//! LZ4 frames by `lz4_flex`, several times as fast as the core's own encoder, which does without an
//! allocator and is small. What it writes is what the core's decoder and Java's reader take: blocks
//! that do not depend on each other, no checksums.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

/// Magic; version 1, independent blocks, no checksums, no content size; blocks of at most 64 KiB; the
/// second byte of XXH32 over the two bytes before.
const HEAD: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const END: [u8; 4] = [0; 4];
/// The largest block that the small hash table takes, which stays in the first cache.
const BLOCK: usize = 65_534;
/// In the size of a block: it is stored.
const STORED: u32 = 1 << 31;

#[derive(Default)]
pub(crate) struct Lz4 {
    table: CompressTable,
    block: Vec<u8>,
}

impl Lz4 {
    /// Compresses `input` into one frame and returns its bytes; `None`: `output` is too short.
    pub(crate) fn compress(&mut self, input: &[u8], output: &mut [u8]) -> Option<usize> {
        let mut out = Out { bytes: output, len: 0 };
        out.put(&HEAD)?;
        for plain in input.chunks(BLOCK) {
            let head = out.len;
            out.put(&[0; 4])?;
            let size = self.block(plain, out.rest())?;
            let (size, mark) = if size < plain.len() {
                out.len += size;
                (size, 0)
            } else {
                out.put(plain)?;
                (plain.len(), STORED)
            };
            let word = u32::try_from(size).ok()? | mark;
            Out { bytes: out.bytes, len: head }.put(&word.to_le_bytes())?;
        }
        out.put(&END)?;
        Some(out.len)
    }

    /// Compresses a block to where it belongs; what comes out as large as it went in need not be there.
    fn block(&mut self, plain: &[u8], room: &mut [u8]) -> Option<usize> {
        let worst = get_maximum_output_size(plain.len());
        if room.len() >= worst {
            return compress_into_with_table(plain, room, &mut self.table).ok();
        }
        // The encoder wants room for the worst case, also where it will not need it.
        if self.block.len() < worst {
            self.block.resize(worst, 0);
        }
        let size = compress_into_with_table(plain, &mut self.block, &mut self.table).ok()?;
        if size < plain.len() {
            room.get_mut(..size)?.copy_from_slice(self.block.get(..size)?);
        }
        Some(size)
    }
}

struct Out<'o> {
    bytes: &'o mut [u8],
    len: usize,
}

impl Out<'_> {
    fn rest(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.bytes.get_mut(self.len..)?.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.len += bytes.len();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use lz4_flex::frame::FrameDecoder;

    use super::*;

    fn compress(input: &[u8]) -> Vec<u8> {
        let mut output = vec![0; input.len() * 2 + 100];
        let size = Lz4::default().compress(input, &mut output).expect("room");
        output.truncate(size);
        output
    }

    #[test]
    fn what_goes_in_comes_out_again() {
        let mut seed = 1u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        let noise: Vec<u8> = (0..200_000).map(|_| noise()).collect();
        let text = b"{\"sensor\":7,\"value\":21.5}".repeat(8_000);
        for input in [&noise[..], &text] {
            for len in [0, 1, 12, 13, 100, BLOCK - 1, BLOCK, BLOCK + 1, 65_536, input.len()] {
                let small = compress(&input[..len]);
                let mut plain = Vec::new();
                FrameDecoder::new(&small[..]).read_to_end(&mut plain).expect("a frame");
                assert!(plain == input[..len], "{len} bytes");
            }
        }
        assert!(compress(&text).len() < text.len() / 50);
        assert!(compress(&noise).len() < noise.len() + 50, "what does not shrink is stored");
    }

    #[test]
    fn a_room_too_short_is_said() {
        let text = b"a record of a batch ".repeat(50);
        let size = compress(&text).len();
        for room in 0..size {
            assert_eq!(Lz4::default().compress(&text, &mut vec![0; room]), None, "{room}");
        }
        assert_eq!(Lz4::default().compress(&text, &mut vec![0; size]), Some(size));
    }
}
