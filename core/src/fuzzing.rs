//! Every decoder by itself, for the fuzz target `decoders`; in no other build.

#[cfg(all(feature = "gzip-tight", feature = "recorder"))]
use crate::compress::Codecs;
#[cfg(all(feature = "gzip-tight", feature = "recorder"))]
use crate::config::Compression;
use crate::wire::record::RecordIter;
use crate::wire::{
    Decode, Need, api_versions, find_coordinator, init_producer_id, metadata, produce,
};

/// Decodes `bytes` as the response number `which` (modulo five) of `version`, handed over in pieces whose sizes are
/// `splits`, over and over. Returns the steps made, of which there can be few more than bytes.
pub fn response(which: u8, version: i16, bytes: &[u8], splits: &[u8]) -> usize {
    match which % 5 {
        0 => steps(api_versions::Decoder::new(version), bytes, splits),
        1 => steps(metadata::Decoder::new(version), bytes, splits),
        2 => steps(init_producer_id::Decoder::new(version), bytes, splits),
        3 => steps(produce::Decoder::new(version), bytes, splits),
        _ => steps(find_coordinator::Decoder::new(version), bytes, splits),
    }
}

fn steps<D: Decode>(mut decoder: D, bytes: &[u8], splits: &[u8]) -> usize {
    let mut pieces = splits.iter().map(|size| usize::from(*size).max(1)).cycle();
    let (mut steps, mut used, mut seen, mut idle) = (0, 0, 0, 0);
    while steps <= 2 * bytes.len() + 64 {
        match decoder.step(bytes.get(used..seen).unwrap_or_default()) {
            Ok(step) => {
                steps += 1;
                used += step.used;
                // Ends of lists are events without bytes, but never many; a decoder at its end says so for ever.
                idle = if step.used == 0 { idle + 1 } else { 0 };
            }
            Err(Need::More) if seen < bytes.len() => {
                seen = (seen + pieces.next().unwrap_or(bytes.len())).min(bytes.len());
            }
            Err(Need::More | Need::Bad) => break,
        }
        if idle > 4 {
            break;
        }
    }
    steps
}

/// Reads `bytes` as the records of a batch, headers included; returns how many there are.
pub fn records(bytes: &[u8]) -> usize {
    let mut count = 0;
    for record in RecordIter::new(bytes) {
        count += 1 + record.headers().count();
    }
    count
}

/// Expands `bytes` by the codec number `which` (gzip, gzip without an allocator, lz4, snappy, zstd) into at most `room`
/// bytes; returns how many came out. And what the codec itself makes of `bytes` expands to them.
#[cfg(all(feature = "gzip-tight", feature = "recorder"))]
pub fn codec(which: u8, bytes: &[u8], room: usize) -> Option<usize> {
    let codec = match which % 5 {
        0 | 1 => Compression::Gzip { level: 2 },
        2 => Compression::Lz4 { level: 2 },
        3 => Compression::Snappy,
        _ => Compression::Zstd { level: 1 },
    };
    let mut codecs = match which % 5 {
        1 => Codecs::of_sizes([256, 1_024, 1, 0, 0]),
        _ => Codecs::of(&[codec]),
    };
    let mut packed = alloc::vec![0; 2 * bytes.len() + 64];
    if let Some(len) = codecs.compress(codec, bytes, &mut packed) {
        let mut plain = alloc::vec![0; bytes.len()];
        assert_eq!(codecs.decompress(codec, &packed[..len], &mut plain), Some(bytes.len()));
        assert_eq!(plain, bytes);
    }
    let mut out = alloc::vec![0; room];
    codecs.decompress(codec, bytes, &mut out)
}
