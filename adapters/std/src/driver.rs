//! The driver: the one thread that owns the sockets and lets the core move.
//!
//! It goes round: one turn of the engine, then system calls, then sleep until something happens.

use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::task::Wake;
use std::thread;

use klamm_host::{Driver, Engine, Shared, Unborn};
use mio::{Events, Poll, Token};

use crate::resolve::Resolver;
use crate::socket::{Incoming, Socket};

/// Bytes read by one system call.
const READ_BYTES: usize = 64 * 1024;
/// Reads from one connection before the others get their turn.
const READS_A_TURN: usize = 8;

/// The token of the waker; connections have their index.
const WAKE: Token = Token(usize::MAX);

/// Starts driver threads.
///
/// They are not joined: a thread that a forked child has no copy of cannot be. Its end is told by
/// the engine, when all its callbacks have returned.
pub(crate) struct Threads;

impl Driver for Threads {
    fn start(&self, unborn: Unborn) -> io::Result<Arc<Shared>> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
        let sockets = (0..unborn.connections()).map(|index| Socket::new(Token(index))).collect();
        let resolver = Resolver::new(Arc::clone(&waker));
        let engine = unborn.engine(Waker::from(Arc::new(PollWaker(waker))));
        let shared = engine.shared();
        let mut loops = Loop { poll, sockets, resolver, incoming: vec![0; READ_BYTES] };
        thread::Builder::new().name("klamm".into()).spawn(move || {
            let mut engine = engine;
            engine.own_thread();
            let end = catch_unwind(AssertUnwindSafe(|| loops.run(&mut engine)));
            drop(loops);
            match end {
                Ok(Ok(())) => engine.end(None),
                Ok(Err(error)) => engine.end(Some(&format!("the poller: {error}"))),
                Err(panic) => engine.end(Some(&format!("a panic: {}", message(&*panic)))),
            }
        })?;
        Ok(shared)
    }
}

struct PollWaker(Arc<mio::Waker>);

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It fails only when the system is out of memory; the next wake tries again.
        let _ = self.0.wake();
    }
}

struct Loop {
    poll: Poll,
    /// By the number of the core's connection.
    sockets: Vec<Socket>,
    resolver: Resolver,
    incoming: Vec<u8>,
}

impl Loop {
    fn run(&mut self, engine: &mut Engine) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        loop {
            let mut turn = engine.turn(&mut self.sockets);
            for dial in turn.dials.drain(..) {
                self.sockets[dial.slot].dial(dial.host, dial.port, &mut self.resolver);
            }
            let mut again = turn.again;
            for socket in &mut self.sockets {
                again |= socket.write();
                again |= socket.is_ready();
            }
            if turn.end {
                self.sockets.iter_mut().for_each(Socket::shut_down);
                return Ok(());
            }
            let sleep = if again { Some(Duration::ZERO) } else { turn.sleep };
            match self.poll.poll(&mut events, sleep) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                result => result?,
            }
            self.take_events(&events);
            self.read(engine);
        }
    }

    fn take_events(&mut self, events: &Events) {
        let registry = self.poll.registry();
        for event in events.iter().filter(|event| event.token() != WAKE) {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            if let Some(socket) = self.sockets.get_mut(event.token().0) {
                socket.handle_event(readable, writable, registry);
            }
        }
        for answer in self.resolver.answers() {
            self.sockets.iter_mut().for_each(|socket| socket.resolved(&answer, registry));
        }
    }

    fn read(&mut self, engine: &mut Engine) {
        for (slot, socket) in self.sockets.iter_mut().enumerate() {
            // The core hears of a connection before it hears its bytes.
            if socket.has_fact() {
                continue;
            }
            for _ in 0..READS_A_TURN {
                let Incoming::Bytes(bytes) = socket.read(&mut self.incoming) else { break };
                if let Err(problem) = engine.received(slot, &self.incoming[..bytes]) {
                    // The core wants it closed now, which is the next turn's business.
                    socket.note(&problem);
                    break;
                }
            }
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
