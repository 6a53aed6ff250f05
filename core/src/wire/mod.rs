//! Bytes to values and back: no state of the producer, no time.

pub(crate) mod crc;
