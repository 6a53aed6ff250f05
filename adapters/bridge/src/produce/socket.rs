//! A connection slot of the bridge's own producer.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use klamm_host::{ConnectionError, Fact, Link, Outbox, Route};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::{ConnectError, Connector, Io, Open};

/// Bytes read at once.
const READ: usize = 64 * 1024;

type Opening = Pin<Box<dyn Future<Output = Result<Open, ConnectError>> + Send>>;

enum State {
    Closed,
    Opening(Opening),
    Open(Box<dyn Io>),
}

pub(super) struct Socket {
    connector: Connector,
    state: State,
    fact: Option<Fact>,
    route: Route,
    out: Outbox,
    incoming: Vec<u8>,
}

impl Socket {
    pub(super) fn new(connector: Connector) -> Self {
        let (route, out) = (Route::default(), Outbox::default());
        Self { connector, state: State::Closed, fact: None, route, out, incoming: Vec::new() }
    }

    pub(super) fn dial(&mut self, host: String, port: u16) {
        self.reset();
        self.route.set(host.clone(), port);
        let connector = self.connector.clone();
        self.state = State::Opening(Box::pin(async move { connector.open(&host, port).await }));
    }

    /// Goes on as far as it can without waiting. Is there something for the driver to do?
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if let State::Opening(opening) = &mut self.state
            && let Poll::Ready(opened) = opening.as_mut().poll(context)
        {
            match opened {
                Ok(open) => {
                    self.route.connected();
                    self.state = State::Open(open.stream.into_io());
                    self.fact = Some(Fact::Connected);
                }
                Err(error) => self.fail(&error.to_string()),
            }
        }
        let wrote = self.write(context);
        self.read(context);
        wrote || self.fact.is_some() || !self.incoming.is_empty()
    }

    /// What was read, if the core has heard of the connection.
    pub(super) fn take_bytes(&mut self) -> Option<Vec<u8>> {
        let ready = self.fact.is_none() && !self.incoming.is_empty();
        ready.then(|| core::mem::take(&mut self.incoming))
    }

    /// The room is used again.
    pub(super) fn give_back(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.incoming = bytes;
    }

    pub(super) fn note(&mut self, message: &str) {
        self.route.note(None, message);
    }

    fn write(&mut self, context: &mut Context<'_>) -> bool {
        let mut wrote = false;
        while let State::Open(io) = &mut self.state {
            if self.out.is_empty() {
                // What TLS holds back goes out, too. An error shows at the next write or read.
                let _ = Pin::new(io).poll_flush(context);
                break;
            }
            match Pin::new(io).poll_write(context, self.out.rest()) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => self.fail("the socket takes no more bytes"),
                Poll::Ready(Ok(bytes)) => {
                    wrote = true;
                    self.out.wrote(bytes);
                }
                Poll::Ready(Err(error)) => self.fail(&error.to_string()),
            }
        }
        wrote
    }

    fn read(&mut self, context: &mut Context<'_>) {
        let State::Open(io) = &mut self.state else { return };
        if !self.incoming.is_empty() {
            return;
        }
        self.incoming.resize(READ, 0);
        let mut buffer = ReadBuf::new(&mut self.incoming);
        let polled = Pin::new(io).poll_read(context, &mut buffer);
        let filled = buffer.filled().len();
        self.incoming.truncate(filled);
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if filled == 0 => self.fail("the broker closed the connection"),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => self.fail(&error.to_string()),
        }
    }

    fn fail(&mut self, message: &str) {
        self.route.note(None, message);
        self.reset();
        self.fact = Some(Fact::Lost);
    }

    fn reset(&mut self) {
        self.state = State::Closed;
        self.fact = None;
        self.route.done();
        self.out.clear();
        self.incoming.clear();
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
        self.reset();
    }

    fn is_drained(&self) -> bool {
        self.out.is_empty()
    }
}
