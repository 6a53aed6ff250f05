//! Any contents of a snapshot whose checksum is right: no panic, and what is restored ends in one outcome a record.
#![no_main]

use klamm::{Instant, Producer, Storage};
use klamm_fuzz::harness::{config, limits, outlive};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|contents: &[u8]| {
    let config = config(|_| {});
    let mut snapshot = [b"klamm\x01", contents].concat();
    snapshot.extend((config.crc32c)(&snapshot).to_be_bytes());
    let storage = Storage::boxed(&limits(|_| {}));
    if let Ok(producer) = Producer::restore(&config, storage, 7, &snapshot, Instant::ZERO) {
        let records = producer.numbered().map(|batch| u64::from(batch.records)).sum();
        outlive(producer, records, Instant::ZERO);
    }
});
