//! CRC-32C (Castagnoli) as Kafka's record batches carry it.

use crc::{CRC_32_ISCSI, Crc, Table};

#[cfg(not(feature = "fast-crc"))]
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
#[cfg(feature = "fast-crc")]
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The CRC-32C of `bytes`, by table.
pub fn crc32c(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}
