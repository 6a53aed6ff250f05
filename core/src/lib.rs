//! A sans-IO, allocation-bounded Apache Kafka **producer**: exactly once and in order, from 64 KiB of RAM up.
//!
//! This crate is the whole producer and does no I/O: no sockets, no threads, no clock, no allocation after construction,
//! no `unsafe`. An adapter moves bytes and time: `klamm-std` is one, and writing another takes about forty lines. What
//! the producer wants is a *level* that can be asked for at any time ([`Producer::demand`],
//! [`Producer::next_deadline`], [`Producer::poll_report`]), so calls may come in any order, and none is missed.
//!
//! # Run loop
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::TcpStream;
//!
//! use klamm::{Config, Demand, Destination, Instant, Limits, Outcome, Producer, Record, Storage, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "alloc")] {
//! let start = std::time::Instant::now();
//! let now = || Instant::from_micros(start.elapsed().as_micros() as u64);
//! // 1. Memory, configuration, a seed for jitter. Nothing is allocated after this.
//! let storage = Storage::boxed(&Limits::default());
//! let mut producer = Producer::new(&Config::new("localhost:9092"), storage, 42, now())?;
//! let wall = std::time::UNIX_EPOCH.elapsed()?.as_millis() as i64;
//! producer.set_clock(Timestamp::from_millis(wall), now());
//! // 2. A record for partition 0. (A key needs the number of partitions, which the first metadata brings.)
//! let topic = producer.topic("readings")?;
//! producer.send(Destination::partition(topic, 0), &Record::value(b"21.5"), now())?;
//! let mut sockets: HashMap<usize, TcpStream> = HashMap::new();
//! let mut bytes = [0; 4096];
//! loop {
//!     // 3. Let time pass.
//!     producer.handle_timeout(now());
//!     for conn in producer.connections() {
//!         // 4. Connect, write, read, close: whatever each connection wants.
//!         if producer.demand(conn) == Demand::Connect {
//!             let address = producer.address(conn).map(|a| (a.host.to_string(), a.port)).unwrap();
//!             producer.handle_dialing(conn, now());
//!             match TcpStream::connect(address) {
//!                 Ok(socket) => {
//!                     socket.set_nonblocking(true)?;
//!                     sockets.insert(conn.index(), socket);
//!                     producer.handle_connected(conn, now());
//!                 }
//!                 Err(_) => producer.handle_disconnected(conn, now()),
//!             }
//!         }
//!         let Some(socket) = sockets.get_mut(&conn.index()) else { continue };
//!         let mut alive = producer.demand(conn) != Demand::Close;
//!         while alive && producer.demand(conn) == Demand::Transmit {
//!             match producer.transmit_with(conn, now(), |t| socket.write(t.slices().next().unwrap())) {
//!                 Ok(_) => {}
//!                 Err(e) if e.kind() == ErrorKind::WouldBlock => break,
//!                 Err(_) => alive = false,
//!             }
//!         }
//!         match socket.read(&mut bytes) {
//!             Ok(0) => alive = false,
//!             Ok(n) => alive &= producer.handle_received(conn, &bytes[..n], now()).is_ok(),
//!             Err(e) => alive &= e.kind() == ErrorKind::WouldBlock,
//!         }
//!         if !alive {
//!             sockets.remove(&conn.index());
//!             producer.handle_disconnected(conn, now());
//!         }
//!     }
//!     // 5. Reports: exactly one outcome for every record.
//!     while let Some(report) = producer.poll_report() {
//!         match report.outcome {
//!             Outcome::Delivered { .. } => println!("at offset {:?}", report.offset(0)),
//!             other => println!("not delivered: {other:?}"),
//!         }
//!     }
//!     // 6. Sleep until a socket is ready or `next_deadline` has come (here: a short nap).
//!     if producer.stats().buffered == 0 { break }
//!     std::thread::sleep(std::time::Duration::from_millis(1));
//! }
//! # }
//! # Ok(()) }
//! ```
//!
//! # Promises
//!
//! - **One outcome law.** Every accepted record ends in exactly one of [`Outcome`]'s variants, and [`Stats`] adds up after
//!   every call.
//! - **Exactly once and in order per partition** with the defaults (acks all, idempotent, up to five batches in flight),
//!   through broker kills, leader moves, lost answers and jumps in time.
//! - **Bounded memory**, known before start: see [`Limits`] and [`Resources`].
//! - **Never silent**: an oversize record is refused at `send` with both sizes, a failure always reaches a report.
//!
//! # Features
//!
//! By default there is what a host does not notice and a microcontroller does (`default-features = false` saves 10 KB of
//! flash there): `flexible` (Kafka's newer versions; without it Produce 7 and Metadata 7, which every broker from Kafka
//! 2.1 on has), `api-versions` (brokers are asked which versions they speak), `split` (batches that a broker finds too
//! large), `relaxed` (producers without idempotence, [`Acks::Leader`]), `acks-0` ([`Acks::None`]), `crc-table` (1 KiB) and
//! `cluster` (leaders at addresses of their own, requests of several batches; without it all are reached through the
//! bootstrap server, with one batch a request, for one broker, a gateway or a proxy).
//!
//! The others are off: `alloc` ([`Storage::boxed`]), `grow` (batches over several chunks), `fast-crc` (a 16 KiB table),
//! and the codecs: `gzip` and `zstd` (need `alloc`), `lz4`, `snappy` and `gzip-tight` (memory from the heap or handed
//! in, [`CodecMemory`]). `compression`, which each of them implies, brings what they have in common.
//! Further: `policies` (bounds of the queue, drop policies, thresholds, delivery by hand), `snapshot` (state that
//! outlives a crash), `recorder` (every input, for a replay), `events` (a ring of events, figures of brokers and
//! partitions), `defmt` (`Format` of what is public).
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

