//! Records as JavaScript stages them, one after the other; `js/staging.ts` writes them. All numbers are 32 bits wide,
//! little-endian, and each record begins at a multiple of four:
//!
//! | word | what |
//! |---|---|
//! | 0 | topic, and flags shifted by 16: 1 key, 2 value, 4 timestamp, 8 headers; codec + 1 shifted by 20 |
//! | 1 | partition, or -1 |
//! | 2 | bytes of the whole record here |
//! | 3, 4 | bytes of key and value |
//! | then | a timestamp of two words; the number of headers, and two lengths each (`u32::MAX`: null); the bytes |

use klamm::{Header, Record, Timestamp};

const KEY: u32 = 1 << 16;
const VALUE: u32 = 2 << 16;
const TIMESTAMP: u32 = 4 << 16;
const HEADERS: u32 = 8 << 16;
/// Words that every record has.
const HEAD: usize = 20;
/// The most headers that a record may have.
pub(crate) const HEADERS_MAX: usize = 256;

/// A record in the area.
pub(crate) struct Staged<'i> {
    pub(crate) topic: usize,
    pub(crate) partition: Option<i32>,
    /// As in Kafka's attributes, plus 1; 0 for the producer's own.
    pub(crate) codec: u32,
    /// Bytes of the area.
    pub(crate) size: usize,
    has_headers: bool,
    pub(crate) record: Record<'i>,
    rest: Reader<'i>,
}

impl<'i> Staged<'i> {
    /// The record at the area's beginning; `None` for what is none.
    pub(crate) fn read(area: &'i [u8]) -> Option<Self> {
        let mut head = Reader(area.get(..HEAD)?);
        let (flags, partition, size) = (head.word()?, head.word()?.cast_signed(), head.word()?);
        let (key, value) = (head.word()?, head.word()?);
        let size = size as usize;
        let mut rest = Reader(area.get(HEAD..size)?);
        let mut record = Record::null();
        if flags & TIMESTAMP != 0 {
            let millis = u64::from(rest.word()?) | u64::from(rest.word()?) << 32;
            record = record.with_timestamp(Timestamp::from_millis(millis.cast_signed()));
        }
        // Lengths of headers come before the key's bytes, which lie before the headers'.
        let mut at_bytes = Reader(rest.0);
        let has_headers = flags & HEADERS != 0;
        if has_headers {
            let count = at_bytes.word()? as usize;
            at_bytes.take(count.checked_mul(8)?)?;
        }
        record.key = if flags & KEY != 0 { Some(at_bytes.take(key as usize)?) } else { None };
        record.value = if flags & VALUE != 0 { Some(at_bytes.take(value as usize)?) } else { None };
        Some(Self {
            topic: (flags & 0xffff) as usize,
            partition: (partition >= 0).then_some(partition),
            codec: flags >> 20 & 0xf,
            size,
            has_headers,
            record,
            rest,
        })
    }

    /// Hands the record to `use_it`, with its headers; `None` where they are none.
    pub(crate) fn with_headers<T>(&self, use_it: impl FnOnce(&Record<'_>) -> T) -> Option<T> {
        if !self.has_headers {
            return Some(use_it(&self.record));
        }
        let mut headers = [Header { key: "", value: None }; HEADERS_MAX];
        let mut lengths = Reader(self.rest.0);
        let count = lengths.word()? as usize;
        let places = headers.get_mut(..count)?;
        let mut bytes = Reader(lengths.0);
        bytes.take(count * 8)?;
        let before =
            self.record.key.map_or(0, <[u8]>::len) + self.record.value.map_or(0, <[u8]>::len);
        bytes.take(before)?;
        for place in &mut *places {
            let (key, value) = (lengths.word()?, lengths.word()?);
            place.key = str::from_utf8(bytes.take(key as usize)?).ok()?;
            place.value = if value == u32::MAX { None } else { Some(bytes.take(value as usize)?) };
        }
        Some(use_it(&self.record.with_headers(places)))
    }
}

/// A cursor.
struct Reader<'i>(&'i [u8]);

impl<'i> Reader<'i> {
    fn word(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*word))
    }

    fn take(&mut self, len: usize) -> Option<&'i [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with everything, as `js/staging.ts` writes it.
    fn staged() -> Vec<u8> {
        let head = [7 | 0xf << 16 | 3 << 20, 5, 62, 1, 2, 1_000, 1, 2, 1, 1, 2, u32::MAX];
        let mut bytes: Vec<u8> = head.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(b"kvvaXbc");
        let len = u32::try_from(bytes.len()).expect("short");
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        bytes
    }

    #[test]
    fn reads_what_was_staged() {
        let bytes = staged();
        let staged = Staged::read(&bytes).expect("a record");
        assert_eq!((staged.topic, staged.partition, staged.codec), (7, Some(5), 3));
        assert_eq!(staged.size, bytes.len());
        let seen = staged.with_headers(|record| {
            assert_eq!((record.key, record.value), (Some(&b"k"[..]), Some(&b"vv"[..])));
            assert_eq!(record.timestamp, Some(Timestamp::from_millis(1_000 + (1 << 32))));
            record
                .headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect::<Vec<_>>()
        });
        let expected = vec![("a".to_owned(), Some(b"X".to_vec())), ("bc".to_owned(), None)];
        assert_eq!(seen, Some(expected));
    }

    #[test]
    fn what_is_cut_off_is_no_record() {
        let bytes = staged();
        for len in 0..bytes.len() {
            assert!(Staged::read(&bytes[..len]).is_none(), "{len} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        let bytes = staged();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                if let Some(staged) = Staged::read(&bytes) {
                    staged.with_headers(|record| assert!(record.headers.len() <= HEADERS_MAX));
                }
            }
        }
    }
}
