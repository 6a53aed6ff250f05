//! Values to bytes.

/// Writes fields behind each other, the frame's length first.
#[derive(Debug)]
pub(crate) struct Writer {
    out: Vec<u8>,
    flexible: bool,
}

impl Writer {
    /// A frame whose length is filled in by [`frame`](Self::frame).
    pub(crate) fn new(flexible: bool) -> Self {
        Self { out: vec![0; 4], flexible }
    }

    pub(crate) const fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// The whole frame. `None`: it is longer than a frame can be.
    pub(crate) fn frame(mut self) -> Option<Vec<u8>> {
        let length = i32::try_from(self.out.len().checked_sub(4)?).ok()?;
        self.out.get_mut(..4)?.copy_from_slice(&length.to_be_bytes());
        Some(self.out)
    }

    /// What was written, without a frame's length.
    pub(crate) fn plain() -> Self {
        Self { out: Vec::new(), flexible: true }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.out.push(value.into());
    }

    pub(crate) fn i8(&mut self, value: i8) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn uvarint(&mut self, value: u64) {
        let mut rest = value;
        while rest >= 0x80 {
            self.out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push((rest & 0x7f) as u8);
    }

    /// Zigzag, of 32 and of 64 bits: the same bytes.
    pub(crate) fn varint(&mut self, value: i64) {
        self.uvarint(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    /// At most 32,767 bytes of it, and whole characters: longer ones come from nobody.
    pub(crate) fn nullable_string(&mut self, value: Option<&str>) {
        let value = value.map(|value| cut(value, 32_767));
        if self.flexible {
            self.uvarint(value.map_or(0, |value| value.len() as u64 + 1));
        } else {
            self.i16(value.map_or(-1, |value| i16::try_from(value.len()).unwrap_or(i16::MAX)));
        }
        self.raw(value.unwrap_or_default().as_bytes());
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.raw(value);
    }

    /// An array's number of elements.
    pub(crate) fn count(&mut self, count: usize) {
        self.length(count);
    }

    /// No tagged fields, where there could be some.
    pub(crate) fn no_tags(&mut self) {
        if self.flexible {
            self.uvarint(0);
        }
    }

    fn length(&mut self, length: usize) {
        if self.flexible {
            self.uvarint(length as u64 + 1);
        } else {
            self.i32(i32::try_from(length).unwrap_or(i32::MAX));
        }
    }
}

/// At most so many bytes of the text, without half a character at the end.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
