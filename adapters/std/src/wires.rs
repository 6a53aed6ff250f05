//! The sockets of all connections, and the poller that says which of them is ready.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use klamm_host::Turn;
use mio::{Events, Poll, Token, Waker};

use crate::resolve::Resolver;
use crate::socket::{Incoming, Socket};

/// Bytes read by one system call.
const READ_BYTES: usize = 64 * 1024;
/// Reads from one connection before the others get their turn.
const READS_A_TURN: usize = 8;

/// The token of the waker; connections have their index.
const WAKE: Token = Token(usize::MAX);

pub(crate) struct Wires {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    /// By the number of the core's connection.
    sockets: Vec<Socket>,
    resolver: Resolver,
    incoming: Vec<u8>,
}

impl Wires {
    pub(crate) fn new(connections: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(64),
            sockets: (0..connections).map(|index| Socket::new(Token(index))).collect(),
            resolver: Resolver::new(Arc::clone(&waker)),
            waker,
            incoming: vec![0; READ_BYTES],
        })
    }

    /// Ends a `wait`, from any thread.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    pub(crate) fn sockets(&mut self) -> &mut [Socket] {
        &mut self.sockets
    }

    /// Dials and writes what the turn wants. Is there something to go on with at once?
    pub(crate) fn act(&mut self, turn: &mut Turn) -> bool {
        for dial in turn.dials.drain(..) {
            self.sockets[dial.slot].dial(dial.host, dial.port, &mut self.resolver);
        }
        let mut again = turn.again;
        for socket in &mut self.sockets {
            let moved = socket.write();
            // Else whoever has more to write has had its room.
            again |= moved && (socket.was_asked() || turn.closing);
            again |= socket.is_ready();
        }
        again
    }

    /// Sleeps until something happens, at most so long.
    pub(crate) fn wait(&mut self, limit: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.events.clear(),
            result => result?,
        }
        let registry = self.poll.registry();
        for event in self.events.iter().filter(|event| event.token() != WAKE) {
            let closed = event.is_read_closed() || event.is_error();
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            if let Some(socket) = self.sockets.get_mut(event.token().0) {
                socket.handle_event(event.is_readable(), closed, writable, registry);
            }
        }
        for answer in self.resolver.answers() {
            self.sockets.iter_mut().for_each(|socket| socket.resolved(&answer, registry));
        }
        Ok(())
    }

    /// Hands what has come to `received`, which says what is wrong with it.
    pub(crate) fn read(&mut self, mut received: impl FnMut(usize, &[u8]) -> Result<(), String>) {
        for (slot, socket) in self.sockets.iter_mut().enumerate() {
            // The core hears of a connection before it hears its bytes.
            if socket.has_fact() {
                continue;
            }
            for _ in 0..READS_A_TURN {
                let Incoming::Bytes(bytes) = socket.read(&mut self.incoming) else { break };
                if let Err(problem) = received(slot, &self.incoming[..bytes]) {
                    // The core wants it closed now, which is the next turn's business.
                    socket.note(&problem);
                    break;
                }
            }
        }
    }

    pub(crate) fn shut_down(&mut self) {
        self.sockets.iter_mut().for_each(Socket::shut_down);
    }
}
