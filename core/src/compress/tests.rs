//! Every codec against decoders of others, and that its own reader takes nothing that is damaged. Sizes, and the
//! decoders of the formats' authors (in C): `tests/codecs`.

use std::io::Read;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::Codecs;
use crate::config::Compression;

/// What klamm has, and another's decoder.
struct Case {
    name: &'static str,
    codec: Compression,
    codecs: fn() -> Codecs<'static>,
    decode: fn(&[u8]) -> Vec<u8>,
}

fn heap() -> Codecs<'static> {
    Codecs::default()
}

/// With memory as firmware hands it in.
fn handed_in() -> Codecs<'static> {
    let memory =
        std::boxed::Box::leak(std::boxed::Box::new(super::memory::CodecMemory::<4096>::new()));
    Codecs { work: memory.work(), ..Codecs::default() }
}

const CASES: [Case; 7] = [
    Case { name: "gzip", codec: Compression::Gzip { level: 1 }, codecs: heap, decode: gunzip },
    Case {
        name: "gzip-tight",
        codec: Compression::Gzip { level: 1 },
        codecs: handed_in,
        decode: gunzip,
    },
    Case { name: "snappy", codec: Compression::Snappy, codecs: heap, decode: unsnap },
    Case { name: "snappy in 8 KiB", codec: Compression::Snappy, codecs: handed_in, decode: unsnap },
    Case { name: "lz4", codec: Compression::Lz4 { level: 1 }, codecs: heap, decode: unlz4 },
    Case {
        name: "lz4 in 8 KiB",
        codec: Compression::Lz4 { level: 1 },
        codecs: handed_in,
        decode: unlz4,
    },
    Case {
        name: "zstd",
        codec: Compression::Zstd { level: 1 },
        codecs: heap,
        decode: |data| zstd::stream::decode_all(data).expect("a frame"),
    },
];

fn gunzip(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut reader = flate2::bufread::GzDecoder::new(data);
    reader.read_to_end(&mut plain).expect("a member");
    assert!(reader.into_inner().is_empty(), "bytes after the member");
    plain
}

fn unsnap(data: &[u8]) -> Vec<u8> {
    snap::raw::Decoder::new().decompress_vec(data).expect("a block")
}

fn unlz4(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = data;
    lz4_flex::frame::FrameDecoder::new(&mut rest).read_to_end(&mut plain).expect("a frame");
    assert!(rest.is_empty(), "bytes after the frame");
    plain
}

fn readings() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/readings.txt");
    std::fs::read(path).expect("the example's data")
}

impl Case {
    fn compress(&self, codecs: &mut Codecs<'_>, plain: &[u8]) -> Vec<u8> {
        codecs.prepare(self.codec).expect("built in");
        let mut out = vec![0; plain.len() + plain.len() / 32 + 400];
        let len = codecs.compress(self.codec, plain, &mut out).expect("room");
        out.truncate(len);
        out
    }
}

#[test]
fn higher_levels_are_smaller() {
    let readings = &readings()[..200_000];
    for (low, high) in [
        (Compression::Gzip { level: 1 }, Compression::Gzip { level: 9 }),
        (Compression::Lz4 { level: 1 }, Compression::Lz4 { level: 9 }),
        (Compression::Zstd { level: 1 }, Compression::Zstd { level: 9 }),
    ] {
        let mut codecs = Codecs::default();
        let mut size = |codec| {
            codecs.prepare(codec).expect("built in");
            codecs.compress(codec, readings, &mut vec![0; 200_000]).expect("shrinks")
        };
        let (fast, small) = (size(low), size(high));
        assert!(small < fast, "{low:?} {fast}, {high:?} {small}");
        assert_eq!(size(low), fast, "levels may change from batch to batch");
    }
}

#[test]
fn every_order_of_codecs_gives_the_same_bytes() {
    let (first, second) = (readings()[..30_000].to_vec(), vec![7; 70_000]);
    for case in CASES {
        let alone = case.compress(&mut (case.codecs)(), &first);
        let mut codecs = (case.codecs)();
        for other in CASES {
            other.compress(&mut codecs, &second);
            assert!(case.compress(&mut codecs, &first) == alone, "{} {}", case.name, other.name);
        }
    }
}

