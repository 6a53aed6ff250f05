//! Decompression that cannot be made to fill the memory: it stops at the bound (a mebibyte of zstd
//! may say that it is a gibibyte).

use std::io::Read;

use super::batch::Codec;
use super::error::Refusal;
use super::{Code, Malformed, Reader};

/// What Java's producer writes in front of Snappy's blocks.
const XERIAL: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];
/// Kafka's brokers take windows of up to 128 MiB; eight are plenty for a batch of a few mebibytes.
const ZSTD_WINDOW_LOG: u32 = 23;

// Not 2, corrupt: the checksum was right, so sending it again is of no use.
const BROKEN: Refusal = Refusal::invalid("the batch cannot be decompressed");
const TOO_LARGE: Refusal =
    Refusal::new(Code::MESSAGE_TOO_LARGE, "the batch is too large when it is decompressed");

/// The records without compression, at most `most` bytes of them.
pub(crate) fn inflate(codec: Codec, bytes: &[u8], most: usize) -> Result<Vec<u8>, Refusal> {
    match codec {
        Codec::None => Ok(bytes.to_vec()),
        Codec::Gzip => read_all(flate2::read::MultiGzDecoder::new(bytes), most),
        Codec::Snappy => snappy(bytes, most),
        Codec::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(bytes), most),
        Codec::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(|_| BROKEN)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| BROKEN)?;
            read_all(decoder, most)
        }
    }
}

fn read_all(decoder: impl Read, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut out).map_err(|_| BROKEN)?;
    if out.len() > most { Err(TOO_LARGE) } else { Ok(out) }
}

fn snappy(bytes: &[u8], most: usize) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let Some(blocks) = bytes.strip_prefix(XERIAL) else {
        block(bytes, most, &mut out)?;
        return Ok(out);
    };
    let mut blocks = Reader::new(blocks, false);
    while !blocks.is_empty() {
        let bytes = blocks.nullable_bytes().ok().flatten().ok_or(BROKEN)?;
        block(bytes, most, &mut out)?;
    }
    Ok(out)
}

/// A block says how long it will be before anything is made for it.
fn block(bytes: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let length = snap::raw::decompress_len(bytes).map_err(|_| BROKEN)?;
    let from = out.len();
    let to = from.checked_add(length).filter(|to| *to <= most).ok_or(TOO_LARGE)?;
    out.resize(to, 0);
    let room = out.get_mut(from..).ok_or(BROKEN)?;
    let written = snap::raw::Decoder::new().decompress(bytes, room).map_err(|_| BROKEN)?;
    if written == length { Ok(()) } else { Err(BROKEN) }
}

impl From<Malformed> for Refusal {
    fn from(Malformed: Malformed) -> Self {
        BROKEN
    }
}
