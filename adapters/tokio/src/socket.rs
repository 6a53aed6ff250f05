//! One connection's socket: resolving, connecting, moving bytes. It knows nothing of Kafka, and
//! nothing in it is lost when a wait is cancelled: waiting and moving are apart.

use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, ErrorKind};

use klamm_host::{ConnectionError, Fact, Link, Outbox, Route};
use tokio::net::{TcpStream, lookup_host};

type Pending<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// What `read` came to.
pub(crate) enum Incoming {
    Bytes(usize),
    /// Nothing for now, or the connection is lost, which `take_fact` will tell.
    Nothing,
}

enum State {
    Closed,
    Resolving(Pending<Vec<SocketAddr>>),
    Connecting(Pending<TcpStream>, SocketAddr),
    Open(TcpStream),
}

pub(crate) struct Socket {
    state: State,
    fact: Option<Fact>,
    route: Route,
    out: Outbox,
    readable: bool,
    heard: bool,
}

impl Socket {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Closed,
            fact: None,
            route: Route::default(),
            out: Outbox::default(),
            readable: false,
            heard: false,
        }
    }

    /// Starts to connect to a host, by asking for its addresses.
    pub(crate) fn dial(&mut self, host: String, port: u16) {
        self.reset();
        let name = host.clone();
        self.route.set(host, port);
        self.state =
            State::Resolving(Box::pin(
                async move { Ok(lookup_host((name, port)).await?.collect()) },
            ));
    }

    /// Goes on as far as it can without waiting. Is there something for the driver to do? If not,
    /// it is woken when there is.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        loop {
            match &mut self.state {
                State::Closed => break,
                State::Resolving(addresses) => match addresses.as_mut().poll(context) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(addresses)) => {
                        self.route.found(addresses);
                        self.try_next();
                    }
                    Poll::Ready(Err(error)) => self.fail_io(&error),
                },
                State::Connecting(stream, address) => match stream.as_mut().poll(context) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(stream)) => {
                        // Requests are written whole: waiting for more bytes only delays the last
                        // segment. A kernel that refuses the option costs latency, no more.
                        let _ = stream.set_nodelay(true);
                        self.route.connected();
                        self.state = State::Open(stream);
                        self.fact = Some(Fact::Connected);
                    }
                    Poll::Ready(Err(error)) => {
                        self.route.note_io(Some(*address), &error);
                        self.try_next();
                    }
                },
                State::Open(stream) => {
                    self.readable |= stream.poll_read_ready(context).is_ready();
                    let writable =
                        !self.out.is_empty() && stream.poll_write_ready(context).is_ready();
                    return self.is_ready() || writable;
                }
            }
        }
        self.is_ready()
    }

    /// Writes what the kernel takes. Was it anything?
    pub(crate) fn write(&mut self) -> bool {
        let mut moved = false;
        while !self.out.is_empty() {
            let State::Open(stream) = &self.state else { break };
            match stream.try_write(self.out.rest()) {
                Ok(0) => self.fail("the socket takes no more bytes"),
                Ok(bytes) => {
                    moved = true;
                    self.out.wrote(bytes);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.fail_io(&error),
            }
        }
        moved
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Incoming {
        while self.readable {
            let State::Open(stream) = &self.state else { break };
            match stream.try_read(buffer) {
                Ok(0) if self.heard => self.fail("the broker closed the connection"),
                Ok(0) => self.fail("the connection was closed without an answer"),
                Ok(bytes) => {
                    self.heard = true;
                    return Incoming::Bytes(bytes);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.fail_io(&error),
            }
        }
        Incoming::Nothing
    }

    pub(crate) fn has_fact(&self) -> bool {
        self.fact.is_some()
    }

    /// Keeps what went wrong.
    pub(crate) fn note(&mut self, message: &str) {
        self.route.note(None, message);
    }

    /// Is there something that needs no event to go on?
    fn is_ready(&self) -> bool {
        self.fact.is_some() || (self.readable && matches!(self.state, State::Open(_)))
    }

    fn try_next(&mut self) {
        match self.route.next_address() {
            Some(address) => {
                self.state = State::Connecting(Box::pin(TcpStream::connect(address)), address);
            }
            None => self.lose(),
        }
    }

    fn fail(&mut self, message: &str) {
        self.route.note(None, message);
        self.lose();
    }

    fn fail_io(&mut self, error: &io::Error) {
        self.route.note_io(None, error);
        self.lose();
    }

    fn lose(&mut self) {
        self.reset();
        self.fact = Some(Fact::Lost);
    }

    /// Forgets the connection, but not the host. What was written still arrives.
    fn reset(&mut self) {
        self.state = State::Closed;
        self.fact = None;
        self.route.done();
        self.out.clear();
        (self.readable, self.heard) = (false, false);
    }
}

impl Link for Socket {
    fn take_fact(&mut self) -> Option<Fact> {
        self.fact.take()
    }

    fn take_error(&mut self) -> Option<ConnectionError> {
        self.route.take_error()
    }

    fn room(&mut self) -> Option<&mut [u8]> {
        if !matches!(self.state, State::Open(_)) || self.fact.is_some() {
            return None;
        }
        self.out.room()
    }

    fn fill(&mut self, bytes: usize) {
        self.out.fill(bytes);
    }

    fn close(&mut self) {
        match &self.state {
            State::Connecting(_, address) => self.route.kept_silent(*address),
            State::Open(_) if !self.heard => {
                self.note("connected, but no answer: is it a Kafka broker without TLS?");
            }
            State::Resolving(_) => self.route.note(None, "no answer from the name resolver"),
            State::Open(_) | State::Closed => {}
        }
        self.reset();
    }

    fn is_drained(&self) -> bool {
        self.out.is_empty()
    }
}
