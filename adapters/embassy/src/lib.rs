//! klamm on microcontrollers: an Apache Kafka producer over embassy-net, or over any stack with the
//! traits of `embedded-nal-async`. No heap, any executor, any tick rate, processors without
//! compare-and-swap included.
//!
//! ```
//! use embassy_net::Stack;
//! use klamm_embassy::{Config, Destination, EmbassyNet, Producer, Record, Resources, Runner};
//! use static_cell::ConstStaticCell;
//!
//! // Six batches of 1,400 bytes, two partitions, one connection: 14 KB of `.bss`.
//! static RESOURCES: ConstStaticCell<Resources<'static, 1400, 6, 2>> =
//!     ConstStaticCell::new(Resources::new());
//!
//! // #[embassy_executor::task]
//! async fn kafka(mut runner: Runner<'static, EmbassyNet<'static>>) -> ! {
//!     runner.run().await
//! }
//!
//! // #[embassy_executor::task(pool_size = 3)]
//! async fn sensor(producer: Producer<'static>) -> Result<(), klamm_embassy::ProduceError> {
//!     let refused = klamm_embassy::ProduceError::Refused;
//!     let to = Destination::topic(producer.topic("readings").map_err(refused)?);
//!     let record = Record::value(b"21.5").with_key(b"sensor-7");
//!     // Accepted when this is ready ...
//!     producer.send(to, &record).await.map_err(refused)?;
//!     // ... and this one is in the log.
//!     let delivered = producer.send_and_wait(to, &record).await?;
//!     let _offset = delivered.offset;
//!     Ok(())
//! }
//!
//! fn start(stack: Stack<'static>, seed: u64) -> Result<(), klamm_embassy::ConfigError> {
//!     let mut config = Config::new("kafka.local:9092");
//!     config.linger_ms = 100;
//!     let network = EmbassyNet::new(stack);
//!     let (producer, runner) = klamm_embassy::new(RESOURCES.take(), network, &config, seed)?;
//!     // spawner.spawn(kafka(runner).unwrap()); spawner.spawn(sensor(producer).unwrap());
//!     # let _ = (producer, runner);
//!     Ok(())
//! }
//! ```
//!
//! # The time of day
//!
//! Records carry the time at which they were made. A device has to be told what time it is:
//! [`Producer::set_clock`], by an RTC or a time server (`firmware-examples/sntp`). **Until then records wait**; they get the time
//! of their making then. Where nobody will ever tell, set `Config::clock_wait_ms`, or give each record
//! a timestamp of its own.
//!
//! # TLS
//!
//! Not in this crate, but a [`Network`] like others: `firmware-examples/tls` has one of embedded-tls, with
//! the broker's certificate verified. `klamm_embassy::new(memory, Tls::new(stack, authority, random,
//! records), &config, seed)` is all that changes.
//!
//! # Pitfalls
//!
//! - embassy-net panics when its `StackResources` are full: [`EmbassyNet`] says how many it takes.
//! - The default connection of [`Resources`] is one. With as many as there are brokers, leaders need
//!   not take turns: each turn is a reconnect, and a device that writes to partitions on three brokers
//!   takes many (`docs/embedded.md`).
//! - `Config::linger_ms` decides how often the radio wakes: 60,000 collects a minute's records, if
//!   there are chunks for them, and then sends them at once. `metadata_max_age_ms` and
//!   `connections_max_idle_ms` wake it too.
//! - What [`Producer::with`] does with the core runs under the lock: short, and without this handle.
//!
//! # Memory and flash
//!
//! [`Resources`] is all there is, besides the runner's future in its executor's task. A codec takes
//! memory of its own, handed in by [`new_with`]: a `CodecMemory<1024>` has 2,048 bytes for `lz4` and
//! `snappy`, and 6,208 with `gzip-tight`.
//!
//! The chunk that a batch is compressed into is the spare one that `BATCHES` counts. Features of the
//! core that cost flash are off: `flexible`, `split`, `acks-0`, `crc-table`. `cluster` is on; a device
//! that reaches all leaders at one address (a broker, a gateway, a proxy) does without it. So is
//! `relaxed`; a device whose producer is idempotent, as it is by default, does without it.
#![no_std]

#[macro_use]
mod fmt;

