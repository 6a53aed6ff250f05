//! DEFLATE (RFC 1951) in little memory: one block, whose codes are fitted to the whole batch. The matches are searched
//! twice, first to count symbols and then to write them, so that none has to be kept.

use super::huffman::{Huffman, LITERALS};
use super::matches::{Rule, Sink, Tables, parse};
use super::out::Out;

const WINDOW: usize = 32_768;
/// The longest match, and the shortest that is found.
const MATCH_MAX: usize = 258;
const MATCH_MIN: usize = 4;
const END_OF_BLOCK: u16 = 256;
/// Order in which the lengths of the code for code lengths are written.
pub(super) const PERMUTATION: [u8; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// A complete code for code lengths, always the same: 4 bits for what is frequent, 5 for 1 to 3 and 13 to 15. One that
/// is fitted would save some ten bytes a batch.
const LENGTH_LENGTHS: [u8; 19] = [4, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 4, 4, 4];
/// Code lengths that are written: the symbols above are never used.
const USED_LITERALS: usize = 286;
const USED_DISTANCES: usize = 30;

/// Compresses `input` into one final block. `None`: too little room.
pub(super) fn compress(
    tables: &mut Tables<'_>,
    huffman: &mut Huffman,
    depth: u16,
    input: &[u8],
    output: &mut [u8],
) -> Option<usize> {
    let rule = Rule { distance: WINDOW, no_start: 0, no_match: 0, depth };
    huffman.counts.fill(0);
    let mut count = |symbol: u16, _, _| {
        let place = huffman.counts.get_mut(usize::from(symbol))?;
        *place = place.saturating_add(1);
        Some(())
    };
    parse(tables, input, rule, &mut Symbols { take: &mut count })?;
    count(END_OF_BLOCK, 0, 0)?;

    let mut bits = Bits { out: Out::new(output), held: 0, count: 0 };
    huffman.fit();
    let fitted = cost(huffman) + head_cost(&huffman.lengths);
    fixed(&mut huffman.lengths);
    if fitted < cost(huffman) {
        huffman.fit();
        bits.put(0b101, 3)?;
        write_head(&mut bits, &huffman.lengths)?;
    } else {
        bits.put(0b011, 3)?;
    }
    huffman.assign();
    let mut write = |symbol: u16, extra: u32, extra_bits: u32| {
        let symbol = usize::from(symbol);
        bits.put((*huffman.codes.get(symbol)?).into(), (*huffman.lengths.get(symbol)?).into())?;
        bits.put(extra, extra_bits)
    };
    parse(tables, input, rule, &mut Symbols { take: &mut write })?;
    write(END_OF_BLOCK, 0, 0)?;
    bits.finish()
}

/// Bits of all symbols with the lengths as they are; extra bits are the same with any.
fn cost(huffman: &Huffman) -> u64 {
    let pairs = huffman.counts.iter().zip(&huffman.lengths);
    pairs.map(|(count, length)| u64::from(*count) * u64::from(*length)).sum()
}

/// The lengths of the fixed code (3.2.6).
pub(super) fn fixed(lengths: &mut [u8]) {
    for (symbol, length) in lengths.iter_mut().enumerate() {
        *length = match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            280..LITERALS => 8,
            _ => 5,
        };
    }
}

fn head_cost(lengths: &[u8]) -> u64 {
    let mut bits = 14 + 3 * LENGTH_LENGTHS.len() as u64;
    runs(lengths, |symbol, _, extra_bits| {
        let length = LENGTH_LENGTHS.get(usize::from(symbol)).copied().unwrap_or_default();
        bits += u64::from(length) + u64::from(extra_bits);
        Some(())
    });
    bits
}

#[allow(clippy::cast_possible_truncation, reason = "constants")]
fn write_head(bits: &mut Bits<'_>, lengths: &[u8]) -> Option<()> {
    bits.put(USED_LITERALS as u32 - 257, 5)?;
    bits.put(USED_DISTANCES as u32 - 1, 5)?;
    bits.put(LENGTH_LENGTHS.len() as u32 - 4, 4)?;
    for symbol in PERMUTATION {
        bits.put((*LENGTH_LENGTHS.get(usize::from(symbol))?).into(), 3)?;
    }
    runs(lengths, |symbol, extra, extra_bits| {
        let (code, length) = length_code(symbol);
        bits.put(code, length)?;
        bits.put(extra, extra_bits)
    })
}

