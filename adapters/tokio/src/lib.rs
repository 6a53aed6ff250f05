//! klamm over tokio: an Apache Kafka producer for asynchronous programs.
//!
//! ```no_run
//! use core::time::Duration;
//! use klamm_tokio::{Producer, Record};
//!
//! # async fn example() -> Result<(), Box<dyn core::error::Error>> {
//! let producer = Producer::from_properties([
//!     ("bootstrap.servers", "localhost:9092"),
//!     ("linger.ms", "20"),
//! ])?;
//! let record = Record::value(b"21.5").with_key(b"sensor-7");
//! // Accepted when `send` is ready, delivered when its `Delivery` is.
//! let delivery = producer.send("readings", &record).await?;
//! println!("at offset {:?}", delivery.await?.offset);
//! let closed = producer.close(Duration::from_secs(10)).await;
//! assert!(closed.undelivered.is_empty());
//! # Ok(()) }
//! ```
//!
//! It is `klamm-std` with `async`: the same options, the same outcomes, the same order. One task,
//! the *driver*, owns the sockets; any number of tasks share a [`Producer`]. Every future may be
//! dropped at any time: a `send` that was not ready has not accepted its record, anything accepted
//! goes out whoever waits for it.
//!
//! The runtime needs I/O and time (`enable_all`).

mod driver;
mod producer;
mod socket;
mod topic;
mod wait;

pub use klamm::{
    Acks, AppendError, BatchId, BrokerState, Compression, Config, ErrorCode, Event, EventBatch,
    EventBroker, EventKind, Header, Idempotence, Latency, Limits, Metrics, Outcome, Overflow,
    PartitionId, PartitionStats, PartitionTotals, Policies, Profile, Reason, Record, RecordId,
    Report, Scope, Stats, Timestamp, TopicId, Traffic,
};
pub use klamm_host::{
    Batch, BatchDelivery, BatchReport, BrokerStatistics, Buckets, BuildError, Closed,
    ConnectionError, Delivered, Delivery, DeliveryError, Draft, DraftHeader, DriverFailure,
    Interceptor, KeepRecords, Latencies, OwnedHeader, OwnedRecord, ProduceError, ProducerEvent,
    PropertyError, SendError, Statistics, TopicStatistics, Undelivered, Window,
};
#[cfg(feature = "json")]
pub use klamm_host::{JsonError, canonical_json};
pub use producer::Producer;
pub use topic::Topic;

/// Options of a [`Producer`].
pub type Builder = klamm_host::Builder<Producer>;
