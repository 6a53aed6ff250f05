//! The way to a broker, and bytes on their way: what every adapter's socket needs, without a socket.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::io;

use crate::connection_error::ConnectionError;

/// Bytes that wait for the kernel, at most: beyond that the core keeps them.
const OUT_BYTES: usize = 128 * 1024;

/// A host, its addresses to be tried one after the other, and what went wrong with them.
#[derive(Debug, Default)]
pub struct Route {
    host: String,
    port: u16,
    untried: VecDeque<SocketAddr>,
    /// The address that was being tried when the core's connect timeout closed the socket. The next
    /// dial begins after it: else one address that swallows packets would hide all others.
    silent: Option<SocketAddr>,
    error: Option<ConnectionError>,
}

impl Route {
    /// To this host from now on. Its addresses are to be asked for, every time anew: they may have
    /// changed since the last connection (a broker in a container that was restarted).
    pub fn set(&mut self, host: String, port: u16) {
        if (&self.host, self.port) != (&host, port) {
            self.silent = None;
        }
        (self.host, self.port) = (host, port);
        self.untried.clear();
    }

    /// The host's addresses, to be tried in this order. Are there any?
    pub fn found(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) -> bool {
        self.untried = addresses.into_iter().collect();
        if self.untried.is_empty() {
            self.note(None, "the name has no address");
        }
        let silent = self.untried.iter().position(|address| Some(*address) == self.silent);
        if let Some(place) = silent {
            self.untried.rotate_left(place + 1);
        }
        !self.untried.is_empty()
    }

    /// The address to be tried next.
    pub fn next_address(&mut self) -> Option<SocketAddr> {
        self.untried.pop_front()
    }

    /// This dial is over: it is connected, or given up.
    pub fn done(&mut self) {
        self.untried.clear();
    }

    /// The last address was as good as any.
    pub fn connected(&mut self) {
        self.silent = None;
        self.done();
    }

    /// The core gave up on this address while it was being tried.
    pub fn kept_silent(&mut self, address: SocketAddr) {
        self.silent = Some(address);
        self.note(Some(address), "no answer while connecting");
    }

    /// Keeps what went wrong for `take_error`.
    pub fn note(&mut self, address: Option<SocketAddr>, message: &str) {
        self.error = Some(ConnectionError::new(&self.host, self.port, address, message));
    }

    /// The same, in the system's words without its error numbers, where it has any.
    pub fn note_io(&mut self, address: Option<SocketAddr>, error: &io::Error) {
        let text = error.to_string();
        let message = match text.find(" (os error") {
            Some(end) => text[..end].to_lowercase(),
            None => text,
        };
        self.note(address, &message);
    }

    /// What went wrong last, once.
    pub fn take_error(&mut self) -> Option<ConnectionError> {
        self.error.take()
    }
}

/// Bytes taken from the core that the kernel has not taken yet: one request, as a rule.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Box<[u8]>,
    written: usize,
    filled: usize,
}

impl Outbox {
    /// All the room, if there is nothing in it: so a request is not taken in small pieces.
    pub fn room(&mut self) -> Option<&mut [u8]> {
        if self.filled > 0 {
            return None;
        }
        if self.bytes.is_empty() {
            self.bytes = vec![0; OUT_BYTES].into_boxed_slice();
        }
        Some(&mut self.bytes)
    }

    /// `bytes` of the room are to be written.
    pub fn fill(&mut self, bytes: usize) {
        self.filled = bytes;
    }

    /// What is to be written.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..self.filled).unwrap_or_default()
    }

    /// So much of it was.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        if self.written >= self.filled {
            self.clear();
        }
    }

    /// Is there nothing to be written?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The connection is gone, and with it what was to be written.
    pub fn clear(&mut self) {
        (self.written, self.filled) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 9092))
    }

    #[test]
    fn an_address_that_kept_silent_comes_last_next_time() {
        let mut route = Route::default();
        let all = [1, 2, 3].map(address);
        for expected in [1, 2, 3, 1].map(address) {
            route.set("kafka".into(), 9092);
            assert!(route.found(all));
            assert_eq!(route.next_address(), Some(expected));
            route.kept_silent(expected);
        }
        // Another host's addresses have nothing to do with it.
        route.set("zookeeper".into(), 9092);
        assert!(route.found(all));
        assert_eq!(route.next_address(), Some(address(1)));
    }

    #[test]
    fn errors_name_the_host_and_the_address() {
        let mut route = Route::default();
        route.set("kafka".into(), 9092);
        assert!(!route.found([]));
        let told = |route: &mut Route| route.take_error().map(|error| error.to_string());
        assert_eq!(told(&mut route).as_deref(), Some("kafka:9092: the name has no address"));
        route.note_io(Some(address(1)), &io::Error::from_raw_os_error(111));
        let text = told(&mut route).expect("an error");
        assert!(text.starts_with("kafka:9092 (127.0.0.1:9092): "), "{text}");
        assert!(!text.contains("os error"), "{text}");
        route.set("127.0.0.1".into(), 9092);
        route.note(Some(address(1)), "why");
        assert_eq!(told(&mut route).as_deref(), Some("127.0.0.1:9092: why"));
        assert_eq!(told(&mut route), None);
    }

    #[test]
    fn the_outbox_takes_a_request_when_the_last_one_is_out() {
        let mut out = Outbox::default();
        out.room().expect("empty")[..3].copy_from_slice(b"abc");
        out.fill(3);
        assert!(out.room().is_none());
        out.wrote(2);
        assert_eq!(out.rest(), b"c");
        out.wrote(1);
        assert!(out.is_empty() && out.rest().is_empty() && out.room().is_some());
    }
}
