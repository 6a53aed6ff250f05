//! Responses that `kafka-protocol` wrote.

use std::string::String;
use std::vec::Vec;

use super::super::{api_versions, find_coordinator, init_producer_id, metadata, produce};
use super::sample::{self, Sample};
use super::{Rng, check};
use crate::wire::Decode;

const ROUNDS: u64 = 150;

fn all<D>(
    versions: core::ops::RangeInclusive<i16>,
    new: fn(i16) -> D,
    make: fn(&mut Rng, i16) -> Sample,
) where
    D: Decode + Copy,
    for<'b> D::Event<'b>: core::fmt::Debug,
{
    let mut distinct: Vec<String> = Vec::new();
    for version in versions {
        for seed in 0..ROUNDS {
            let Sample { bytes, events } = make(&mut Rng(seed), version);
            check(new(version), &bytes, &events, seed);
            distinct.extend(events);
        }
    }
    distinct.dedup();
    assert!(distinct.len() > 100, "the samples are all the same");
}

#[test]
fn metadata_responses() {
    all(4..=13, metadata::Decoder::new, sample::metadata);
}

#[test]
fn produce_responses() {
    all(3..=13, produce::Decoder::new, sample::produce);
}

#[test]
fn api_versions_responses() {
    all(0..=3, api_versions::Decoder::new, sample::api_versions);
}

#[test]
fn init_producer_id_responses() {
    all(1..=5, init_producer_id::Decoder::new, sample::init_producer_id);
}

#[test]
fn find_coordinator_responses() {
    all(2..=6, find_coordinator::Decoder::new, sample::find_coordinator);
}
