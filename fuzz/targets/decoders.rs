//! Any bytes into every decoder by itself: responses in any pieces, records, codecs. The work is bounded by the bytes.
#![no_main]

use klamm::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, u8, Vec<u8>, &[u8])| {
    let (which, version, splits, bytes) = input;
    let steps = fuzzing::response(which, i16::from(version % 16), bytes, &splits);
    assert!(steps <= 2 * bytes.len() + 64, "{steps} steps for {} bytes", bytes.len());
    assert!(fuzzing::records(bytes) <= bytes.len());
    let room = 4_096;
    assert!(fuzzing::codec(which, bytes, room).is_none_or(|len| len <= room));
});
