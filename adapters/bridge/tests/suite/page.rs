//! A page without a browser: klamm's core, whose connections are WebSockets through a bridge.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use klamm::{
    Config, ConnId, Demand, Destination, Limits, Outcome, Producer, Record, Storage, Timestamp,
};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use crate::client::protocols;
use crate::common::{ORIGIN, TOPIC, token};

/// Largest message: the bridge's default limit is 64 KiB.
const MESSAGE: usize = 32 * 1024;
const NAP: Duration = Duration::from_micros(200);

/// What became of the page's records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Outcomes {
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
}

pub(crate) struct Page {
    bridge: SocketAddr,
    start: Instant,
    core: Producer<'static>,
    topic: klamm::TopicId,
    sockets: HashMap<usize, WebSocket<TcpStream>>,
    /// What the bridge gave, newest last: kept as a page would over a reload.
    pub(crate) tickets: Vec<String>,
    pub(crate) outcomes: Outcomes,
    pub(crate) connects: u64,
}

impl Page {
    pub(crate) fn new(bridge: SocketAddr) -> Self {
        let start = Instant::now();
        let mut limits = Limits::default();
        limits.buffer_memory = 1 << 20;
        let mut config = Config::new("bootstrap:1");
        config.linger_ms = 1;
        let storage = Storage::boxed(&limits);
        let mut core = Producer::new(&config, storage, 7, klamm::Instant::ZERO).expect("core");
        let wall = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        core.set_clock(Timestamp::from_millis(wall), klamm::Instant::ZERO);
        let topic = core.topic(TOPIC).expect("topic");
        let (sockets, tickets) = (HashMap::new(), Vec::new());
        let outcomes = Outcomes::default();
        Self { bridge, start, core, topic, sockets, tickets, outcomes, connects: 0 }
    }

    /// Hands a record over; false: there is no room now.
    pub(crate) fn send(&mut self, partition: i32, value: &str) -> bool {
        let to = Destination::partition(self.topic, partition);
        let now = self.now();
        match self.core.send(to, &Record::value(value.as_bytes()), now) {
            Ok(_) => true,
            Err(klamm::SendError::Full) => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn buffered(&self) -> u64 {
        self.core.stats().buffered
    }

    /// Everything that can be done now, then a short nap if that was nothing.
    pub(crate) fn turn(&mut self) {
        let now = self.now();
        self.core.handle_timeout(now);
        let mut moved = false;
        let conns: Vec<ConnId> = self.core.connections().collect();
        for conn in conns {
            if self.core.demand(conn) == Demand::Connect {
                self.dial(conn);
            }
            if self.sockets.contains_key(&conn.index()) {
                match self.serve(conn) {
                    Ok(did) => moved |= did,
                    Err(()) => self.lose(conn),
                }
            }
        }
        while let Some(report) = self.core.poll_report() {
            let count = match report.outcome {
                Outcome::Delivered { .. } => &mut self.outcomes.delivered,
                Outcome::NotPersisted(_) => &mut self.outcomes.failed,
                _ => &mut self.outcomes.unknown,
            };
            *count += u64::from(report.records);
            moved = true;
        }
        if !moved {
            std::thread::sleep(NAP);
        }
    }

    fn serve(&mut self, conn: ConnId) -> Result<bool, ()> {
        let mut moved = false;
        while self.core.demand(conn) == Demand::Transmit {
            let now = self.now();
            let socket = self.sockets.get_mut(&conn.index()).ok_or(())?;
            // What the kernel does not take now waits in the WebSocket.
            match socket.flush() {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(()),
            }
            let sent = self.core.transmit_with(conn, now, |transmit| {
                let Some(slice) = transmit.slices().next() else { return Ok(0) };
                let piece = &slice[..slice.len().min(MESSAGE)];
                match socket.send(Message::Binary(piece.to_vec().into())) {
                    Ok(()) => Ok(piece.len()),
                    // It is in the WebSocket's buffer all the same.
                    Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                        Ok(piece.len())
                    }
                    Err(_) => Err(()),
                }
            })?;
            moved = true;
            if sent == 0 {
                break;
            }
        }
        if self.core.demand(conn) == Demand::Close {
            return Err(());
        }
        let socket = self.sockets.get_mut(&conn.index()).ok_or(())?;
        match socket.read() {
            Ok(Message::Binary(bytes)) => {
                let now = self.now();
                self.core.handle_received(conn, &bytes, now).map_err(|_| ())?;
                Ok(true)
            }
            Ok(Message::Text(words)) => {
                let words: Value = serde_json::from_str(words.as_str()).expect("words");
                self.tickets.push(words["ticket"].as_str().expect("a ticket").to_owned());
                Ok(true)
            }
            Ok(Message::Close(_)) => Err(()),
            Ok(_) => Ok(true),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(moved),
            Err(_) => Err(()),
        }
    }

    fn dial(&mut self, conn: ConnId) {
        let host = self.core.address(conn).expect("an address").host.to_owned();
        let now = self.now();
        self.core.handle_dialing(conn, now);
        match self.connect(&host) {
            Ok(socket) => {
                self.sockets.insert(conn.index(), socket);
                self.connects += 1;
                let now = self.now();
                self.core.handle_connected(conn, now);
            }
            Err(_) => self.lose(conn),
        }
    }

    fn connect(&self, host: &str) -> Result<WebSocket<TcpStream>, Error> {
        let url = format!("ws://{}/v1/kafka/{host}", self.bridge);
        let mut request = url.into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", ORIGIN.parse().expect("origin"));
        headers.insert("sec-websocket-protocol", protocols(&token()).parse().expect("token"));
        let stream = TcpStream::connect(self.bridge)?;
        stream.set_nodelay(true)?;
        let handshake = client(request, stream.try_clone()?);
        let (mut socket, _) = handshake.map_err(|_| Error::ConnectionClosed)?;
        for ticket in &self.tickets {
            let words = serde_json::json!({ "ticket": ticket }).to_string();
            socket.send(Message::Text(words.into()))?;
        }
        stream.set_nonblocking(true)?;
        Ok(socket)
    }

    fn lose(&mut self, conn: ConnId) {
        self.sockets.remove(&conn.index());
        let now = self.now();
        self.core.handle_disconnected(conn, now);
    }

    fn now(&self) -> klamm::Instant {
        klamm::Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap())
    }
}
