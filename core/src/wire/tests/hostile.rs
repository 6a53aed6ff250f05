//! Damaged answers: never a panic, never a loop, never more memory than one element. `run` asserts the last two.

use super::super::{api_versions, find_coordinator, init_producer_id, metadata, produce};
use super::sample::{self, Sample};
use super::{Need, Rng, run, texts};
use crate::id::TopicUuid;
use crate::wire::{Decode, MAX_ELEMENT};

const ROUNDS: u64 = 60;

/// Decodes damaged bytes in pieces. Errors and leftover bytes are fine; what `run` asserts must hold.
fn survive<D>(decoder: D, bytes: &[u8], seed: u64)
where
    D: Decode + Copy,
    for<'b> D::Event<'b>: core::fmt::Debug,
{
    let mut rng = Rng(seed);
    let (mut decoder, mut at, mut end, mut steps) = (decoder, 0, 0, 0);
    loop {
        steps += 1;
        assert!(steps <= 4 * bytes.len() + 8, "seed {seed}: work is not linear in the bytes");
        match decoder.step(&bytes[at..end]) {
            Ok(step) => {
                assert!(step.used > 0 || step.event.is_some(), "seed {seed}: no progress");
                assert!(step.used <= end - at, "seed {seed}: used more than there was");
                at += step.used;
                if step.event.is_some_and(|event| std::format!("{event:?}") == "End") {
                    return;
                }
            }
            Err(Need::More) if end < bytes.len() => {
                assert!(end - at < MAX_ELEMENT, "seed {seed}: {}", end - at);
                end = bytes.len().min(end + 1 + rng.below(40));
            }
            Err(Need::More | Need::Bad) => return,
        }
    }
}

fn all<D>(
    versions: core::ops::RangeInclusive<i16>,
    new: fn(i16) -> D,
    make: fn(&mut Rng, i16) -> Sample,
) where
    D: Decode + Copy,
    for<'b> D::Event<'b>: core::fmt::Debug,
{
    for version in versions {
        for seed in 0..ROUNDS {
            let mut rng = Rng(seed);
            let Sample { bytes, .. } = make(&mut rng, version);
            for _ in 0..20 {
                // A frame that ends too early is never taken for a whole one.
                let cut = rng.below(bytes.len() as u64);
                let answer = run(new(version), &bytes[..cut], || usize::MAX);
                assert_eq!(answer, Err(Need::More), "seed {seed}, version {version}, cut {cut}");

                let mut damaged = bytes.clone();
                for _ in 0..=rng.below(4) {
                    let at = rng.below(damaged.len() as u64);
                    damaged[at] = match rng.below(4) {
                        0 => 0xff,
                        1 => 0x7f,
                        2 => 0,
                        _ => rng.next().to_le_bytes()[0],
                    };
                }
                survive(new(version), &damaged, seed);
                // The right bytes at the wrong version.
                survive(new(rng.i16() % 20), &bytes, seed);
            }
            let noise: std::vec::Vec<u8> =
                (0..rng.below(600)).map(|_| rng.next().to_le_bytes()[0]).collect();
            survive(new(version), &noise, seed);
        }
    }
}

#[test]
fn metadata_survives() {
    all(4..=13, metadata::Decoder::new, sample::metadata);
}

#[test]
fn produce_survives() {
    all(3..=13, produce::Decoder::new, sample::produce);
}

#[test]
fn api_versions_survives() {
    all(0..=3, api_versions::Decoder::new, sample::api_versions);
}

#[test]
fn init_producer_id_survives() {
    all(1..=5, init_producer_id::Decoder::new, sample::init_producer_id);
}

#[test]
fn find_coordinator_survives() {
    all(2..=6, find_coordinator::Decoder::new, sample::find_coordinator);
}

#[test]
fn absurd_counts_cost_only_the_bytes_that_come() {
    // 2^31 - 1 brokers, topics, ... and zeros after it.
    let zeros = [0; 2_000];
    let mut bytes = std::vec![0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff];
    bytes.extend_from_slice(&zeros);
    survive(metadata::Decoder::new(7), &bytes, 1);
    survive(produce::Decoder::new(7), &bytes[4..], 1);
    survive(api_versions::Decoder::new(0), &bytes[2..], 1);

    // The bytes of 2^30 replicas do not fit 32 bits.
    let mut partition = std::vec![0; 14];
    partition.extend_from_slice(&[0x40, 0, 0, 0]);
    let head = [
        &[0, 0, 0, 0, 0, 0, 0, 0][..], // throttle, no brokers
        &[0xff, 0xff, 0, 0, 0, 0],     // no cluster id, controller
        &[0, 0, 0, 1, 0, 0, 0, 0, 0],  // one topic: no error, empty name, not internal
        &[0, 0, 0, 1],                 // one partition
    ];
    let bytes = [&head.concat()[..], &partition].concat();
    assert_eq!(run(metadata::Decoder::new(7), &bytes, || usize::MAX), Err(Need::Bad));
}

#[test]
fn names_are_bytes_that_nobody_checks() {
    let bytes = [0, 0, 0, 1, 0, 2, 0xc3, 0x28, 0, 0, 0, 0, 0, 0, 0, 0];
    let events = [
        produce::Event::Topic { name: Some(&[0xc3, 0x28]), id: TopicUuid::ZERO },
        produce::Event::Throttle(0),
        produce::Event::End,
    ];
    assert_eq!(run(produce::Decoder::new(7), &bytes, || usize::MAX), Ok(texts(&events)));
}
