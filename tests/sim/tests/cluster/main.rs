//! The model cluster against what live brokers were seen to answer.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod batches;
mod bytes_and_bounds;
mod faults;
mod kit;
mod metadata;
mod replication;
mod requests;
mod sequences;
