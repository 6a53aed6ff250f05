//! Undoing compression as strictly as Kafka's Java readers do. Only decoders, and in pure Rust.

use bytes::Bytes;
use std::io::Read;

/// The data is not what its codec asks for, or larger than allowed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undecodable;

/// The records behind `data`, at most `limit` bytes.
pub(super) fn decompress(codec: i16, data: &Bytes, limit: usize) -> Result<Bytes, Undecodable> {
    match codec {
        0 => Ok(data.clone()),
        1 => gzip(data, limit),
        2 => snappy(data, limit),
        3 => lz4(data, limit),
        4 => zstd(data, limit),
        _ => Err(Undecodable),
    }
}

/// Any number of members; what follows the last one is ignored if it is no member.
fn gzip(mut data: &[u8], limit: usize) -> Result<Bytes, Undecodable> {
    let mut out = Vec::new();
    loop {
        let mut member = flate2::bufread::GzDecoder::new(data);
        if member.header().is_none() && !out.is_empty() {
            return Ok(out.into());
        }
        read_all(&mut member, &mut out, limit)?;
        data = member.into_inner();
        if data.is_empty() {
            return Ok(out.into());
        }
    }
}

/// Xerial's framing or one bare block.
fn snappy(data: &[u8], limit: usize) -> Result<Bytes, Undecodable> {
    const XERIAL: &[u8] = b"\x82SNAPPY\0";
    const XERIAL_HEADER: usize = 16;
    let mut out = Vec::new();
    if !data.starts_with(XERIAL) {
        snappy_block(data, &mut out, limit)?;
        return Ok(out.into());
    }
    let mut rest = data.get(XERIAL_HEADER..).ok_or(Undecodable)?;
    while !rest.is_empty() {
        let (size, after) = rest.split_first_chunk::<4>().ok_or(Undecodable)?;
        let size = usize::try_from(i32::from_be_bytes(*size)).map_err(|_| Undecodable)?;
        let (block, after) = after.split_at_checked(size).ok_or(Undecodable)?;
        snappy_block(block, &mut out, limit)?;
        rest = after;
    }
    Ok(out.into())
}

fn snappy_block(block: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Undecodable> {
    let size = snap::raw::decompress_len(block).map_err(|_| Undecodable)?;
    let start = out.len();
    // A snappy block cannot grow by more than a copy of 64 bytes for every 3 it has.
    if size > limit.saturating_sub(start) || size > block.len().saturating_mul(64) {
        return Err(Undecodable);
    }
    out.resize(start + size, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]);
    if written.is_ok_and(|n| n == size) { Ok(()) } else { Err(Undecodable) }
}

/// One frame of independent blocks with an end mark; a second frame is not read.
fn lz4(data: &[u8], limit: usize) -> Result<Bytes, Undecodable> {
    const MAGIC: &[u8] = &[0x04, 0x22, 0x4d, 0x18];
    const INDEPENDENT_BLOCKS: u8 = 1 << 5;
    let flags = *data.get(MAGIC.len()).ok_or(Undecodable)?;
    if !data.starts_with(MAGIC) || flags & INDEPENDENT_BLOCKS == 0 || !lz4_ends(data, flags) {
        return Err(Undecodable);
    }
    let mut out = Vec::new();
    read_all(&mut lz4_flex::frame::FrameDecoder::new(data), &mut out, limit)?;
    Ok(out.into())
}

/// Is there an end mark? The decoder used takes the end of the data for one.
fn lz4_ends(data: &[u8], flags: u8) -> bool {
    const CONTENT_SIZE: u8 = 1 << 3;
    const BLOCK_CHECKSUM: u8 = 1 << 4;
    let mut at = if flags & CONTENT_SIZE == 0 { 7 } else { 15 };
    let checksum = if flags & BLOCK_CHECKSUM == 0 { 0 } else { 4 };
    while let Some(size) = data.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        match u32::from_le_bytes(*size) & 0x7fff_ffff {
            0 => return true,
            size => at += 4 + size as usize + checksum,
        }
    }
    false
}

/// Any number of frames, skippable ones among them; nothing else may follow.
fn zstd(mut data: &[u8], limit: usize) -> Result<Bytes, Undecodable> {
    let mut out = Vec::new();
    while !data.is_empty() {
        if let Some(after) = zstd_skippable(data) {
            data = after;
            continue;
        }
        let mut frame =
            ruzstd::decoding::StreamingDecoder::new(&mut data).map_err(|_| Undecodable)?;
        read_all(&mut frame, &mut out, limit)?;
    }
    Ok(out.into())
}

fn zstd_skippable(data: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = data.split_first_chunk::<4>()?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*magic) & 0xffff_fff0 != 0x184d_2a50 {
        return None;
    }
    rest.get(u32::from_le_bytes(*size) as usize..)
}

fn read_all(from: &mut impl Read, out: &mut Vec<u8>, limit: usize) -> Result<(), Undecodable> {
    let room = limit.saturating_sub(out.len()) as u64;
    let read = from.take(room + 1).read_to_end(out).map_err(|_| Undecodable)?;
    if read as u64 > room { Err(Undecodable) } else { Ok(()) }
}
