//! Records, made before the measurement: one is a slice of memory, whatever the client.

use crate::Params;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::Write as _;

const KEY_BYTES: usize = 8;

/// The values and keys that records are made of.
#[derive(Debug)]
pub struct Values {
    bytes: Vec<u8>,
    size: usize,
    /// How many different values there are, a power of two, - 1.
    mask: u64,
    keys: Vec<u8>,
    key_count: u64,
}

impl Values {
    pub(crate) fn load(params: &Params) -> Result<Self> {
        let path = &params.values;
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let count = bytes.len() / params.size.max(1);
        ensure!(count > 0, "{} has fewer than {} bytes", path.display(), params.size);
        let keys = (0..params.keys).flat_map(|key| format!("{key:0KEY_BYTES$}").into_bytes());
        Ok(Self {
            bytes,
            size: params.size,
            mask: (1 << count.ilog2()) - 1,
            keys: keys.collect(),
            key_count: params.keys,
        })
    }

    #[inline]
    fn value(&self, number: u64) -> &[u8] {
        let start = (number & self.mask) as usize * self.size;
        &self.bytes[start..start + self.size]
    }

    /// Spread over the keys as evenly as in turn, without an order that partitions could fall in
    /// step with.
    #[inline]
    fn key(&self, number: u64) -> Option<&[u8]> {
        if self.key_count == 0 {
            return None;
        }
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let start = ((spread * self.key_count) >> 32) as usize * KEY_BYTES;
        Some(&self.keys[start..start + KEY_BYTES])
    }

    /// The value with its record's number in front.
    pub(crate) fn number(&self, number: u64, scratch: &mut Vec<u8>) {
        scratch.clear();
        // A Vec takes whatever is written.
        let _ = write!(scratch, "{number:010}");
        scratch.extend_from_slice(self.value(number).get(10..).unwrap_or_default());
    }
}

/// A record to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Out<'v> {
    /// Its value.
    pub value: &'v [u8],
    /// Its key, if records have keys.
    pub key: Option<&'v [u8]>,
    /// With a rate: when it was due, for [`Tally::acked_due`](crate::Tally::acked_due).
    pub due: Option<u64>,
}

/// Records handed over at once.
#[derive(Debug)]
pub struct Group<'v> {
    pub(crate) values: &'v Values,
    pub(crate) numbered: Option<&'v [u8]>,
    pub(crate) next: u64,
    pub(crate) left: u64,
    pub(crate) step: u64,
    pub(crate) start: u64,
    pub(crate) rate: Option<u64>,
}

impl<'v> Iterator for Group<'v> {
    type Item = Out<'v>;

    #[inline]
    fn next(&mut self) -> Option<Out<'v>> {
        self.left = self.left.checked_sub(1)?;
        let number = self.next;
        self.next += self.step;
        Some(Out {
            value: self.numbered.unwrap_or_else(|| self.values.value(number)),
            key: self.values.key(number),
            due: self.rate.map(|rate| self.start + number * 1_000_000 / rate),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}
