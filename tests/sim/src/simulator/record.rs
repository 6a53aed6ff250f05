//! Records whose number can be read back from the log, whatever else they hold.

use klamm::{Header, Record, Timestamp};

use crate::cluster::LoggedRecord;
use crate::dice::Dice;

const NUMBER: &str = "number";

/// What a record of the simulation says. Its number is the first 8 bytes of its value or, where the
/// value is null or shorter, a header.
#[derive(Clone, PartialEq, Eq)]
pub struct Sample {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The timestamp in Unix milliseconds; `None`: the producer's clock.
    pub timestamp: Option<i64>,
}

/// Sizes only: the bytes say nothing.
impl core::fmt::Debug for Sample {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
        f.debug_struct("Sample")
            .field("key", &size(&self.key))
            .field("value", &size(&self.value))
            .field("headers", &self.headers.len())
            .field("timestamp", &self.timestamp)
            .finish()
    }
}

impl Sample {
    /// A record with no key, no header, and a value of `size` bytes, at least 8.
    pub fn plain(number: u64, size: usize) -> Self {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(size.max(8), b'.');
        Self { key: None, value: Some(value), headers: Vec::new(), timestamp: None }
    }

    /// Any record: with and without key and headers, empty, null, up to `largest` bytes of value.
    pub fn any(number: u64, largest: usize, dice: &mut Dice) -> Self {
        let mut sample = Self::plain(number, 8 + dice.below(largest.max(1)));
        match dice.below(10) {
            0 => sample.value = None,
            1 => sample.value = Some(Vec::new()),
            _ => {}
        }
        if sample.value.as_ref().is_none_or(|v| v.len() < 8) {
            let header = Some(number.to_be_bytes().to_vec());
            sample.headers.push((NUMBER.to_owned(), header));
        }
        if dice.chance(200) {
            sample.headers.push(("unit".to_owned(), None));
            sample.headers.push((String::new(), Some(b"celsius".to_vec())));
        }
        match dice.below(4) {
            0 => sample.key = Some(format!("sensor-{}", dice.below(20)).into_bytes()),
            1 if dice.chance(100) => sample.key = Some(Vec::new()),
            _ => {}
        }
        if dice.chance(300) {
            sample.timestamp = Some(1_690_000_000_000 + i64::from(dice.chance(500)));
        }
        sample
    }

    /// Bytes of key, value and headers.
    pub fn bytes(&self) -> u64 {
        let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter().map(|(key, value)| key.len() + size(value));
        (size(&self.key) + size(&self.value) + headers.sum::<usize>()) as u64
    }

    /// Calls `send` with the record that this describes.
    pub fn with<T>(&self, send: impl FnOnce(&Record<'_>) -> T) -> T {
        let headers: Vec<Header<'_>> = self
            .headers
            .iter()
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        let mut record = match &self.value {
            Some(value) => Record::value(value),
            None => Record::null(),
        };
        if let Some(key) = &self.key {
            record = record.with_key(key);
        }
        if let Some(timestamp) = self.timestamp {
            record = record.with_timestamp(Timestamp::from_millis(timestamp));
        }
        send(&record.with_headers(&headers))
    }

    /// The number of a record in a log; `u64::MAX` if it has none.
    pub fn number(record: &LoggedRecord) -> u64 {
        let header = record.headers.iter().find(|(key, _)| key.as_ref() == NUMBER.as_bytes());
        let header = header.and_then(|(_, value)| value.as_deref());
        let bytes = header.or(record.value.as_deref());
        let number = bytes.and_then(|bytes| bytes.first_chunk::<8>());
        number.map_or(u64::MAX, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Is this what the log holds?
    ///
    /// # Errors
    /// Says what differs.
    pub fn check(&self, record: &LoggedRecord) -> Result<(), String> {
        if record.key.as_deref() != self.key.as_deref() {
            return Err(format!("the key was {:?}, is {:?}", self.key, record.key));
        }
        if record.value.as_deref() != self.value.as_deref() {
            return Err(format!("the value was {:?}, is {:?}", self.value, record.value));
        }
        let was = self.headers.iter().map(|(key, value)| (key.as_bytes(), value.as_deref()));
        let is = record.headers.iter().map(|(key, value)| (key.as_ref(), value.as_deref()));
        if !was.eq(is) {
            return Err(format!("the headers were {:?}, are {:?}", self.headers, record.headers));
        }
        match self.timestamp {
            Some(timestamp) if timestamp != record.timestamp => {
                Err(format!("the timestamp was {timestamp}, is {}", record.timestamp))
            }
            _ => Ok(()),
        }
    }
}
