//! What klamm's adapters for hosts share: everything but sockets and how one waits.
//!
//! Applications use `klamm-std` or `klamm-tokio`. This is for those who write an adapter for
//! another runtime: start a [`Handle`] with a [`Driver`] of your own, which runs an [`Engine`] over
//! [`Link`]s, and wait for an [`Operation`] in your way.
//!
//! A producer has *generations*: a core and a driver. It begins a new one when a call finds that
//! the driver died, or that the process was forked; the topics keep their ids.

mod batch;
mod builder;
mod callbacks;
#[cfg(feature = "json")]
mod canonical_json;
mod clock;
mod completion;
mod connection_error;
mod delivery;
mod engine;
mod error;
mod gate;
mod handle;
mod hooks;
mod instrument;
mod interceptor;
mod local;
#[cfg(feature = "lz4")]
mod lz4_frame;
mod operation;
mod outcomes;
mod owned;
mod policy_properties;
mod process;
mod properties;
mod properties_file;
mod property_table;
mod route;
mod shared;
mod signal;
mod squeeze;

pub use batch::{Batch, BatchDelivery};
pub use builder::{Builder, KeepRecords, Options, Start};
#[cfg(feature = "json")]
pub use canonical_json::{JsonError, canonical_json};
pub use connection_error::ConnectionError;
pub use delivery::{Delivered, Delivery};
pub use engine::{Dial, Engine, Fact, Link, Turn};
pub use error::{BuildError, DeliveryError, DriverFailure, ProduceError, PropertyError, SendError};
pub use handle::{Closing, Driver, Flushing, Handle, Unborn};
pub use hooks::BatchReport;
pub use instrument::{
    BrokerStatistics, Buckets, Latencies, ProducerEvent, Statistics, TopicStatistics, Window,
};
pub use interceptor::{Draft, DraftHeader, Interceptor};
pub use local::Local;
pub use operation::{Asking, Batching, Operation, Posting, Registering, Sending, Waiting};
pub use owned::{Closed, OwnedHeader, OwnedRecord, Undelivered};
pub use route::{Outbox, Route};
pub use shared::{Shared, Target};
pub use signal::Signal;
