//! nom parsers for the primitives: plain streaming functions with the error type `()`, called one after the other.
//!
//! Without combinators: of the ways to use nom it costs the least flash.

use nom::number::streaming::be_u8;
use nom::{Err, IResult, Needed};

use super::api::FLEXIBLE;
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

/// A string that is wanted, as bytes: who wants a `str` checks them (`from_utf8` takes 0.6 KB of flash).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Text<'b> {
    /// All of it, or null.
    Whole(Option<&'b [u8]>),
    /// Longer than anything klamm can use: this many bytes follow, to be passed over.
    Long(u32),
}

/// Reads the fields of one element, one after the other. What is missing or wrong is remembered and asked for once,
/// at the element's end; until then fields read as 0. On a Cortex-M3 this takes half the flash of a `?` at each field.
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
    flexible: bool,
    need: Option<Need>,
}

impl<'b> Reader<'b> {
    /// A reader of `input`; `flexible` chooses the compact forms.
    pub(crate) const fn new(input: &'b [u8], flexible: bool) -> Self {
        Self { rest: input, flexible, need: None }
    }

    const fn is_flexible(&self) -> bool {
        FLEXIBLE && self.flexible
    }

    /// Bytes that are left, if nothing was missing or wrong.
    pub(crate) fn finish(&self) -> Result<usize, Need> {
        match self.need {
            Some(need) => Err(need),
            None => Ok(self.rest.len()),
        }
    }

    pub(crate) fn fail(&mut self, need: Need) {
        self.need = self.need.or(Some(need));
    }

    fn read<T: Default>(&mut self, parser: impl FnOnce(&'b [u8]) -> Parsed<'b, T>) -> T {
        if self.need.is_none() {
            match parser(self.rest) {
                Ok((rest, value)) => {
                    self.rest = rest;
                    return value;
                }
                Err(error) => self.need = Some(error.into()),
            }
        }
        T::default()
    }

    /// The next `len` bytes.
    #[cfg_attr(target_os = "none", inline(never))]
    fn take(&mut self, len: u32) -> &'b [u8] {
        self.read(|input| take(input, len))
    }

    /// The bytes of a number: one parser for all of them is small.
    fn array<const N: usize>(&mut self) -> [u8; N] {
        #[allow(clippy::cast_possible_truncation, reason = "16 at most")]
        self.take(N as u32).first_chunk().copied().unwrap_or([0; N])
    }

    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.array())
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.array())
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.array())
    }

    pub(crate) fn uvarint(&mut self) -> u32 {
        self.read(uvarint)
    }

    /// The number of elements of an array, 0 for null.
    pub(crate) fn count(&mut self) -> u32 {
        if self.is_flexible() {
            self.uvarint().saturating_sub(1)
        } else {
            self.i32().max(0).cast_unsigned()
        }
    }

    /// The bytes of an array of int32.
    pub(crate) fn int32s(&mut self) -> u32 {
        self.count().checked_mul(4).unwrap_or_else(|| {
            self.fail(Need::Bad);
            0
        })
    }

    /// The length of a string plus 1, 0 for null.
    fn text_len(&mut self) -> u32 {
        if self.is_flexible() {
            self.uvarint()
        } else {
            (i32::from(self.i16()) + 1).max(0).cast_unsigned()
        }
    }

    /// The length of a string that is not wanted, 0 for null.
    pub(crate) fn unwanted(&mut self) -> u32 {
        self.text_len().saturating_sub(1)
    }

    /// A string of at most `max` bytes; of a longer one the length only.
    pub(crate) fn text(&mut self, max: u32) -> Text<'b> {
        match self.text_len().checked_sub(1) {
            None => Text::Whole(None),
            Some(len) if len > max => Text::Long(len),
            Some(len) => Text::Whole(Some(self.take(len))),
        }
    }

    /// `len` bytes as they are.
    #[cfg(feature = "snapshot")]
    pub(crate) fn bytes(&mut self, len: usize) -> &'b [u8] {
        self.take(u32::try_from(len).unwrap_or(u32::MAX))
    }

    /// An unsigned varint of at most 64 bits.
    #[cfg(feature = "recorder")]
    pub(crate) fn number(&mut self) -> u64 {
        varint::zigzag64(self.read(varlong))
    }

    /// What has not been read.
    #[cfg(feature = "recorder")]
    pub(crate) const fn rest(&self) -> &'b [u8] {
        self.rest
    }

    /// A topic id.
    pub(crate) fn uuid(&mut self) -> TopicUuid {
        TopicUuid(self.array())
    }
}

/// The next `len` bytes. nom's own has a path to a panic, by `split_at`.
pub(crate) fn take(input: &[u8], len: u32) -> Parsed<'_, &[u8]> {
    let split = input.split_at_checked(len as usize);
    split.map(|(taken, rest)| (rest, taken)).ok_or(Err::Incomplete(Needed::Unknown))
}

/// An unsigned varint of at most 32 bits.
pub(crate) fn uvarint(input: &[u8]) -> Parsed<'_, u32> {
    let (mut input, mut value, mut shift) = (input, 0, 0);
    loop {
        let (rest, byte) = be_u8(input)?;
        input = rest;
        if shift == 28 && byte > 0x0f {
            return Err(BAD);
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok((input, value));
        }
        shift += 7;
    }
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
