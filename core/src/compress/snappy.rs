//! Snappy: one bare block, without the framing of snappy-java. All readers of Kafka take it, and librdkafka writes it.

use super::matches::{Rule, Sink, Tables, parse};
use super::out::Out;

/// The two low bits of an element's first byte.
const LITERAL: u8 = 0;
const COPY_1: u8 = 1;
const COPY_2: u8 = 2;
const COPY_4: u8 = 3;
/// Literals up to this length have it in the first byte.
const SHORT_LITERAL: usize = 60;
/// The longest copy.
const COPY_MAX: usize = 64;

/// Compresses `input` into one block and returns its bytes; `None`: `output` is too short.
pub(crate) fn compress(tables: &mut Tables<'_>, input: &[u8], output: &mut [u8]) -> Option<usize> {
    let rule = Rule { distance: 65_535, no_start: 0, no_match: 0, depth: 1 };
    let mut out = Out::new(output);
    let mut len = u32::try_from(input.len()).ok()?;
    while len >= 0x80 {
        out.push(low_byte(len) | 0x80)?;
        len >>= 7;
    }
    out.push(low_byte(len))?;
    parse(tables, input, rule, &mut Elements { out: &mut out })?;
    Some(out.len())
}

#[allow(clippy::cast_possible_truncation, reason = "is what it is for")]
const fn low_byte(number: u32) -> u8 {
    number as u8
}

struct Elements<'s, 'o> {
    out: &'s mut Out<'o>,
}

impl Elements<'_, '_> {
    fn copy(&mut self, length: usize, distance: usize) -> Option<()> {
        let (length, distance) = (u32::try_from(length).ok()?, u32::try_from(distance).ok()?);
        if (4..12).contains(&length) && distance < 2_048 {
            let first = low_byte((length - 4) << 2 | distance >> 8 << 5) | COPY_1;
            self.out.extend(&[first, low_byte(distance)])
        } else {
            let first = low_byte((length - 1) << 2) | COPY_2;
            self.out.extend(&[first, low_byte(distance), low_byte(distance >> 8)])
        }
    }
}

impl Sink for Elements<'_, '_> {
    fn literals_and_match(
        &mut self,
        literals: &[u8],
        mut length: usize,
        distance: usize,
    ) -> Option<()> {
        self.rest(literals)?;
        // What is left is at least 4 long, so that it may be a short copy.
        while length >= COPY_MAX + 4 {
            self.copy(COPY_MAX, distance)?;
            length -= COPY_MAX;
        }
        if length > COPY_MAX {
            self.copy(COPY_MAX - 4, distance)?;
            length -= COPY_MAX - 4;
        }
        self.copy(length, distance)
    }

    fn rest(&mut self, literals: &[u8]) -> Option<()> {
        let Some(less_one) = literals.len().checked_sub(1) else { return Some(()) };
        if less_one < SHORT_LITERAL {
            self.out.push(low_byte(u32::try_from(less_one).ok()? << 2) | LITERAL)?;
        } else {
            let bytes = u32::try_from(less_one).ok()?.to_le_bytes();
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
            let code = u32::try_from(SHORT_LITERAL + used - 1).ok()?;
            self.out.push(low_byte(code << 2) | LITERAL)?;
            self.out.extend(bytes.get(..used)?)?;
        }
        self.out.extend(literals)
    }
}

/// Takes a bare block apart and returns the number of plain bytes. `None`: damaged, or `output` is too short.
pub(crate) fn decompress(mut input: &[u8], output: &mut [u8]) -> Option<usize> {
    let mut len = 0u64;
    for shift in 0..5 {
        let (byte, after) = input.split_first()?;
        input = after;
        len |= u64::from(byte & 0x7f) << (7 * shift);
        if *byte < 0x80 {
            break;
        }
    }
    let mut out = Out::new(output);
    while let Some((tag, after)) = input.split_first() {
        let high = usize::from(tag >> 2);
        match tag & 3 {
            LITERAL => {
                let extra = (high + 1).saturating_sub(SHORT_LITERAL);
                let (bytes, after) = after.split_at_checked(extra)?;
                let length = if extra == 0 { high } else { little(bytes) };
                let (literals, after) = after.split_at_checked(length.checked_add(1)?)?;
                out.extend(literals)?;
                input = after;
            }
            COPY_1 => {
                let (low, after) = after.split_first()?;
                out.repeat((high >> 3) << 8 | usize::from(*low), (high & 7) + 4)?;
                input = after;
            }
            kind => {
                let wide = if kind == COPY_4 { 4 } else { 2 };
                let (bytes, after) = after.split_at_checked(wide)?;
                out.repeat(little(bytes), high + 1)?;
                input = after;
            }
        }
    }
    (out.len() as u64 == len).then_some(out.len())
}

fn little(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}