#[test]
fn edges_of_the_formats() {
    let noise: Vec<u8> =
        (0..200_000u32).map(|n| (n.wrapping_mul(0x9e37_79b1) >> 13).to_le_bytes()[0]).collect();
    let mut inputs: Vec<Vec<u8>> = vec![vec![], vec![1], vec![0; 4], vec![0; 12], vec![0; 13]];
    inputs.extend([65_535, 65_536, 65_537, 131_073].map(|len| vec![b'a'; len]));
    // Literals and matches as long as each way of writing lengths has.
    for length in [
        14, 15, 16, 59, 60, 61, 64, 67, 68, 69, 255, 256, 258, 259, 260, 270, 300, 514, 517, 65_600,
    ] {
        let mut input = noise[..length].to_vec();
        input.extend(vec![b'x'; length]);
        input.extend(&noise[..length]);
        inputs.push(input);
    }
    // A match at the farthest distance of each format.
    for distance in [2_047, 2_048, 32_767, 32_768, 32_769, 65_535, 65_536] {
        let mut input = noise[100_000..100_100].to_vec();
        input.resize(distance, b'-');
        input.extend(&noise[100_000..100_100]);
        inputs.push(input);
    }
    inputs.push(noise);
    for case in CASES {
        let mut codecs = (case.codecs)();
        for input in &inputs {
            let data = case.compress(&mut codecs, input);
            assert!((case.decode)(&data) == *input, "{} of {}", case.name, input.len());
            let mut back = vec![0; input.len()];
            let len = codecs.decompress(case.codec, &data, &mut back);
            assert_eq!(len, Some(input.len()), "{} of {}", case.name, input.len());
            assert!(back == *input, "{} of {}", case.name, input.len());
            if !data.is_empty() {
                let mut short = vec![0; data.len() - 1];
                assert_eq!(codecs.compress(case.codec, input, &mut short), None, "{}", case.name);
            }
        }
    }
}

/// Frequencies as the numbers of Fibonacci make the longest codes there are: longer than DEFLATE allows.
#[test]
fn codes_are_bounded() {
    let (mut input, mut count, mut next) = (Vec::new(), 1usize, 1usize);
    for symbol in 0..27u8 {
        // No four bytes come twice: a counter stands between them.
        input.extend(core::iter::repeat_n(symbol, count));
        (count, next) = (next, count + next);
    }
    let mut random = 1u32;
    for at in (1..input.len()).rev() {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        input.swap(at, (random >> 8) as usize % (at + 1));
    }
    let case = &CASES[1];
    let data = case.compress(&mut (case.codecs)(), &input);
    assert!(gunzip(&data) == input);
}

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..2_000);
    let few = proptest::collection::vec(0..3u8, 0..5_000);
    let pieces = (
        proptest::collection::vec(any::<u8>(), 1..300),
        proptest::collection::vec((any::<prop::sample::Index>(), 1..400usize), 0..300),
    );
    let repeats = pieces.prop_map(|(mut bytes, copies)| {
        for (from, length) in copies {
            let from = from.index(bytes.len());
            for at in from..from + length {
                bytes.push(bytes[at]);
            }
        }
        bytes
    });
    prop_oneof![noise, few, repeats]
}

proptest! {
    // Each case runs every codec; the formats' own edges have a test above.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_batches_come_back_one_after_the_other(
        inputs in proptest::collection::vec(any_input(), 1..4),
        level in 1..=9u8,
    ) {
        for case in CASES {
            let codec = match case.codec {
                Compression::Gzip { .. } => Compression::Gzip { level },
                Compression::Lz4 { .. } => Compression::Lz4 { level },
                other => other,
            };
            let case = Case { codec, ..case };
            let mut codecs = (case.codecs)();
            for input in &inputs {
                let data = case.compress(&mut codecs, input);
                prop_assert!((case.decode)(&data) == *input, "{}", case.name);
                let mut back = vec![0; input.len()];
                prop_assert_eq!(codecs.decompress(codec, &data, &mut back), Some(input.len()));
                prop_assert!(back == *input, "{}", case.name);
            }
        }
    }

    /// Damage is noticed where there is a checksum; nowhere does it panic, or make a mess of memory.
    #[test]
    fn damaged_data_stops(input in any_input(), at: prop::sample::Index, bit in 0..8, cut: prop::sample::Index) {
        for case in CASES {
            let mut codecs = (case.codecs)();
            let mut data = case.compress(&mut codecs, &input);
            let mut back = vec![0; input.len() + 100];
            let cut = &data[..cut.index(data.len())];
            if !input.is_empty() {
                let read = codecs.decompress(case.codec, cut, &mut back);
                prop_assert_eq!(read, None, "{}", case.name);
            }
            let place = at.index(data.len());
            data[place] ^= 1_u8 << bit;
            let read = codecs.decompress(case.codec, &data, &mut back);
            let unread = (4..10).contains(&place);
            if matches!(case.codec, Compression::Gzip { .. }) && !unread {
                let same = read == Some(input.len()) && back[..input.len()] == input;
                prop_assert!(same || read.is_none(), "{}", case.name);
            }
        }
    }
}
