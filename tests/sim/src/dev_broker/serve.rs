//! One thread that carries bytes between sockets and the cluster.

use super::store::Store;
use super::{lock, micros_since};
use crate::cluster::{Cluster, PeerId, Pending};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Mutex;
use std::time::Instant;

/// The token of the waker; listeners have their node's id, connections the numbers above.
pub(super) const WAKER: Token = Token(usize::MAX);
/// Bytes read at a time.
const READ: usize = 256 * 1024;
/// A client that leaves so much unread is not read from.
const UNREAD: usize = 8 << 20;

/// The sockets.
pub(super) struct Serve {
    poll: Poll,
    listeners: Vec<TcpListener>,
    connections: BTreeMap<usize, Connection>,
    next: usize,
    store: Option<Store>,
    started: Instant,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    peer: PeerId,
    /// The socket was not yet found empty, or full (mio reports edges).
    may_read: bool,
    may_write: bool,
}

enum Fate {
    Open,
    Gone,
}

impl Serve {
    pub(super) fn new(
        poll: Poll,
        mut listeners: Vec<TcpListener>,
        store: Option<Store>,
        started: Instant,
    ) -> io::Result<Self> {
        for (node, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(node), Interest::READABLE)?;
        }
        let next = listeners.len();
        let connections = BTreeMap::new();
        let buffer = vec![0; READ];
        Ok(Self { poll, listeners, connections, next, store, started, buffer })
    }

    /// Serves until `stop`, or until the disk fails.
    pub(super) fn run(mut self, cluster: &Mutex<Cluster>, stop: &AtomicBool) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut more = false;
        loop {
            let timeout = if more { Some(Duration::ZERO) } else { self.timeout(&lock(cluster)) };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            if stop.load(Ordering::Acquire) {
                return Ok(());
            }
            let cluster = &mut *lock(cluster);
            for event in &events {
                if event.token().0 < self.listeners.len() {
                    self.accept(event.token().0, cluster);
                } else if let Some(connection) = self.connections.get_mut(&event.token().0) {
                    connection.may_read |= event.is_readable() || event.is_read_closed();
                    connection.may_write |= event.is_writable();
                }
            }
            cluster.handle_timeout(micros_since(self.started));
            more = self.turn(cluster)?;
        }
    }

    fn timeout(&self, cluster: &Cluster) -> Option<Duration> {
        let deadline = cluster.next_deadline()?;
        Some(Duration::from_micros(deadline.saturating_sub(micros_since(self.started)).max(1)))
    }

    fn accept(&mut self, node: usize, cluster: &mut Cluster) {
        loop {
            let mut stream = match self.listeners[node].accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == ErrorKind::ConnectionAborted => continue,
                // None left, or none possible now (too many open files).
                Err(_) => return,
            };
            let now = micros_since(self.started);
            let Some(peer) = i32::try_from(node).ok().and_then(|node| cluster.accept(node, now))
            else {
                continue;
            };
            let token = self.next;
            self.next += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registered = self.poll.registry().register(&mut stream, Token(token), interest);
            if registered.is_err() || stream.set_nodelay(true).is_err() {
                cluster.disconnect(peer, Pending::Drop);
                continue;
            }
            let connection = Connection { stream, peer, may_read: true, may_write: true };
            self.connections.insert(token, connection);
        }
    }

    /// Reads once from each connection, stores, then writes. True if there is more to do at once.
    fn turn(&mut self, cluster: &mut Cluster) -> io::Result<bool> {
        let now = micros_since(self.started);
        let mut gone = Vec::new();
        let mut more = false;
        for (token, connection) in &mut self.connections {
            match connection.read(cluster, &mut self.buffer, now) {
                Fate::Open => more |= connection.wants_turn(cluster),
                Fate::Gone => gone.push(*token),
            }
        }
        self.disconnect(&gone, cluster, now);
        // What is answered is stored.
        if let Some(store) = &mut self.store {
            store.save(cluster)?;
        }
        gone.clear();
        for (token, connection) in &mut self.connections {
            if let Fate::Gone = connection.write(cluster) {
                gone.push(*token);
            }
        }
        self.disconnect(&gone, cluster, now);
        Ok(more)
    }

    fn disconnect(&mut self, gone: &[usize], cluster: &mut Cluster, now: u64) {
        for token in gone {
            if let Some(mut connection) = self.connections.remove(token) {
                // Closing the socket takes it out as well.
                let _ = self.poll.registry().deregister(&mut connection.stream);
                cluster.disconnect(connection.peer, Pending::Process);
            }
        }
        while cluster.process_zombie(0, now) {}
    }
}

impl Connection {
    fn wants_turn(&self, cluster: &Cluster) -> bool {
        self.may_read && cluster.wants_read(self.peer) && cluster.readable(self.peer).len() < UNREAD
    }

    fn read(&mut self, cluster: &mut Cluster, buffer: &mut [u8], now: u64) -> Fate {
        if !self.wants_turn(cluster) {
            return Fate::Open;
        }
        match self.stream.read(buffer) {
            Ok(0) => return Fate::Gone,
            Ok(n) => cluster.receive(self.peer, &buffer[..n], now),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => self.may_read = false,
                ErrorKind::Interrupted => {}
                _ => return Fate::Gone,
            },
        }
        Fate::Open
    }

    fn write(&mut self, cluster: &mut Cluster) -> Fate {
        while self.may_write && !cluster.readable(self.peer).is_empty() {
            match self.stream.write(cluster.readable(self.peer)) {
                Ok(n) => cluster.consume(self.peer, n),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.may_write = false,
                    ErrorKind::Interrupted => {}
                    _ => return Fate::Gone,
                },
            }
        }
        let done = cluster.wants_close(self.peer) && cluster.readable(self.peer).is_empty();
        if done { Fate::Gone } else { Fate::Open }
    }
}
