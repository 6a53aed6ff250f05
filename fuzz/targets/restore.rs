//! Any contents of a snapshot whose checksum is right, and a broker that answers anything to what was restored: no panic,
//! and one outcome a record.
#![no_main]

use klamm::{Instant, Producer, Storage};
use klamm_fuzz::answer::{PRODUCE, Versions};
use klamm_fuzz::harness::{Harness, config, limits, small_chunks};
use libfuzzer_sys::fuzz_target;

/// An answer: the error of a partition, or that the connection is lost.
const LOST: u8 = 127;
/// Another bit of it: afterwards all reports are taken.
const REPORTS: u8 = 128;

// How many answers, the answers, the contents.
fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else { return };
    let Some((answers, contents)) = rest.split_at_checked(usize::from(count % 32)) else { return };
    let config = config(|_| {});
    let mut snapshot = [b"klamm\x01", contents].concat();
    snapshot.extend((config.crc32c)(&snapshot).to_be_bytes());
    let storage = Storage::boxed(&limits(small_chunks));
    let restored = Producer::restore(&config, storage, 7, &snapshot, Instant::ZERO);
    let harness = restored
        .ok()
        .and_then(|producer| Harness::restored(producer, Versions::NEWEST, Instant::ZERO));
    let Some(mut harness) = harness else { return };
    harness.forged = true;
    for (answer, offset) in answers.iter().zip((0..).step_by(100)) {
        let Some((conn, request)) = harness.drive_to(PRODUCE) else { break };
        match answer & !REPORTS {
            LOST => harness.disconnect(conn),
            error => harness.answer_to(conn, &request, error.into(), offset),
        }
        while answer & REPORTS != 0 && harness.take_report().is_some() {}
        harness.check();
    }
    harness.finish();
});
