//! Errors, by who must act: the programmer at start, the caller of `send` now, the reader of a report later,
//! the adapter.

use core::fmt;

use crate::error_code::ErrorCode;
use crate::id::TopicId;

/// The configuration or the memory handed in cannot work. For the programmer, at start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// `bootstrap_servers` names no `host:port`, or one that cannot be read.
    BootstrapServers,
    /// A text does not fit its place in the storage.
    TextTooLong {
        /// Which option.
        option: &'static str,
        /// The most bytes that fit.
        max: u16,
    },
    /// An option is outside of its range.
    OutOfRange {
        /// Which option.
        option: &'static str,
        /// The smallest legal value.
        min: u32,
        /// The largest legal value.
        max: u32,
    },
    /// Two options contradict each other.
    Conflict {
        /// The option that asks for it.
        option: &'static str,
        /// The option that forbids it.
        with: &'static str,
    },
    /// The codec is not built in: enable its Cargo feature.
    CodecMissing,
    /// The storage is too small to hold one batch, connection, partition and topic.
    StorageTooSmall {
        /// What there is too little of.
        what: &'static str,
        /// How many or how large at least.
        min: u32,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BootstrapServers => {
                f.write_str("bootstrap_servers: expected host:port, separated by commas")
            }
            Self::TextTooLong { option, max } => write!(f, "{option}: longer than {max} bytes"),
            Self::OutOfRange { option, min, max } => write!(f, "{option}: not in {min}..={max}"),
            Self::Conflict { option, with } => write!(f, "{option} conflicts with {with}"),
            Self::CodecMissing => f.write_str("compression_type: codec not built in"),
            Self::StorageTooSmall { what, min } => write!(f, "storage: {what} below {min}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Why `send` did not accept a record. Nothing has changed, and the record is still the caller's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// All memory is in use: retry when a report has been taken.
    Full,
    /// The record can never be sent: it takes `size` bytes as a batch of its own, `max` are allowed.
    TooLarge {
        /// Bytes of the batch that holds only this record.
        size: u32,
        /// The largest batch allowed, from `max_request_size` and the storage.
        max: u32,
    },
    /// The queue has as many records or bytes waiting as an option allows: retry when some have been sent.
    QueueFull {
        /// The record's topic.
        topic: TopicId,
        /// The option, one of [`Policies`](crate::Policies)'.
        option: &'static str,
        /// Its value.
        max: u32,
    },
    /// The record was dropped, as `Overflow::DropNewest` asks for; it is counted in `Stats::refused`.
    Dropped,
    /// A batch without a record.
    EmptyBatch,
    /// The number of partitions is not known yet: retry when the first metadata has come.
    TopicPending,
    /// A broker answered with this error for the topic. 3 may heal; 17 and 29 need a person.
    Topic(ErrorCode),
    /// The topic's name is empty, too long, or has a character other than letters, digits, `.`, `_`, `-`.
    InvalidTopic,
    /// No topic slot is left (`Limits::topics`).
    NoTopicSlot,
    /// No partition slot is left (`Limits::partitions`).
    NoPartitionSlot,
    /// The topic has no such partition.
    NoSuchPartition,
    /// `close` was called, or the producer has stopped.
    Closed,
    /// The codec that the record asks for is not built in, or has no memory (`Limits::codecs`).
    CodecMissing,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Full => f.write_str("buffer full: take reports, then try again"),
            Self::TooLarge { size, max } => {
                write!(f, "record too large: {size} bytes as a batch, at most {max} allowed")
            }
            Self::QueueFull { option, max, .. } => {
                write!(f, "queue full: {option} = {max} reached")
            }
            Self::Dropped => f.write_str("dropped: the buffer or queue is full"),
            Self::EmptyBatch => f.write_str("the batch has no record"),
            Self::TopicPending => f.write_str("partitions of the topic not known yet"),
            Self::Topic(code) => write!(f, "topic: {code}"),
            Self::InvalidTopic => f.write_str("invalid topic name"),
            Self::NoTopicSlot => f.write_str("no topic slot left: raise Limits::topics"),
            Self::NoPartitionSlot => {
                f.write_str("no partition slot left: raise Limits::partitions")
            }
            Self::NoSuchPartition => f.write_str("the topic has no such partition"),
            Self::Closed => f.write_str("producer closed"),
            Self::CodecMissing => f.write_str("no such codec: add it to Limits::codecs"),
        }
    }
}

impl core::error::Error for SendError {}

/// Why a record was not delivered, or why that is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Reason {
    /// A broker refused the batch with an error that is not retried.
    Rejected(ErrorCode),
    /// `delivery_timeout_ms` passed; `last` is what was last heard about the batch (0: it was never answered).
    TimedOut {
        /// The last error of the batch, or of its topic.
        last: ErrorCode,
    },
    /// Another record of the same batch was invalid; this one may be sent again.
    Neighbour,
    /// The broker lost the producer's state or acknowledged data.
    DataLoss,
    /// Retries were used up; `last` is the last error.
    Retries {
        /// The last error of the batch.
        last: ErrorCode,
    },
    /// `purge` was called.
    Purged,
    /// One record alone is larger than the broker allows.
    TooLarge,
    /// The topic has fewer partitions than [`Producer::expect_partitions`](crate::Producer::expect_partitions) said.
    NoSuchPartition,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rejected(code) => write!(f, "rejected: {code}"),
            Self::TimedOut { last: ErrorCode::NONE } => f.write_str("delivery timed out"),
            Self::TimedOut { last } => write!(f, "delivery timed out, last error: {last}"),
            Self::Neighbour => f.write_str("another record of the batch was invalid"),
            Self::DataLoss => f.write_str("the broker lost data or the producer's state"),
            Self::Retries { last } => write!(f, "retries used up, last error: {last}"),
            Self::Purged => f.write_str("purged"),
            Self::TooLarge => f.write_str("record larger than the broker allows"),
            Self::NoSuchPartition => f.write_str("the topic has no such partition"),
        }
    }
}

impl core::error::Error for Reason {}

/// The peer broke the protocol, or is not a Kafka broker: close the connection. The producer has already taken
/// everything in flight on it as unanswered, and `demand` says `Close`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProtocolError {
    /// The size of a frame is negative, too small, or larger than allowed; `tls` when it looks like a TLS alert.
    FrameSize {
        /// Do the bytes look like TLS?
        tls: bool,
    },
    /// An answer to no request, or out of order.
    Correlation,
    /// The bytes do not parse.
    Malformed,
    /// Bytes came for a connection that is not open.
    NotConnected,
    /// The broker cannot be used: it supports no common version, or refused the handshake.
    Handshake(ErrorCode),
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::FrameSize { tls: true } => f.write_str("the peer speaks TLS"),
            Self::FrameSize { tls: false } => f.write_str("frame size out of bounds"),
            Self::Correlation => f.write_str("answer out of order"),
            Self::Malformed => f.write_str("malformed answer"),
            Self::NotConnected => f.write_str("bytes for a connection that is not open"),
            Self::Handshake(code) => write!(f, "handshake failed: {code}"),
        }
    }
}

impl core::error::Error for ProtocolError {}
