//! What stands around DEFLATE in a gzip member (RFC 1952).

use crc::{CRC_32_ISO_HDLC, Crc, Table};

static CRC32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// Magic, method 8, no flags, no time, no extra flags, unknown system: the same bytes everywhere.
pub(super) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// CRC-32 and length of the plain bytes, little-endian.
pub(super) const TRAILER: usize = 8;

/// Writes a member whose stream `deflate` writes; `None`: `output` is too short.
pub(super) fn wrap(
    input: &[u8],
    output: &mut [u8],
    deflate: impl FnOnce(&[u8], &mut [u8]) -> Option<usize>,
) -> Option<usize> {
    let (head, body) = output.split_first_chunk_mut()?;
    *head = HEAD;
    let len = deflate(input, body)?;
    let trailer = body.get_mut(len..)?.first_chunk_mut::<TRAILER>()?;
    *trailer = trailer_of(input);
    Some(HEAD.len() + len + TRAILER)
}

/// Reads a member without optional fields, whose stream `inflate` expands: it returns bytes used and bytes written.
/// `None`: not such a member, damaged, or `output` is too short.
pub(super) fn unwrap(
    input: &[u8],
    output: &mut [u8],
    inflate: impl FnOnce(&[u8], &mut [u8]) -> Option<(usize, usize)>,
) -> Option<usize> {
    let (head, body) = input.split_first_chunk::<{ HEAD.len() }>()?;
    let [0x1f, 0x8b, 8, 0, ..] = head else { return None };
    let (used, len) = inflate(body, output)?;
    let plain = output.get(..len)?;
    (body.get(used..)? == trailer_of(plain)).then_some(len)
}

fn trailer_of(plain: &[u8]) -> [u8; TRAILER] {
    // RFC 1952: the length modulo 2^32.
    let len = (plain.len() as u64 & 0xffff_ffff) << 32;
    (u64::from(CRC32.checksum(plain)) | len).to_le_bytes()
}
