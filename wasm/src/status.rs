//! Errors as numbers: `js/errors.ts` has the words. Text here would be a tenth of the module.

use klamm::{ConfigError, ProtocolError, Reason, SendError};

/// Why `start` failed.
pub(crate) const fn of_config(error: &ConfigError) -> u32 {
    match error {
        ConfigError::BootstrapServers => 1,
        ConfigError::TextTooLong { .. } => 2,
        ConfigError::OutOfRange { .. } => 3,
        ConfigError::Conflict { .. } => 4,
        ConfigError::CodecMissing => 5,
        ConfigError::StorageTooSmall { .. } => 6,
        _ => u32::MAX,
    }
}

/// The texts of a `ConfigError`: which option, and which other one.
pub(crate) const fn texts_of(error: &ConfigError) -> [&'static str; 2] {
    match error {
        ConfigError::TextTooLong { option, .. } | ConfigError::OutOfRange { option, .. } => {
            [option, ""]
        }
        ConfigError::Conflict { option, with } => [option, with],
        ConfigError::StorageTooSmall { what, .. } => [what, ""],
        _ => ["", ""],
    }
}

/// Bounds of a `ConfigError`.
pub(crate) const fn bounds_of(error: &ConfigError) -> [u32; 2] {
    match error {
        ConfigError::TextTooLong { max, .. } => [0, *max as u32],
        ConfigError::OutOfRange { min, max, .. } => [*min, *max],
        ConfigError::StorageTooSmall { min, .. } => [*min, u32::MAX],
        _ => [0, 0],
    }
}

/// Why a record was refused, and two numbers about it.
pub(crate) fn of_send(error: &SendError) -> [u32; 3] {
    match *error {
        SendError::Full => [1, 0, 0],
        SendError::TooLarge { size, max } => [2, size, max],
        SendError::TopicPending => [3, 0, 0],
        SendError::Topic(code) => [4, u32::from(code.0.cast_unsigned()), 0],
        SendError::InvalidTopic => [5, 0, 0],
        SendError::NoTopicSlot => [6, 0, 0],
        SendError::NoPartitionSlot => [7, 0, 0],
        SendError::NoSuchPartition => [8, 0, 0],
        SendError::Closed => [9, 0, 0],
        SendError::CodecMissing => [10, 0, 0],
        _ => [u32::MAX, 0, 0],
    }
}

/// Why a record was not delivered, and the broker's error.
pub(crate) fn of_reason(reason: &Reason) -> [u32; 2] {
    let [number, code] = match *reason {
        Reason::Rejected(code) => [1, code.0],
        Reason::TimedOut { last } => [2, last.0],
        Reason::Neighbour => [3, 0],
        Reason::DataLoss => [4, 0],
        Reason::Retries { last } => [5, last.0],
        Reason::Purged => [6, 0],
        Reason::TooLarge => [7, 0],
        Reason::NoSuchPartition => [8, 0],
        _ => [9, 0],
    };
    [u32::from(number.cast_unsigned()), u32::from(code.cast_unsigned())]
}

/// How a peer broke the protocol.
pub(crate) const fn of_protocol(error: &ProtocolError) -> u32 {
    match error {
        ProtocolError::FrameSize { tls: true } => 1,
        ProtocolError::FrameSize { tls: false } => 2,
        ProtocolError::Correlation => 3,
        ProtocolError::Malformed => 4,
        ProtocolError::NotConnected => 5,
        ProtocolError::Handshake(_) => 6,
        _ => 7,
    }
}
