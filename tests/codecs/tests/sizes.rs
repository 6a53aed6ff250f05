//! What klamm's codecs write is read by the decoders of the formats' authors, and at most 15 % larger than what the
//! fastest level of their encoders makes of the same.

use std::io::{Read, Write};

use klamm::{CodecMemory, Compression, Compressor};

struct Case {
    name: &'static str,
    codec: Compression,
    /// With memory as firmware hands it in, not the heap's.
    handed_in: bool,
    encode: fn(&[u8]) -> Vec<u8>,
    decode: fn(&[u8]) -> Vec<u8>,
}

const GZIP: Case = Case {
    name: "gzip",
    codec: Compression::Gzip { level: 1 },
    handed_in: false,
    encode: gzip,
    decode: gunzip,
};
const SNAPPY: Case = Case {
    name: "snappy",
    codec: Compression::Snappy,
    handed_in: false,
    encode: |plain| snap::raw::Encoder::new().compress_vec(plain).expect("room"),
    decode: |data| snap::raw::Decoder::new().decompress_vec(data).expect("a block"),
};
const LZ4: Case = Case {
    name: "lz4",
    codec: Compression::Lz4 { level: 1 },
    handed_in: false,
    encode: lz4,
    decode: unlz4,
};
const ZSTD: Case = Case {
    name: "zstd",
    codec: Compression::Zstd { level: 1 },
    handed_in: false,
    encode: |plain| zstd::stream::encode_all(plain, 1).expect("a vector"),
    decode: |data| zstd::stream::decode_all(data).expect("a frame"),
};

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(plain).expect("a vector");
    out.finish().expect("a vector")
}

fn gunzip(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut reader = flate2::bufread::GzDecoder::new(data);
    reader.read_to_end(&mut plain).expect("a member");
    assert!(reader.into_inner().is_empty(), "bytes after the member");
    plain
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut out = lz4::EncoderBuilder::new().level(1).build(Vec::new()).expect("an encoder");
    out.write_all(plain).expect("a vector");
    let (out, result) = out.finish();
    result.expect("a frame");
    out
}

fn unlz4(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut reader = lz4::Decoder::new(data).expect("a decoder");
    reader.read_to_end(&mut plain).expect("a frame");
    let (rest, result) = reader.finish();
    result.expect("a whole frame");
    assert!(rest.is_empty(), "bytes after the frame");
    plain
}

fn readings() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/readings.txt");
    std::fs::read(path).expect("the example's data")
}

#[test]
fn sizes_are_close_to_those_of_the_reference_encoders() {
    let readings = readings();
    let mut failures = String::new();
    let handed_in = |case| Case { handed_in: true, ..case };
    // Without the feature `gzip`, this is what `gzip-tight` does; with both, handed-in memory asks for it.
    let cases = [GZIP, handed_in(GZIP), SNAPPY, handed_in(SNAPPY), LZ4, handed_in(LZ4), ZSTD];
    for case in cases {
        let mut memory = CodecMemory::<4096>::new();
        let mut encoder =
            if case.handed_in { Compressor::in_memory(&mut memory) } else { Compressor::new() };
        // As one batch; and as batches of the default size, where tables start empty each time.
        for batch in [readings.len(), 16_384] {
            let (mut ours, mut reference) = (0, 0);
            for part in readings.chunks(batch) {
                let mut data = vec![0; part.len() + part.len() / 32 + 400];
                let len = encoder.compress(case.codec, part, &mut data).expect("built in");
                data.truncate(len.expect("room"));
                assert!((case.decode)(&data) == part, "{}", case.name);
                ours += data.len();
                reference += (case.encode)(part).len();
            }
            let percent = ours as f64 * 100.0 / reference as f64;
            let memory = if case.handed_in { "8 KiB" } else { "heap" };
            println!(
                "{:<6} {memory:<5} {batch:>8}: {ours:>8} of {reference:>8}, {percent:.1} %",
                case.name
            );
            if ours * 100 > reference * 115 {
                failures += &format!("{} in batches of {batch}, {memory}; ", case.name);
            }
        }
    }
    assert_eq!(failures, "", "more than 15 % larger");
}