mod error;
mod link;
mod nal;
#[cfg(feature = "net")]
mod net;
mod network;
mod producer;
mod reports;
mod resources;
mod runner;
mod shared;
mod waiting;

use embassy_sync::blocking_mutex::raw::RawMutex;
pub use embedded_io_async;
pub use embedded_nal_async;
#[cfg(any(feature = "gzip-tight", feature = "lz4", feature = "snappy"))]
pub use klamm::CodecMemory;
pub use klamm::{
    Acks, BatchId, Compression, Config, ConfigError, Destination, ErrorCode, Explain, Header,
    Idempotence, Outcome, PartitionId, ProtocolError, Reason, Record, RecordId, RecordRef, Records,
    Report, Scope, SendError, Stats, Storage, Timestamp, TopicId,
};

pub use error::{Lost, ProduceError};
pub use link::{Dial, Link};
pub use nal::Nal;
#[cfg(feature = "net")]
pub use net::EmbassyNet;
pub use network::Network;
pub use producer::{Delivered, Producer};
pub use reports::Reports;
pub use resources::Resources;
pub use runner::Runner;

/// A producer over `network`, in `resources`: the handle for its users, and the runner for a task.
///
/// `seed` feeds all its randomness (jitter of retries, sticky partitions): let it differ from device
/// to device. `M` says who may share it: with `NoopRawMutex` (the default) the tasks of one
/// executor; with `CriticalSectionRawMutex` other executors, cores and interrupts too, but then
/// interrupts are off while a batch is stamped and copied, for some 12,000 instructions a KiB.
///
/// # Errors
/// An option is out of its range, options conflict, or `resources` are too small for them.
#[allow(clippy::type_complexity, reason = "a pair of two types with their parameters")]
pub fn new<
    'd,
    N: Network,
    const CHUNK: usize,
    const BATCHES: usize,
    const PARTITIONS: usize,
    const CONNS: usize,
    const RX: usize,
    const TX: usize,
    const TASKS: usize,
    M: RawMutex,
>(
    resources: &'d mut Resources<'d, CHUNK, BATCHES, PARTITIONS, CONNS, RX, TX, TASKS, M>,
    network: N,
    config: &Config<'_>,
    seed: u64,
) -> Result<(Producer<'d, M>, Runner<'d, N, CONNS, M>), ConfigError> {
    new_with(resources, network, config, seed, |storage| storage)
}

/// The same, with something done to the core's memory: memory for codecs added
/// ([`Storage::with_codec_memory`]), or all of it replaced.
///
/// # Errors
/// As [`new`]; and the storage has more connections than `resources`.
#[allow(clippy::type_complexity, reason = "a pair of two types with their parameters")]
pub fn new_with<
    'd,
    N: Network,
    const CHUNK: usize,
    const BATCHES: usize,
    const PARTITIONS: usize,
    const CONNS: usize,
    const RX: usize,
    const TX: usize,
    const TASKS: usize,
    M: RawMutex,
>(
    resources: &'d mut Resources<'d, CHUNK, BATCHES, PARTITIONS, CONNS, RX, TX, TASKS, M>,
    network: N,
    config: &Config<'_>,
    seed: u64,
    storage: impl FnOnce(Storage<'d>) -> Storage<'d>,
) -> Result<(Producer<'d, M>, Runner<'d, N, CONNS, M>), ConfigError> {
    let Resources { core, buffers, waiters, shared } = resources;
    let storage = storage(core.storage());
    let core = klamm::Producer::new(config, storage, seed, shared::now())?;
    let mut ids = core.connections();
    let slots = buffers.each_mut().map(|buffers| runner::Slot {
        conn: ids.next(),
        rx: &mut buffers.rx,
        tx: &mut buffers.tx,
    });
    if let Some(unserved) = ids.last() {
        let min = u32::try_from(unserved.index()).unwrap_or(u32::MAX).saturating_add(1);
        return Err(ConfigError::StorageTooSmall { what: "Resources: CONNS", min });
    }
    let shared: &'d shared::Shared<'d, M> =
        shared.write(shared::Shared::new(core, waiting::Waiters::new(waiters)));
    Ok((Producer::new(shared), Runner { shared, network, slots }))
}
