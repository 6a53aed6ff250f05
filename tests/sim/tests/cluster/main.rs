//! The model cluster against what live brokers were seen to answer.

mod batches;
mod bytes_and_bounds;
mod faults;
mod kit;
mod metadata;
mod replication;
mod requests;
mod sequences;
