//! What goes wrong: with a record, with a connection.

use core::fmt;

use klamm::{ProtocolError, Reason, SendError};

/// Why [`Producer::send_and_wait`](crate::Producer::send_and_wait) has no offset to tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProduceError {
    /// The record was not accepted: it is still the caller's.
    Refused(SendError),
    /// It is certainly not in the log.
    NotPersisted(Reason),
    /// It may be in the log, once, or not.
    Unknown(Reason),
    /// It was removed by a drop policy before it was sent.
    Dropped,
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "not accepted: {error}"),
            Self::NotPersisted(reason) => write!(f, "not persisted: {reason}"),
            Self::Unknown(reason) => write!(f, "may be in the log: {reason}"),
            Self::Dropped => f.write_str("dropped before it was sent"),
        }
    }
}

impl core::error::Error for ProduceError {}

/// Why a connection ended, or was never made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Lost {
    /// The name has no address, or no name server answered.
    Name,
    /// Nobody listens there, or there is no way there.
    Refused,
    /// `socket_connection_setup_timeout_ms` passed without a connection: no network, no answer from
    /// the name server, no answer from the broker.
    NoAnswer,
    /// The peer closed it, or the network lost it.
    Closed,
    /// The producer closed it: an answer took longer than `request_timeout_ms`, nobody needed it for
    /// `connections_max_idle_ms`, or another broker needs the slot.
    GivenUp,
    /// The peer broke the protocol, or is no broker.
    Protocol(ProtocolError),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the name has no address"),
            Self::Refused => f.write_str("connection refused"),
            Self::NoAnswer => f.write_str("no answer while connecting"),
            Self::Closed => f.write_str("connection closed by the peer"),
            Self::GivenUp => f.write_str("closed: no answer in time, idle, or slot needed"),
            Self::Protocol(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for Lost {}
