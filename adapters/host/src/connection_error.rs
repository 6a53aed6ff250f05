//! Why there is no connection: the first question when nothing moves.

use core::fmt;
use core::net::SocketAddr;

/// What went wrong with a connection last.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConnectionError {
    /// The broker, as `host:port`; with the address tried where that is not the host.
    pub address: String,
    /// What happened.
    pub message: String,
}

impl ConnectionError {
    /// For those who dial: what happened to the broker `host:port`, at `address` if one is known.
    #[must_use]
    pub fn new(host: &str, port: u16, address: Option<SocketAddr>, message: &str) -> Self {
        let name = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let address = match address {
            Some(address) if address.to_string() != name => format!("{name} ({address})"),
            _ => name,
        };
        Self { address, message: message.to_owned() }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.message)
    }
}

impl core::error::Error for ConnectionError {}
