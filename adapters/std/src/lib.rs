//! klamm over std sockets: an Apache Kafka producer for programs with threads.
//!
//! ```no_run
//! use core::time::Duration;
//! use klamm_std::{Producer, Record};
//!
//! let producer = Producer::from_properties([
//!     ("bootstrap.servers", "localhost:9092"),
//!     ("linger.ms", "20"),
//! ])?;
//! let delivery = producer.send("readings", &Record::value(b"21.5").with_key(b"sensor-7"))?;
//! println!("at offset {:?}", delivery.wait()?.offset);
//! let closed = producer.close(Duration::from_secs(10));
//! assert!(closed.undelivered.is_empty());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! One thread, the *driver*, owns the sockets; any number of threads share a [`Producer`], which
//! is a handle that is cheap to clone. The state machine is the crate `klamm`, of which this one
//! uses the public API and nothing else.
//!
//! # What became of a record
//!
//! [`Producer::send`] gives a [`Delivery`] to wait for, poll, await or ignore: dropping it cancels
//! nothing. [`Producer::send_then`] calls back, [`Producer::send_and_wait`] waits.
//! [`Builder::on_report`] and [`Interceptor`]s hear of every batch. [`Producer::post`] accepts a
//! record without a `Delivery`, for those who count on reports or on [`Producer::stats`] alone.
//!
//! # Waiting
//!
//! When the memory is full, or while the partitions of a topic are not known yet, `send` waits for
//! up to `max.block.ms`, and waiting threads are served in the order they came. The `try_` methods
//! never wait. In a callback, which runs on the driver's thread, nothing waits.
//!
//! # One thread
//!
//! A program with a loop of its own can do without the driver's thread: a [`LocalProducer`] is polled,
//! has no lock, and never waits but in its `poll`.
//!
//! # Forks, and drivers that die
//!
//! In a forked child the first call starts afresh: connections, producer id and memory of its own.
//! The parent's records stay the parent's, also their `Delivery`s, unless the outcome was known
//! before ([`DeliveryError::OtherProcess`]). [`Topic`]s can be used in both. A callback that waits for a
//! lock may find it locked for ever in the child, as anything may.
//!
//! A driver that panicked is replaced by the next call. What it had is reported: *not persisted* if
//! it was never sent, *unknown* otherwise; [`Producer::last_driver_failure`] says why.

mod driver;
mod local;
mod producer;
mod resolve;
mod scoped;
mod socket;
mod topic;
mod wires;

/// Why the core refused a record: what [`SendError::Refused`] holds.
pub use klamm::SendError as Refusal;
pub use klamm::{
    Acks, AppendError, BatchId, BrokerState, Compression, Config, Destination, ErrorCode, Event,
    EventBatch, EventBroker, EventKind, Header, Idempotence, Latency, Limits, Metrics, Outcome,
    Overflow, PartitionId, PartitionStats, PartitionTotals, Policies, Profile, Reason, Record,
    RecordId, Report, Scope, Stats, Timestamp, TopicId, Traffic,
};
pub use klamm_host::{
    Batch, BatchDelivery, BatchReport, BrokerStatistics, Buckets, BuildError, Closed,
    ConnectionError, Delivered, Delivery, DeliveryError, Draft, DraftHeader, DriverFailure,
    Interceptor, KeepRecords, Latencies, OwnedHeader, OwnedRecord, ProduceError, ProducerEvent,
    PropertyError, SendError, Statistics, TopicStatistics, Undelivered, Window,
};
#[cfg(feature = "json")]
pub use klamm_host::{JsonError, canonical_json};
pub use local::LocalProducer;
pub use producer::Producer;
pub use scoped::Scoped;
pub use topic::Topic;

/// Options of a [`Producer`].
pub type Builder = klamm_host::Builder<Producer>;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
