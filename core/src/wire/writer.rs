//! A bounded cursor: what does not fit is an error value, asked for once at the end.

use super::api::{ApiKey, is_flexible};
use super::varint;
use crate::id::TopicUuid;
use crate::storage::copy;

/// What every request starts with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestHeader<'h> {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    pub(crate) client_id: &'h [u8],
}

impl RequestHeader<'_> {
    /// Do compact strings and tagged fields apply (KIP-482)?
    pub(crate) const fn flexible(&self) -> bool {
        is_flexible(self.api, self.version)
    }
}

/// Writes forward into a slice.
pub(crate) struct Writer<'b> {
    out: &'b mut [u8],
    len: usize,
    overflow: bool,
}

impl<'b> Writer<'b> {
    /// A writer at the start of `out`.
    #[inline]
    pub(crate) const fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0, overflow: false }
    }

    /// A writer after the header of a request, for [`finish_request`](Self::finish_request).
    pub(crate) fn request(out: &'b mut [u8], header: &RequestHeader<'_>) -> Self {
        let mut writer = Self::new(out);
        writer.put_i32(0);
        writer.put_i16(header.api as i16);
        writer.put_i16(header.version);
        writer.put_i32(header.correlation);
        // Not compact even in flexible versions, so that any broker can read any header (KIP-482).
        writer.put_string(Some(header.client_id), false);
        writer.put_tags(header.flexible());
        writer
    }

    /// Bytes written, if all of them fitted.
    #[inline]
    pub(crate) const fn finish(self) -> Option<usize> {
        if self.overflow { None } else { Some(self.len) }
    }

    /// Bytes of the whole frame, if they fitted; puts in its size.
    pub(crate) fn finish_request(self) -> Option<usize> {
        let size = i32::try_from(self.len.checked_sub(4)?).ok()?;
        *self.out.first_chunk_mut()? = size.to_be_bytes();
        self.finish()
    }

    /// Makes [`finish`](Self::finish) fail: for what the request cannot say.
    pub(crate) const fn fail(&mut self) {
        self.overflow = true;
    }

    #[inline]
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        let room = self.out.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len()));
        match room {
            Some(room) => {
                copy(room, bytes);
                self.len += bytes.len();
            }
            None => self.overflow = true,
        }
    }

    #[inline]
    pub(crate) fn put_u8(&mut self, value: u8) {
        match self.out.get_mut(self.len) {
            Some(room) => {
                *room = value;
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }

    pub(crate) fn put_bool(&mut self, value: bool) {
        self.put_u8(u8::from(value));
    }

    pub(crate) fn put_i16(&mut self, value: i16) {
        self.put_bytes(&value.to_be_bytes());
    }

    pub(crate) fn put_i32(&mut self, value: i32) {
        self.put_bytes(&value.to_be_bytes());
    }

    pub(crate) fn put_i64(&mut self, value: i64) {
        self.put_bytes(&value.to_be_bytes());
    }

    #[inline]
    pub(crate) fn put_uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8((value & 0x7f) as u8);
    }

    #[inline]
    pub(crate) fn put_varint(&mut self, value: i32) {
        self.put_uvarint(varint::zigzag(value));
    }

    #[inline]
    pub(crate) fn put_varlong(&mut self, value: i64) {
        // Most are small, and 64-bit shifts are dear on a Cortex-M3.
        match i32::try_from(value) {
            Ok(small) => self.put_varint(small),
            Err(_) => self.put_bytes(varint::encode(varint::zigzag64(value), &mut [0; 10])),
        }
    }

    /// A string or null: `flexible` chooses the compact form.
    pub(crate) fn put_string(&mut self, text: Option<&[u8]>, flexible: bool) {
        match (text, flexible) {
            (None, true) => self.put_u8(0),
            (None, false) => self.put_i16(-1),
            (Some(text), true) => {
                self.put_count(text.len(), true);
                self.put_bytes(text);
            }
            (Some(text), false) => {
                match i16::try_from(text.len()) {
                    Ok(len) => self.put_i16(len),
                    Err(_) => self.overflow = true,
                }
                self.put_bytes(text);
            }
        }
    }

    /// The number of elements of an array: `flexible` chooses the compact form.
    pub(crate) fn put_count(&mut self, count: usize, flexible: bool) {
        match i32::try_from(count) {
            Ok(count) if flexible => self.put_uvarint(count.cast_unsigned() + 1),
            Ok(count) => self.put_i32(count),
            Err(_) => self.overflow = true,
        }
    }

    pub(crate) fn put_uuid(&mut self, id: &TopicUuid) {
        self.put_bytes(&id.0);
    }

    /// An empty section of tagged fields, where the version has them.
    pub(crate) fn put_tags(&mut self, flexible: bool) {
        if flexible {
            self.put_u8(0);
        }
    }
}
