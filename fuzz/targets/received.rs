//! Any bytes as the answer to any request, at any version, cut anywhere: no panic, and where they are cut makes no
//! difference.
#![no_main]

use arbitrary::Arbitrary;
use klamm::{Acks, Demand, Instant, ProtocolError, Report, Stats, Timer};
use klamm_fuzz::answer::{API_VERSIONS, INIT_PRODUCER_ID, METADATA, PRODUCE, Versions};
use klamm_fuzz::harness::Harness;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'i> {
    versions: Versions,
    /// Which request the bytes answer.
    stage: u8,
    /// Are the bytes the body of a well-framed answer? Else they are all there is.
    framed: bool,
    acks: u8,
    splits: Vec<u8>,
    bytes: &'i [u8],
}

/// All that can be seen of a producer from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Result<(), ProtocolError>,
    demands: Vec<Demand>,
    deadline: Option<(Instant, Timer)>,
    stats: Stats,
    reports: Vec<Report>,
}

fuzz_target!(|input: Input<'_>| {
    let whole = run(&input, &[]);
    let split = run(&input, &input.splits);
    assert_eq!(whole, split, "the same bytes, cut elsewhere");
});

fn run(input: &Input<'_>, splits: &[u8]) -> Option<Seen> {
    let mut harness = Harness::new(input.versions, |config| {
        config.acks = [Acks::All, Acks::Leader][usize::from(input.acks % 2)];
        if config.acks != Acks::All {
            config.enable_idempotence = klamm::Idempotence::Off;
        }
    });
    harness.set_clock();
    for value in [&b"one"[..], b"two", b""] {
        harness.send(value).expect("there is room for three records");
    }
    let stage = [API_VERSIONS, METADATA, INIT_PRODUCER_ID, PRODUCE][usize::from(input.stage % 4)];
    let Some((conn, request)) = harness.drive_to(stage) else {
        assert!(stage == INIT_PRODUCER_ID && input.acks % 2 == 1, "{stage} was not asked for");
        return None;
    };
    let framed = request.frame(input.bytes);
    let bytes = if input.framed { &framed } else { input.bytes };
    let result = harness.receive(conn, bytes, splits);
    if result.is_err() {
        assert_eq!(harness.producer.demand(conn), Demand::Close);
    }
    let seen = Seen {
        result,
        demands: harness.producer.connections().map(|c| harness.producer.demand(c)).collect(),
        deadline: harness.producer.next_deadline(),
        stats: harness.check(),
        reports: std::iter::from_fn(|| harness.take_report()).collect(),
    };
    // Whatever was believed of those bytes: life goes on.
    harness.drive_to(PRODUCE);
    harness.check();
    harness.finish();
    Some(seen)
}
