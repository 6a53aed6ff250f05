//! Errors, by who must act.

use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use klamm::{ConfigError, Reason};

/// Why a producer could not be made. For the programmer, at start.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// An option is out of range, or options conflict.
    Config(ConfigError),
    /// A property is unknown, cannot be read, or conflicts with another.
    Property(PropertyError),
    /// The system refused what a driver needs: a thread, a poller, a runtime.
    System(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Options are fields in Rust and properties elsewhere: the dotted names fit both.
            Self::Config(error) => f.write_str(&error.to_string().replace('_', ".")),
            Self::Property(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start the driver: {error}"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Property(error) => Some(error),
            Self::System(error) => Some(error),
        }
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<PropertyError> for BuildError {
    fn from(error: PropertyError) -> Self {
        Self::Property(error)
    }
}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What is wrong with a property.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PropertyError {
    /// No property has this name.
    Unknown {
        /// The name.
        name: String,
        /// The known name that is most like it, if one is.
        closest: Option<&'static str>,
    },
    /// A property that other clients have, and klamm has not.
    Unsupported {
        /// The name.
        name: String,
    },
    /// The value cannot be read, or is out of range.
    Value {
        /// The property.
        name: String,
        /// Its value.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The property, or an alias of it, is given twice with different values.
    Twice {
        /// The name given first.
        first: String,
        /// The name given then.
        second: String,
    },
    /// Two properties contradict each other.
    Conflict {
        /// One, with its value.
        one: String,
        /// The other, with its value.
        other: String,
        /// What would be right.
        rule: &'static str,
    },
    /// `bootstrap.servers` is not given.
    NoServers,
    /// A file of properties cannot be read.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, closest: Some(closest) } => {
                write!(f, "unknown property {name}; did you mean {closest}?")
            }
            Self::Unknown { name, closest: None } => write!(f, "unknown property {name}"),
            Self::Unsupported { name } => write!(f, "klamm does not support {name} yet"),
            Self::Value { name, value, expected } => {
                write!(f, "{name}={value}: expected {expected}")
            }
            Self::Twice { first, second } if first == second => {
                write!(f, "{first} is given twice, with different values")
            }
            Self::Twice { first, second } => {
                write!(f, "{first} and {second} are the same property, given different values")
            }
            Self::Conflict { one, other, rule } => {
                write!(f, "{one} conflicts with {other}: {rule}")
            }
            Self::NoServers => f.write_str("bootstrap.servers is missing: say host:port"),
            Self::File { path, problem } => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl core::error::Error for PropertyError {}

/// Why a record was not accepted. Nothing has changed, it will never be sent, and it is still the
/// caller's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// At once, for this reason.
    Refused(klamm::SendError),
    /// `max.block.ms` was over before there was memory, or before the topic's partitions were
    /// known.
    TimedOut {
        /// How long the call waited.
        waited: Duration,
        /// What it waited for.
        last: klamm::SendError,
    },
    /// The driver has failed, and no new one can be started: there is no runtime, or the system
    /// refuses a thread.
    DriverFailed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => reason.fmt(f),
            Self::TimedOut { waited, last } => {
                write!(f, "gave up after {} ms: {last}", waited.as_millis())
            }
            Self::DriverFailed => {
                f.write_str("the driver has failed, and no new one can be started")
            }
        }
    }
}

impl core::error::Error for SendError {}

/// Why an accepted record was not delivered, or why that is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeliveryError {
    /// It is certainly not in the log.
    NotPersisted(Reason),
    /// It may be in the log, once at most, or not.
    Unknown(Reason),
    /// A drop policy removed it before it was sent.
    Dropped,
    /// The driver failed in the middle of something, before there was an outcome: it may be in the
    /// log.
    DriverFailed,
    /// It was sent by the process that this one was forked from, and its outcome is told there.
    OtherProcess,
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPersisted(reason) => write!(f, "not delivered: {reason}"),
            Self::Unknown(reason) => write!(f, "may or may not be delivered: {reason}"),
            Self::Dropped => f.write_str("dropped to make room"),
            Self::DriverFailed => f.write_str("may or may not be delivered: the driver failed"),
            Self::OtherProcess => f.write_str("sent by the parent process, which knows more"),
        }
    }
}

impl core::error::Error for DeliveryError {}

/// Why `send_and_wait` did not deliver, or does not know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ProduceError {
    /// The record was not accepted: it will never be sent.
    Send(SendError),
    /// It was accepted, and not delivered, or that is not known.
    Delivery(DeliveryError),
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Delivery(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ProduceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Send(error) => Some(error),
            Self::Delivery(error) => Some(error),
        }
    }
}

impl From<SendError> for ProduceError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<DeliveryError> for ProduceError {
    fn from(error: DeliveryError) -> Self {
        Self::Delivery(error)
    }
}

/// Why a driver ended before its producer was closed. The next call starts a new one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DriverFailure {
    /// What happened.
    pub message: String,
    /// How many drivers of this producer have failed so far.
    pub failures: u64,
    /// Accepted records that are in no batch report: those at which a panic in the core itself (a
    /// checksum function of one's own) caught it. Each `Delivery` and callback was told.
    pub unreported: u64,
}

impl fmt::Display for DriverFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the driver failed: {}", self.message)
    }
}

impl core::error::Error for DriverFailure {}
