//! LZ4: one frame of independent blocks of 64 KiB, as Java's producer writes them.

use super::matches::{Rule, Sink, Tables, parse};
use super::out::Out;

/// Magic; version 1, independent blocks, no checksums, no content size; blocks of at most 64 KiB; the second byte of
/// XXH32 over the two bytes before, which readers of magic 2 check.
const HEAD: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const END: [u8; 4] = [0; 4];
const BLOCK: usize = 65_536;
/// In the size of a block: it is stored.
const STORED: u32 = 1 << 31;
/// The shortest match, and what longer lengths are counted from.
const MIN_MATCH: usize = 4;
const NIBBLE: usize = 15;

/// Compresses `input` into one frame and returns its bytes; `None`: `output` is too short.
pub(crate) fn compress(
    tables: &mut Tables<'_>,
    depth: u16,
    input: &[u8],
    output: &mut [u8],
) -> Option<usize> {
    // The format's rules for the end of a block.
    let rule = Rule { distance: 65_535, no_start: 12, no_match: 5, depth };
    let mut out = Out::new(output);
    out.extend(&HEAD)?;
    for block in input.chunks(BLOCK) {
        let at = out.len();
        out.extend(&[0; 4])?;
        let shrank = parse(tables, block, rule, &mut Sequences { out: &mut out });
        let mut size = u32::try_from(out.len() - at - 4).ok()?;
        if shrank.is_none() || size as usize >= block.len() {
            out.truncate(at + 4);
            out.extend(block)?;
            size = u32::try_from(block.len()).ok()? | STORED;
        }
        out.patch(at, &size.to_le_bytes())?;
    }
    out.extend(&END)?;
    Some(out.len())
}

struct Sequences<'s, 'o> {
    out: &'s mut Out<'o>,
}

impl Sequences<'_, '_> {
    #[allow(clippy::cast_possible_truncation, reason = "nibbles")]
    fn head(&mut self, literals: &[u8], match_nibble: usize) -> Option<()> {
        let nibble = literals.len().min(NIBBLE);
        self.out.push((nibble << 4 | match_nibble) as u8)?;
        if nibble == NIBBLE {
            self.length(literals.len() - NIBBLE)?;
        }
        self.out.extend(literals)
    }

    fn length(&mut self, mut left: usize) -> Option<()> {
        loop {
            let byte = u8::try_from(left).unwrap_or(u8::MAX);
            self.out.push(byte)?;
            if byte < u8::MAX {
                return Some(());
            }
            left -= usize::from(byte);
        }
    }
}

impl Sink for Sequences<'_, '_> {
    fn literals_and_match(
        &mut self,
        literals: &[u8],
        length: usize,
        distance: usize,
    ) -> Option<()> {
        let length = length - MIN_MATCH;
        self.head(literals, length.min(NIBBLE))?;
        self.out.extend(&u16::try_from(distance).ok()?.to_le_bytes())?;
        if length >= NIBBLE { self.length(length - NIBBLE) } else { Some(()) }
    }

    fn rest(&mut self, literals: &[u8]) -> Option<()> {
        self.head(literals, 0)
    }
}

/// Takes a frame of `compress` apart and returns the number of plain bytes. `None`: not such a frame, damaged, or
/// `output` is too short.
pub(crate) fn decompress(input: &[u8], output: &mut [u8]) -> Option<usize> {
    let mut rest = input.strip_prefix(&HEAD)?;
    let mut out = Out::new(output);
    loop {
        let (size, after) = rest.split_first_chunk()?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return after.is_empty().then_some(out.len());
        }
        let (block, after) = after.split_at_checked((size & !STORED) as usize)?;
        if size & STORED != 0 {
            out.extend(block)?;
        } else {
            expand(block, &mut out)?;
        }
        rest = after;
    }
}

fn expand(mut block: &[u8], out: &mut Out<'_>) -> Option<()> {
    loop {
        let (token, after) = block.split_first()?;
        let (literals, after) = length(usize::from(token >> 4), after)?;
        let (literals, after) = after.split_at_checked(literals)?;
        out.extend(literals)?;
        if after.is_empty() {
            return Some(());
        }
        let (distance, after) = after.split_first_chunk()?;
        let (length, after) = length(usize::from(token & 15), after)?;
        out.repeat(usize::from(u16::from_le_bytes(*distance)), length + MIN_MATCH)?;
        block = after;
    }
}

fn length(nibble: usize, mut from: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = nibble;
    let mut more = nibble == NIBBLE;
    while more {
        let (byte, after) = from.split_first()?;
        length = length.checked_add(usize::from(*byte))?;
        from = after;
        more = *byte == u8::MAX;
    }
    Some((length, from))
}
