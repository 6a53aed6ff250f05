//! Undoing DEFLATE in little memory: canonical codes by counting, a bit at a time. Slow, and rarely needed: for what is
//! split, or handed back undelivered.

use super::deflate::{PERMUTATION, fixed};
use super::huffman::{DISTANCES, Huffman, LITERALS, LONGEST, SYMBOLS};
use super::out::Out;

/// Symbols of the code for code lengths.
const LENGTHS: usize = 19;

/// Expands a stream and returns the bytes used and the bytes written. `None`: damaged, or `output` is too short.
pub(super) fn decompress(
    huffman: &mut Huffman,
    input: &[u8],
    output: &mut [u8],
) -> Option<(usize, usize)> {
    let mut bits = Bits { input, at: 0, held: 0, count: 0 };
    let mut out = Out::new(output);
    loop {
        let last = bits.take(1)?;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out)?,
            1 => {
                fixed(&mut huffman.lengths);
                block(&mut bits, huffman, &mut out)?;
            }
            2 => {
                read_lengths(&mut bits, huffman)?;
                block(&mut bits, huffman, &mut out)?;
            }
            _ => return None,
        }
        if last == 1 {
            return Some((bits.at, out.len()));
        }
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Out<'_>) -> Option<()> {
    (bits.held, bits.count) = (0, 0);
    let rest = bits.input.get(bits.at..)?;
    let (len, rest) = rest.split_first_chunk()?;
    let (check, rest) = rest.split_first_chunk()?;
    let len = u16::from_le_bytes(*len);
    if len != !u16::from_le_bytes(*check) {
        return None;
    }
    out.extend(rest.get(..usize::from(len))?)?;
    bits.at += 4 + usize::from(len);
    Some(())
}

fn read_lengths(bits: &mut Bits<'_>, huffman: &mut Huffman) -> Option<()> {
    let literals = bits.take(5)? as usize + 257;
    let distances = bits.take(5)? as usize + 1;
    let count = bits.take(4)? as usize + 4;
    huffman.lengths.fill(0);
    for symbol in PERMUTATION.iter().take(count) {
        *huffman.lengths.get_mut(usize::from(*symbol))? = u8::try_from(bits.take(3)?).ok()?;
    }
    let mut order = [0; LENGTHS];
    let code = Code::new(huffman.lengths.get(..LENGTHS)?, &mut order);
    huffman.lengths.fill(0);
    let (mut at, mut previous) = (0, 0);
    while at < literals + distances {
        let symbol = code.read(bits, &order)?;
        let (length, run) = match symbol {
            0..16 => (u8::try_from(symbol).ok()?, 1),
            16 if at > 0 => (previous, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            _ => return None,
        };
        for _ in 0..run {
            // The second alphabet has its own place.
            let place = if at < literals { at } else { LITERALS + at - literals };
            *huffman.lengths.get_mut(place).filter(|_| at < literals + distances)? = length;
            at += 1;
        }
        previous = length;
    }
    Some(())
}

fn block(bits: &mut Bits<'_>, huffman: &mut Huffman, out: &mut Out<'_>) -> Option<()> {
    const { assert!(SYMBOLS == LITERALS + DISTANCES) };
    let (literal_lengths, distance_lengths) = huffman.lengths.split_at_checked(LITERALS)?;
    let (literal_order, distance_order) = huffman.order.split_at_mut_checked(LITERALS)?;
    let literals = Code::new(literal_lengths, literal_order);
    let distances = Code::new(distance_lengths, distance_order);
    loop {
        match literals.read(bits, literal_order)? {
            byte @ 0..256 => out.push(u8::try_from(byte).ok()?)?,
            256 => return Some(()),
            symbol @ 257..286 => {
                // 258 has a symbol of its own.
                let longest = symbol == 285;
                let length = if longest { 258 } else { bits.gathered(symbol - 257, 2)? + 3 };
                let symbol = distances.read(bits, distance_order)?;
                out.repeat(bits.gathered(symbol, 1)? + 1, length)?;
            }
            _ => return None,
        }
    }
}

/// How many codes there are of each length; `order` holds the symbols by code.
struct Code {
    counts: [u16; LONGEST as usize + 1],
}

impl Code {
    fn new(lengths: &[u8], order: &mut [u16]) -> Self {
        let mut counts = [0; LONGEST as usize + 1];
        let mut at = 0;
        for (length, place) in counts.iter_mut().enumerate().skip(1) {
            for (symbol, _) in (0..).zip(lengths).filter(|(_, has)| usize::from(**has) == length) {
                if let Some(place) = order.get_mut(at) {
                    *place = symbol;
                }
                at += 1;
                *place += 1;
            }
        }
        Self { counts }
    }

    fn read(&self, bits: &mut Bits<'_>, order: &[u16]) -> Option<u16> {
        let (mut code, mut first, mut before) = (0, 0, 0);
        for count in self.counts.iter().skip(1) {
            let count = usize::from(*count);
            code |= bits.take(1)? as usize;
            if code < first + count {
                return order.get((before + code).checked_sub(first)?).copied();
            }
            before += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

struct Bits<'b> {
    input: &'b [u8],
    /// Bytes taken from the input.
    at: usize,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    /// At most 16.
    fn take(&mut self, count: u32) -> Option<u32> {
        while self.count < count {
            self.held |= u32::from(*self.input.get(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let bits = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Some(bits)
    }

    /// The number behind a symbol and its extra bits: see `spread` of the encoder.
    fn gathered(&mut self, symbol: u16, fine: u32) -> Option<usize> {
        let symbol = u32::from(symbol);
        if symbol < 2 << fine {
            return Some(symbol as usize);
        }
        let bits = (symbol >> fine) - 1;
        let high = (1 << fine) + (symbol & ((1 << fine) - 1));
        Some(((high << bits) + self.take(bits)?) as usize)
    }
}
