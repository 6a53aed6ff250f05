//! Bytes to values, by nom's functions called one after the other.

use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_i8, be_i16, be_i32, be_i64, be_u8};

/// The bytes are not what the protocol says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

/// Reads fields off the front of some bytes.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// `flexible`: lengths are compact, and structs end with tagged fields.
    pub(crate) const fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self { rest: bytes, flexible }
    }

    /// Headers and bodies do not always agree in it.
    pub(crate) const fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// There must be nothing left.
    pub(crate) const fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.i8()? != 0)
    }

    pub(crate) fn i8(&mut self) -> Result<i8, Malformed> {
        self.apply(be_i8)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Malformed> {
        self.apply(be_i16)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Malformed> {
        self.apply(be_i32)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Malformed> {
        self.apply(be_i64)
    }

    /// Base 128, lowest group first: at most five bytes, and no more than 32 bits.
    pub(crate) fn uvarint(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.base_128(5)?).map_err(|_| Malformed)
    }

    /// Zigzag, as in records.
    pub(crate) fn varint(&mut self) -> Result<i32, Malformed> {
        let raw = self.uvarint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// Zigzag, 64 bits.
    pub(crate) fn varlong(&mut self) -> Result<i64, Malformed> {
        let raw = self.base_128(10)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        self.apply(take(length))
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_string()?.ok_or(Malformed)
    }

    pub(crate) fn nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = if self.flexible { self.compact()? } else { length(self.i16()?.into())? };
        let Some(length) = length else { return Ok(None) };
        str::from_utf8(self.take(length)?).map(Some).map_err(|_| Malformed)
    }

    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let length = if self.flexible { self.compact()? } else { length(self.i32()?)? };
        length.map(|length| self.take(length)).transpose()
    }

    /// The number of elements of an array, each of at least `smallest` bytes: more than can be there
    /// are an error before anything was made for them.
    pub(crate) fn count(&mut self, smallest: usize) -> Result<Option<usize>, Malformed> {
        let count = if self.flexible { self.compact()? } else { length(self.i32()?)? };
        match count {
            Some(count) if count > self.rest.len() / smallest.max(1) => Err(Malformed),
            count => Ok(count),
        }
    }

    /// Skips the tagged fields that end a struct in flexible versions.
    pub(crate) fn tags(&mut self) -> Result<(), Malformed> {
        self.tags_with(|_, _| Ok(()))
    }

    /// Shows each tagged field.
    pub(crate) fn tags_with(
        &mut self,
        mut see: impl FnMut(u32, &'a [u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        let mut last = None;
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            if last.is_some_and(|last| tag <= last) {
                return Err(Malformed);
            }
            last = Some(tag);
            let size = usize::try_from(self.uvarint()?).map_err(|_| Malformed)?;
            see(tag, self.take(size)?)?;
        }
        Ok(())
    }

    /// A compact length: one more than it is, 0 for null.
    fn compact(&mut self) -> Result<Option<usize>, Malformed> {
        let length = usize::try_from(self.uvarint()?).map_err(|_| Malformed)?;
        Ok(length.checked_sub(1))
    }

    fn base_128(&mut self, most: u32) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for group in 0..most {
            let byte = self.apply(be_u8)?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * group);
            if shifted >> (7 * group) != bits {
                return Err(Malformed);
            }
            value |= shifted;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn apply<T>(
        &mut self,
        parse: impl FnOnce(&'a [u8]) -> IResult<&'a [u8], T, ()>,
    ) -> Result<T, Malformed> {
        let (rest, value) = parse(self.rest).map_err(|_| Malformed)?;
        self.rest = rest;
        Ok(value)
    }
}

/// A plain length, where -1 is null and no other number is below 0.
fn length(length: i32) -> Result<Option<usize>, Malformed> {
    if length == -1 {
        return Ok(None);
    }
    usize::try_from(length).map(Some).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_bounded() {
        let read = |bytes: &[u8]| Reader::new(bytes, true).uvarint();
        assert_eq!(read(&[0xac, 0x02]), Ok(300));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(Malformed));
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), Err(Malformed));
        assert_eq!(read(&[0x80]), Err(Malformed));
        let long = |bytes: &[u8]| Reader::new(bytes, true).varlong();
        assert_eq!(long(&[0xff; 9].map(|b| b)), Err(Malformed));
        let mut least = [0xff; 10];
        least[9] = 0x01;
        assert_eq!(long(&least), Ok(i64::MIN));
        least[9] = 0x03;
        assert_eq!(long(&least), Err(Malformed));
        assert_eq!(Reader::new(&[0x01], true).varint(), Ok(-1));
    }

    #[test]
    fn a_count_of_what_cannot_be_there_is_an_error() {
        let bytes = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(Reader::new(&bytes, false).count(1), Err(Malformed));
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1, 2], false).count(1), Ok(Some(2)));
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1, 2], false).count(2), Err(Malformed));
        assert_eq!(Reader::new(&[0xff; 4], false).count(1), Ok(None));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xfe], false).count(1), Err(Malformed));
    }

    #[test]
    fn tags_ascend() {
        assert_eq!(Reader::new(&[2, 0, 1, 9, 1, 0], true).tags(), Ok(()));
        assert_eq!(Reader::new(&[2, 1, 1, 9, 1, 0], true).tags(), Err(Malformed));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f], true).tags(), Err(Malformed));
    }

    #[test]
    fn strings_are_utf_8() {
        assert_eq!(Reader::new(&[0, 2, 0xc3, 0x28], false).string(), Err(Malformed));
        assert_eq!(Reader::new(&[3, b'h', b'i'], true).string(), Ok("hi"));
        assert_eq!(Reader::new(&[0], true).nullable_string(), Ok(None));
        assert_eq!(Reader::new(&[0], true).string(), Err(Malformed));
    }
}
