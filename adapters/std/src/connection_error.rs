//! Why there is no connection: the first question when nothing moves.

use core::fmt;

/// What went wrong with a connection last.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionError {
    /// The broker, as `host:port`; with the address tried where that is not the host.
    pub address: String,
    /// What happened.
    pub message: String,
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.message)
    }
}

impl core::error::Error for ConnectionError {}
