//! Any bytes as the first that a peer ever says, cut anywhere.
#![no_main]

use klamm::Demand;
use klamm_fuzz::answer::{API_VERSIONS, Versions};
use klamm_fuzz::harness::Harness;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Versions, Vec<u8>, &[u8])| {
    let (versions, splits, bytes) = input;
    let mut harness = Harness::new(versions, |_| {});
    let (conn, _) = harness.drive_to(API_VERSIONS).expect("the first request of all");
    if harness.receive(conn, bytes, &splits).is_err() {
        assert_eq!(harness.producer.demand(conn), Demand::Close);
    }
    harness.check();
    harness.finish();
});
