//! Scenarios, acceptance rows, the model and the seeds in one binary: linking one for each file takes longer than running
//! them. A single file: `cargo test -p klamm-sim --test suite scenarios_found::`.

#![allow(missing_docs, reason = "the modules are files of tests")]

mod acceptance;
mod acceptance_batches;
mod acceptance_batching;
mod acceptance_clock;
mod acceptance_events;
mod acceptance_overflow;
mod acceptance_partitioners;
mod acceptance_policies;
mod acceptance_profiles;
mod acceptance_queues;
mod crash;
mod explain;
mod model;
mod model_core;
mod one_connection;
mod order_freedom;
mod replay;
mod scenarios_answers;
mod scenarios_batches;
mod scenarios_codecs;
mod scenarios_found;
mod scenarios_liveness;
mod scenarios_memory;
mod scenarios_other;
mod scenarios_rounds;
mod scenarios_sequences;
mod scenarios_split;
mod scenarios_timeouts;
mod scenarios_topics;
mod seeds;
