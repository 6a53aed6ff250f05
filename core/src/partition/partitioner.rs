//! From a key to a partition, as Java's default partitioner does it.

/// The partition of a record with this key, 0 when there are none (`count` below 1).
///
/// The same key goes to the same partition as from Java, as long as the number of partitions stays the same.
pub(crate) fn partition_for_key(key: &[u8], count: i32) -> i32 {
    // Java's `toPositive` drops the sign bit; it does not negate.
    (murmur2(key) & 0x7fff_ffff).cast_signed().checked_rem(count.max(0)).unwrap_or(0)
}

/// Murmur hash 2 with Kafka's seed.
pub(crate) fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    let len = (bytes.len() as u64 & 0xffff_ffff) as u32;
    let mut hash = SEED ^ len;
    let (words, rest) = bytes.as_chunks::<4>();
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

#[cfg(test)]
mod tests {
    use super::{murmur2, partition_for_key};

    /// Hashes and partitions of 12 by `Utils.murmur2` and `BuiltInPartitioner` of kafka-clients 4.3.0.
    #[test]
    fn keys_go_where_java_sends_them() {
        for (key, hash, partition) in [
            (&b""[..], 0x106e_08d9, 9),
            (b"21", 0xc5f2_f8ec, 0),
            (b"foobar", 0xd0e4_7bbe, 6),
            (b"kafka", 0xd067_cf64, 4),
            (b"abc", 0x1c94_221b, 3),
            (&[0, 0x80, 0xff], 0x2adb_27dd, 5),
            (b"giberish123456789", 0x8f55_2b0c, 8),
            (b"a-little-bit-long-string", 0xc53b_1da0, 8),
        ] {
            assert_eq!(murmur2(key), hash);
            assert_eq!(partition_for_key(key, 12), partition);
            assert_eq!(partition_for_key(key, 1), 0);
            assert_eq!(partition_for_key(key, 0), 0);
            assert_eq!(partition_for_key(key, -1), 0);
        }
    }
}
