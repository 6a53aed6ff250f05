//! Base-128 numbers, little-endian groups, the high bit says "more"; signed ones zigzag first.

/// Most bytes of an unsigned 64-bit varint.
pub(crate) const MAX_U64: usize = 10;

/// Small magnitudes to small numbers: 0, -1, 1, -2, ... to 0, 1, 2, 3, ...
#[inline]
pub(crate) const fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

/// Back from [`zigzag`].
#[inline]
pub(crate) const fn unzigzag(value: u32) -> i32 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// [`zigzag`] for 64 bits.
#[inline]
pub(crate) const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Back from [`zigzag64`].
#[inline]
pub(crate) const fn unzigzag64(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Bytes of an unsigned varint.
#[inline]
pub(crate) const fn uvarint_len(value: u32) -> usize {
    // A byte holds 7 of the number's bits: the multiplication is a division by 7 that is exact up to 64 bits.
    ((32 - (value | 1).leading_zeros()) * 9 + 64) as usize / 64
}

/// Bytes of a signed varint.
#[inline]
pub(crate) const fn varint_len(value: i32) -> usize {
    uvarint_len(zigzag(value))
}

/// Bytes of a signed 64-bit varint.
#[inline]
pub(crate) const fn varlong_len(value: i64) -> usize {
    ((64 - (zigzag64(value) | 1).leading_zeros()) * 9 + 64) as usize / 64
}

/// The varint of `value` in `buf`.
pub(crate) fn encode(mut value: u64, buf: &mut [u8; MAX_U64]) -> &[u8] {
    let mut len = 0;
    for byte in buf.iter_mut() {
        len += 1;
        *byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    buf.get(..len).unwrap_or_default()
}