/// The code for a code length: those of 4 bits come first, each in order of the symbols.
fn length_code(symbol: u8) -> (u32, u32) {
    match symbol {
        0 => (reversed(0, 4), 4),
        1..=3 => (reversed(25 + u32::from(symbol), 5), 5),
        4..=12 => (reversed(u32::from(symbol) - 3, 4), 4),
        13..=15 => (reversed(16 + u32::from(symbol), 5), 5),
        _ => (reversed(u32::from(symbol) - 6, 4), 4),
    }
}

const fn reversed(code: u32, length: u32) -> u32 {
    code.reverse_bits() >> (32 - length)
}

/// The code lengths of both alphabets as symbols of the code for code lengths: 16 repeats, 17 and 18 are zeros.
fn runs(lengths: &[u8], mut take: impl FnMut(u8, u32, u32) -> Option<()>) -> Option<()> {
    let (literals, distances) = lengths.split_at_checked(LITERALS)?;
    let literals = literals.get(..USED_LITERALS)?;
    let mut all = literals.iter().chain(distances.get(..USED_DISTANCES)?).copied().peekable();
    while let Some(length) = all.next() {
        let longest = if length == 0 { 138 } else { 7 };
        let mut run = 1;
        while run < longest && all.next_if_eq(&length).is_some() {
            run += 1;
        }
        if length > 0 {
            take(length, 0, 0)?;
            run -= 1;
        }
        match run {
            0..3 => (0..run).try_for_each(|_| take(length, 0, 0))?,
            _ if length > 0 => take(16, run - 3, 2)?,
            3..11 => take(17, run - 3, 3)?,
            _ => take(18, run - 11, 7)?,
        }
    }
    Some(())
}

/// Literals and matches as symbols with extra bits: `take` gets (symbol, extra, bits of extra).
struct Symbols<'s, F> {
    take: &'s mut F,
}

impl<F: FnMut(u16, u32, u32) -> Option<()>> Symbols<'_, F> {
    #[allow(clippy::cast_possible_truncation, reason = "symbols are below 320")]
    fn copy(&mut self, length: usize, distance: usize) -> Option<()> {
        let (length, distance) = (u32::try_from(length).ok()?, u32::try_from(distance).ok()?);
        let (symbol, extra, bits) = if length == 258 { (28, 0, 0) } else { spread(length - 3, 2) };
        (self.take)(257 + symbol, extra, bits)?;
        let (symbol, extra, bits) = spread(distance - 1, 1);
        (self.take)(LITERALS as u16 + symbol, extra, bits)
    }
}

/// The symbol of a number where every power of two is divided into `1 << fine`, and what is left in extra bits.
#[allow(clippy::cast_possible_truncation, reason = "symbols are below 30")]
const fn spread(number: u32, fine: u32) -> (u16, u32, u32) {
    if number < 2 << fine {
        return (number as u16, 0, 0);
    }
    let bits = number.ilog2() - fine;
    ((((bits << fine) + (number >> bits)) as u16), number & ((1 << bits) - 1), bits)
}

impl<F: FnMut(u16, u32, u32) -> Option<()>> Sink for Symbols<'_, F> {
    fn literals_and_match(
        &mut self,
        literals: &[u8],
        mut length: usize,
        distance: usize,
    ) -> Option<()> {
        self.rest(literals)?;
        while length > MATCH_MAX {
            // What is left must be a match again.
            let part = MATCH_MAX.min(length - MATCH_MIN);
            self.copy(part, distance)?;
            length -= part;
        }
        self.copy(length, distance)
    }

    fn rest(&mut self, literals: &[u8]) -> Option<()> {
        literals.iter().try_for_each(|byte| (self.take)(u16::from(*byte), 0, 0))
    }
}

struct Bits<'o> {
    out: Out<'o>,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn put(&mut self, bits: u32, count: u32) -> Option<()> {
        self.held |= u64::from(bits) << self.count;
        self.count += count;
        if self.count >= 32 {
            #[allow(clippy::cast_possible_truncation, reason = "the low half")]
            self.out.extend(&(self.held as u32).to_le_bytes())?;
            self.held >>= 32;
            self.count -= 32;
        }
        Some(())
    }

    fn finish(mut self) -> Option<usize> {
        let bytes = self.held.to_le_bytes();
        self.out.extend(bytes.get(..self.count.div_ceil(8) as usize)?)?;
        Some(self.out.len())
    }
}
