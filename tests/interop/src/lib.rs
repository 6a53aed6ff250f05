//! Proof against things nobody here wrote: Apache Kafka's brokers, its own producer, consumer and
//! tools, and kcat.
//!
//! The tests in `tests/` need the feature `kafka`, a `klamm` binary (`KLAMM_BIN`, by default
//! `target/release/klamm`) and what [`setup`] fetches; `cargo xtask test` sees to all three. A run
//! keeps its files (brokers' logs and data, what was read back) when it fails and says where.
//! Most tests run against the newest Kafka, or the one that `KLAMM_KAFKA_VERSION` names; `versions`
//! and `every_byte` run against all. `KLAMM_CACHE` names the folder where the jars are kept (by
//! default `target/klamm-cache`), `KLAMM_SEED` the seed of what is random.
//!
//! | module | what it is |
//! |---|---|
//! | [`setup`] | Kafka's jars, kcat, the Java programs of `java/` |
//! | [`run_dir`], [`process`], [`ports`] | files, processes and ports of one test |
//! | [`kafka`] | nodes and clusters that can be killed, frozen and started again |
//! | [`helper`] | Kafka's own tools in one JVM: topics, consumer, partitioner, `DumpLogSegments` |
//! | [`kcat`] | the independent reader and writer |
//! | [`proxy`] | a TCP proxy that delays, stalls, cuts and swallows answers |
//! | [`scalpel`] | a TCP proxy that cuts, waits or stalls at an exact byte of a frame |
//! | [`feeder`] | records written to a producer's standard input at a steady pace, with barriers |
//! | [`load`], [`ledger`] | a producer in this process under load; what it reported against the log |
//! | [`log`] | what was read back, and whether it is there exactly once and in order |
//! | [`lost_answers`] | answers lost, broker killed and started again: the staging |
//! | [`dump`] | stored batches as `DumpLogSegments` prints them |
//! | [`firmware`] | devices in QEMU: cut off, reset, lied to; what they said against the log |
//! | [`klamm`] | the `klamm` command |

pub mod dump;
pub mod feeder;
pub mod firmware;
pub mod helper;
pub mod kafka;
pub mod kcat;
pub mod klamm;
pub mod ledger;
pub mod load;
pub mod log;
pub mod lost_answers;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod run_dir;
pub mod scalpel;
pub mod setup;

use anyhow::{Result, bail};
use core::time::Duration;
use std::time::Instant;

/// Every codec that klamm has, by its name in `compression.type` and in `DumpLogSegments`.
pub const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// How long anything may take before a test fails. Generous: the machines are slow and shared, and
/// nothing here measures time.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until `done`, looking every 50 ms.
///
/// # Errors
/// What `done` returns, or that [`PATIENCE`] ran out waiting for `what`.
pub fn wait_until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
