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
//! nothing. [`Builder::on_report`] hears of every batch. [`Producer::post`] accepts a record
//! without a `Delivery`, for those who count on the report or on [`Producer::stats`] alone.
//!
//! # Waiting
//!
//! When the memory is full, or while the partitions of a topic are not known yet, `send` waits for
//! up to `max.block.ms`, and waiting threads are served in the order they came. The `try_` methods
//! never wait. In a callback, which runs on the driver's thread, nothing waits.

mod builder;
mod callback;
mod clock;
mod completion;
mod connection_error;
mod delivery;
mod driver;
mod error;
mod gate;
mod owned;
mod producer;
mod properties;
mod resolve;
mod shared;
mod signal;
mod socket;
mod topic;

pub use builder::{Builder, KeepRecords};
pub use callback::BatchReport;
pub use connection_error::ConnectionError;
pub use delivery::{Delivered, Delivery};
pub use error::{BuildError, DeliveryError, PropertyError, SendError};
pub use klamm::{
    Acks, BatchId, Compression, Config, ErrorCode, Header, Idempotence, Limits, Outcome,
    PartitionId, Reason, Record, RecordId, Report, Stats, Timestamp, TopicId,
};
pub use owned::{Closed, OwnedHeader, OwnedRecord, Undelivered};
pub use producer::Producer;
pub use topic::Topic;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
