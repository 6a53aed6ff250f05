//! Records of a batch that was not delivered, handed back. Per record, all numbers words: flags (1 key, 2 value, 4
//! timestamp), bytes of key and value, two words of a timestamp, the number of headers, the partition, two lengths for each
//! header (`u32::MAX`: null); then the bytes, up to a multiple of four. `js/returned.ts` reads them.

use klamm::RecordRef;

use crate::output::{halves, word};

/// An area that is filled from its beginning.
pub(crate) struct Returned<'a> {
    area: &'a mut [u8],
    used: usize,
    partition: i32,
}

impl<'a> Returned<'a> {
    pub(crate) const fn new(area: &'a mut [u8], partition: i32) -> Self {
        Self { area, used: 0, partition }
    }

    /// How many bytes these records take; `None` if there is no room for all of them.
    pub(crate) fn put_all<'r>(
        mut self,
        mut records: impl Iterator<Item = RecordRef<'r>>,
    ) -> Option<usize> {
        records.try_for_each(|record| self.put(&record))?;
        Some(self.used)
    }

    fn put(&mut self, record: &RecordRef<'_>) -> Option<()> {
        let RecordRef { key, value, .. } = *record;
        let flags = u32::from(key.is_some()) | u32::from(value.is_some()) << 1 | 4;
        self.number(flags)?;
        self.number(word(key.map_or(0, <[u8]>::len)))?;
        self.number(word(value.map_or(0, <[u8]>::len)))?;
        for half in halves(record.timestamp.as_millis().cast_unsigned()) {
            self.number(half)?;
        }
        self.number(word(record.headers.clone().count()))?;
        self.number(self.partition.cast_unsigned())?;
        for header in record.headers.clone() {
            self.number(word(header.key.len()))?;
            self.number(header.value.map_or(u32::MAX, |value| word(value.len())))?;
        }
        self.bytes(key.unwrap_or_default())?;
        self.bytes(value.unwrap_or_default())?;
        for header in record.headers.clone() {
            self.bytes(header.key.as_bytes())?;
            self.bytes(header.value.unwrap_or_default())?;
        }
        self.used = self.used.next_multiple_of(4);
        Some(())
    }

    fn number(&mut self, number: u32) -> Option<()> {
        self.bytes(&number.to_le_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.used + bytes.len();
        self.area.get_mut(self.used..end)?.copy_from_slice(bytes);
        self.used = end;
        Some(())
    }
}
