//! nom parsers for the primitives: plain streaming functions with the error type `()`.
//!
//! Called one after the other, without combinators: of the ways to use nom it costs the least flash.

use nom::bytes::streaming::take;
use nom::number::streaming::{be_i16, be_i32, be_u8};
use nom::{Err, IResult};

use super::{Need, varint};
use crate::id::TopicUuid;

/// The rest of the input, and what was read.
pub(crate) type Parsed<'b, T> = IResult<&'b [u8], T, ()>;

/// The bytes break the protocol.
pub(crate) const BAD: Err<()> = Err::Error(());

impl From<Err<()>> for Need {
    fn from(error: Err<()>) -> Self {
        match error {
            Err::Incomplete(_) => Self::More,
            Err::Error(()) | Err::Failure(()) => Self::Bad,
        }
    }
}

/// A string that is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Text<'b> {
    /// All of it, or null.
    Whole(Option<&'b str>),
    /// Longer than anything klamm can use: this many bytes follow, to be passed over.
    Long(u32),
}

/// An unsigned varint of at most 32 bits.
pub(crate) fn uvarint(input: &[u8]) -> Parsed<'_, u32> {
    let (mut input, mut value) = (input, 0);
    for shift in [0, 7, 14, 21, 28] {
        let (rest, byte) = be_u8(input)?;
        input = rest;
        let bits = u32::from(byte & 0x7f);
        if shift == 28 && byte > 0x0f {
            return Err(BAD);
        }
        value |= bits << shift;
        if byte < 0x80 {
            break;
        }
    }
    Ok((input, value))
}

/// A signed varint of at most 32 bits.
pub(crate) fn varint(input: &[u8]) -> Parsed<'_, i32> {
    let (input, value) = uvarint(input)?;
    Ok((input, varint::unzigzag(value)))
}

/// A signed varint of at most 64 bits.
pub(crate) fn varlong(input: &[u8]) -> Parsed<'_, i64> {
    let (mut input, mut value, mut shift) = (input, 0, 0);
    loop {
        let (rest, byte) = be_u8(input)?;
        input = rest;
        if shift == 63 && byte > 1 {
            return Err(BAD);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((input, varint::unzigzag64(value)));
        }
        shift += 7;
    }
}

/// The number of elements of an array, 0 for null.
pub(crate) fn count(input: &[u8], flexible: bool) -> Parsed<'_, u32> {
    if flexible {
        let (input, count) = uvarint(input)?;
        Ok((input, count.saturating_sub(1)))
    } else {
        let (input, count) = be_i32(input)?;
        Ok((input, u32::try_from(count.max(0)).map_err(|_| BAD)?))
    }
}

/// The bytes of an array of int32.
pub(crate) fn int32s(input: &[u8], flexible: bool) -> Parsed<'_, u32> {
    let (input, count) = count(input, flexible)?;
    Ok((input, count.checked_mul(4).ok_or(BAD)?))
}

/// The length of a string, `None` for null.
fn text_len(input: &[u8], flexible: bool) -> Parsed<'_, Option<u32>> {
    if flexible {
        let (input, len) = uvarint(input)?;
        Ok((input, len.checked_sub(1)))
    } else {
        let (input, len) = be_i16(input)?;
        Ok((input, u32::try_from(len).ok()))
    }
}

/// The length of a string that is not wanted, 0 for null.
pub(crate) fn unwanted(input: &[u8], flexible: bool) -> Parsed<'_, u32> {
    let (input, len) = text_len(input, flexible)?;
    Ok((input, len.unwrap_or(0)))
}

/// A string of at most `max` bytes; of a longer one the length only.
pub(crate) fn text(input: &[u8], flexible: bool, max: u32) -> Parsed<'_, Text<'_>> {
    let (input, len) = text_len(input, flexible)?;
    match len {
        None => Ok((input, Text::Whole(None))),
        Some(len) if len > max => Ok((input, Text::Long(len))),
        Some(len) => {
            let (input, bytes) = take(len)(input)?;
            let text = core::str::from_utf8(bytes).map_err(|_| BAD)?;
            Ok((input, Text::Whole(Some(text))))
        }
    }
}

/// A topic id.
pub(crate) fn uuid(input: &[u8]) -> Parsed<'_, TopicUuid> {
    match input.split_first_chunk() {
        Some((id, rest)) => Ok((rest, TopicUuid(*id))),
        None => Err(Err::Incomplete(nom::Needed::Unknown)),
    }
}
