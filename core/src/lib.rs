//! klamm: a sans-IO, allocation-bounded Apache Kafka producer.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod backoff;
mod batch;
mod cluster;
mod compress;
mod config;
mod connection;
mod error;
mod error_code;
mod id;
mod limits;
mod partition;
mod producer;
mod storage;
mod time;
mod wire;

pub use batch::record::{Header, Record};
pub use config::{Acks, Compression, Config, Idempotence};
pub use connection::transmit::Transmit;
pub use error::{ConfigError, ProtocolError, Reason, SendError};
pub use error_code::ErrorCode;
pub use id::{BatchId, ConnId, PartitionId, RecordId, TopicId, TopicUuid};
pub use limits::Limits;
pub use producer::report::{Headers, Outcome, RecordRef, Records, Report};
pub use producer::{Address, Demand, Destination, FlushTicket, Producer, Stats, Timer};
pub use storage::Storage;
pub use storage::resources::Resources;
pub use time::{Instant, Timestamp};
pub use wire::crc::crc32c;
