//! klamm: a sans-IO, allocation-bounded Apache Kafka producer.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod batch;
mod compress;
mod config;
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
pub use error::{ConfigError, ProtocolError, Reason, SendError};
pub use error_code::ErrorCode;
pub use id::{BatchId, ConnId, PartitionId, RecordId, TopicId, TopicUuid};
pub use limits::Limits;
pub use producer::report::{Outcome, Report};
pub use producer::{
    Address, Demand, Destination, FlushTicket, Producer, Records, Stats, Timer, Transmit,
};
pub use storage::Storage;
pub use time::{Instant, Timestamp};
pub use wire::crc::crc32c;
