//! Addresses at which nobody listens.

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU16, Ordering};
use std::io::{self, ErrorKind};
use std::net::TcpListener;

/// Below the ports that systems give away by themselves.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// An address on loopback at which nobody listens, for a test to have connections refused, or to listen at later.
///
/// Whoever asks for port 0 is never given it, and no outgoing connection comes from it. The port of a listener that
/// was closed is no such port: another test's listener may have it a moment later.
///
/// # Errors
/// No port is free.
pub fn nobody() -> io::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Other processes look for ports at the same time: each starts somewhere else.
    let start = u64::from(std::process::id()) * 127 % u64::from(COUNT);
    let start = u16::try_from(start).unwrap_or_default();
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(io::Error::new(ErrorKind::AddrInUse, "no port from 20000 to 29999 is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same_and_one_can_listen_there() {
        let addresses = [nobody(), nobody(), nobody()].map(|address| address.expect("free"));
        let [a, b, c] = addresses;
        assert!(a != b && b != c && a != c, "{addresses:?}");
        let listener = TcpListener::bind(a).expect("nobody is there");
        assert_eq!(listener.local_addr().expect("an address"), a);
        assert_ne!(nobody().expect("another one"), a);
    }
}
