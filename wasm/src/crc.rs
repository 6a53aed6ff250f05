//! CRC-32C, eight bytes at a time. The core's own table for that is 16 KiB of noise, which no gzip makes smaller; these
//! tables are computed at the start.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Castagnoli's polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Atomic only because a `static` has to be: a plain load in a module with one thread.
static TABLES: [[AtomicU32; 256]; 8] = [const { [const { AtomicU32::new(0) }; 256] }; 8];

/// Fills the tables; before the first checksum.
pub(crate) fn prepare() {
    for byte in 0..=255_u8 {
        let mut crc = u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
        }
        TABLES[0][usize::from(byte)].store(crc, Relaxed);
    }
    for byte in 0..=255_u8 {
        let mut crc = look(0, u32::from(byte));
        for table in &TABLES[1..] {
            crc = look(0, crc) ^ crc >> 8;
            table[usize::from(byte)].store(crc, Relaxed);
        }
    }
}

/// For `Config::crc32c`.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = !0_u32;
    for &[a, b, c, d, e, f, g, h] in words {
        let low = crc ^ u32::from_le_bytes([a, b, c, d]);
        let high = u32::from_le_bytes([e, f, g, h]);
        crc = look(7, low) ^ look(6, low >> 8) ^ look(5, low >> 16) ^ look(4, low >> 24);
        crc ^= look(3, high) ^ look(2, high >> 8) ^ look(1, high >> 16) ^ look(0, high >> 24);
    }
    for byte in rest {
        crc = look(0, crc ^ u32::from(*byte)) ^ crc >> 8;
    }
    !crc
}

/// The entry for the low byte of `value`.
fn look(table: usize, value: u32) -> u32 {
    TABLES[table][(value & 0xff) as usize].load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_core() {
        prepare();
        assert_eq!(crc32c(b"123456789"), 0xe306_9283, "the check value of CRC-32C");
        let bytes: Vec<u8> = (0..1_000_u32).map(|n| (n * n).to_le_bytes()[1]).collect();
        for len in (0..40).chain([999, 1_000]) {
            assert_eq!(crc32c(&bytes[..len]), klamm::crc32c(&bytes[..len]), "{len} bytes");
        }
    }
}