/// Notes an input, where there is a recorder.
macro_rules! record {
    ($producer:expr, $($input:tt)+) => {
        #[cfg(feature = "recorder")]
        if $producer.storage.recorder.is_on() {
            $producer.storage.recorder.$($input)+;
        }
    };
}

mod backoff;
mod batch;
mod cluster;
#[cfg(feature = "compression")]
mod compress;
mod config;
mod connection;
mod error;
mod error_code;
#[cfg(feature = "events")]
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod id;
mod limits;
#[cfg(feature = "events")]
mod metrics;
mod options;
mod partition;
#[cfg(feature = "policies")]
mod policy;
mod producer;
#[cfg(feature = "policies")]
mod profile;
#[cfg(feature = "recorder")]
pub mod recorder;
mod storage;
mod time;
mod wire;

pub use batch::builder::{AppendError, BatchBuilder};
pub use batch::record::{Header, Record};
#[cfg(all(feature = "alloc", feature = "compression"))]
pub use compress::compressor::Compressor;
#[cfg(feature = "codec-memory")]
pub use compress::memory::CodecMemory;
pub use config::{Acks, Compression, Config, Idempotence};
pub use connection::transmit::Transmit;
pub use error::{ConfigError, ProtocolError, Reason, SendError};
pub use error_code::ErrorCode;
#[cfg(feature = "events")]
pub use event::{Event, EventBatch, EventBroker, EventKind, EventSlot};
pub use id::{BatchId, ConnId, PartitionId, RecordId, TopicId, TopicUuid};
pub use limits::Limits;
#[cfg(feature = "events")]
pub use metrics::{
    BrokerState, BrokerStats, Latency, Metrics, PartitionStats, PartitionTotals, Traffic,
};
pub use partition::partitioner;
#[cfg(feature = "policies")]
pub use policy::{Overflow, Policies};
#[cfg(feature = "compression")]
pub use producer::codec::Uncompressed;
pub use producer::explain::Explain;
pub use producer::report::{Headers, Outcome, RecordRef, Records, Report};
#[cfg(feature = "snapshot")]
pub use producer::snapshot::{Numbered, RestoreError};
pub use producer::{Address, Demand, Destination, FlushTicket, Producer, Scope, Stats, Timer};
#[cfg(feature = "policies")]
pub use profile::Profile;
pub use storage::Storage;
pub use storage::carve::Memory;
pub use storage::resources::Resources;
pub use time::{Instant, Timestamp};
pub use wire::crc::crc32c;
