//! Hashes of keys, bit for bit as other producers compute them.

use crc::{CRC_32_ISO_HDLC, Crc};

/// Murmur hash 2 with Kafka's seed, as Java and librdkafka's `murmur2` use it.
pub fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    let len = (key.len() as u64 & 0xffff_ffff) as u32;
    let mut hash = SEED ^ len;
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// CRC-32 as in zlib, which librdkafka's `consistent` and ruby-kafka use.
pub fn crc32(key: &[u8]) -> u32 {
    static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    CRC.checksum(key)
}

/// FNV-1a of 32 bits, made positive as Sarama does it: what librdkafka's `fnv1a` uses.
pub fn fnv1a(key: &[u8]) -> u32 {
    let hash = key
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::{crc32, fnv1a, murmur2};

    /// By `Utils.murmur2` of kafka-clients 4.3.0.
    #[test]
    fn ck_16_murmur2_is_javas() {
        for (key, hash) in [
            (&b""[..], 0x106e_08d9),
            (b"21", 0xc5f2_f8ec),
            (b"foobar", 0xd0e4_7bbe),
            (b"kafka", 0xd067_cf64),
            (b"abc", 0x1c94_221b),
            (&[0, 0x80, 0xff], 0x2adb_27dd),
            (b"giberish123456789", 0x8f55_2b0c),
            (b"a-little-bit-long-string", 0xc53b_1da0),
        ] {
            assert_eq!(murmur2(key), hash, "{key:?}");
        }
    }

    /// By librdkafka's `tests/java/Murmur2Cli` (its test 0048), which prints what is left of the sign bit.
    #[test]
    fn ck_16_murmur2_is_librdkafkas() {
        for (key, hash) in [
            (&b""[..], 0x106e_08d9),
            (b"23456", 0x058d_780f),
            (b"this is another string with more length to it perhaps", 0x4f77_03da),
            (b"hejsan", 0x5ec1_9395),
        ] {
            assert_eq!(murmur2(key) & 0x7fff_ffff, hash, "{key:?}");
        }
    }

    /// By macOS's `crc32` (librdkafka's test 0048) and by Ruby's `Zlib.crc32`.
    #[test]
    fn crc32_is_librdkafkas_and_rubys() {
        for (key, hash) in [
            (&b""[..], 0),
            (b"23456", 0xb1b4_51d7),
            (b"this is another string with more length to it perhaps", 0xb015_0df7),
            (b"hejsan", 0xd077_037e),
            (b"123456789", 0xcbf4_3926),
            (b"21", 0xfd77_46b4),
        ] {
            assert_eq!(crc32(key), hash, "{key:?}");
        }
    }

    /// By Go's `hash/fnv` as Sarama uses it: the unit test of librdkafka's `rdfnv1a.c`.
    #[test]
    fn fnv1a_is_saramas() {
        for (key, hash) in [
            (&b"kafka"[..], 0x0d33_c4e1),
            (b"giberish123456789", 0x77a5_8295),
            (b"1234", 0x023b_dd03),
            (b"234", 0x2dea_3cd2),
            (b"34", 0x740f_a83e),
            (b"4", 0x310c_a263),
            (b"PreAmbleWillBeRemoved,ThePrePartThatIs", 0x65cb_d69c),
            (b"reAmbleWillBeRemoved,ThePrePartThatIs", 0x6e49_c79a),
            (b"eAmbleWillBeRemoved,ThePrePartThatIs", 0x69ee_d356),
            (b"AmbleWillBeRemoved,ThePrePartThatIs", 0x6abc_c023),
            (b"", 0x7ee3_623b),
        ] {
            assert_eq!(fnv1a(key), hash, "{key:?}");
        }
    }
}
