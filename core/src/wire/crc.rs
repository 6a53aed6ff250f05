//! CRC-32C (Castagnoli) as Kafka's record batches carry it.

#[cfg(any(feature = "crc-table", feature = "fast-crc"))]
use crc::{CRC_32_ISCSI, Crc, Table};

#[cfg(all(feature = "crc-table", not(feature = "fast-crc")))]
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);
#[cfg(feature = "fast-crc")]
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The CRC-32C of `bytes`, by table.
#[cfg(any(feature = "crc-table", feature = "fast-crc"))]
pub fn crc32c(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The CRC-32C of `bytes`, by table.
#[cfg(not(any(feature = "crc-table", feature = "fast-crc")))]
pub fn crc32c(bytes: &[u8]) -> u32 {
    by_nibbles(bytes)
}

/// Half a byte at a time: a table of 64 bytes, and four times as fast as bit by bit, all that crates have of this size.
#[cfg(any(test, not(any(feature = "crc-table", feature = "fast-crc"))))]
fn by_nibbles(bytes: &[u8]) -> u32 {
    static TABLE: [u32; 16] = nibbles();
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
        crc = crc >> 4 ^ TABLE[(crc & 15) as usize];
    }
    !crc
}

#[cfg(any(test, not(any(feature = "crc-table", feature = "fast-crc"))))]
const fn nibbles() -> [u32; 16] {
    /// The polynomial, its bits reversed.
    const CASTAGNOLI: u32 = 0x82f6_3b78;
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut crc = nibble;
        let mut bit = 0;
        while bit < 4 {
            crc = if crc & 1 == 1 { crc >> 1 ^ CASTAGNOLI } else { crc >> 1 };
            bit += 1;
        }
        table[nibble as usize] = crc;
        nibble += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_all_sizes_agree() {
        // The check value of CRC-32/ISCSI in the catalogue of CRCs.
        assert_eq!(by_nibbles(b"123456789"), 0xe306_9283);
        let bytes: [u8; 256] = core::array::from_fn(|place| place.to_le_bytes()[0].wrapping_mul(7));
        for length in 0..bytes.len() {
            assert_eq!(by_nibbles(&bytes[..length]), crc32c(&bytes[..length]), "{length} bytes");
        }
    }
}
