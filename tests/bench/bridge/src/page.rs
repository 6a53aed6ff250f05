//! klamm's core, whose connections are WebSockets or sockets.

use crate::wire::{Connection, Wire};
use anyhow::{Result, bail};
use core::time::Duration;
use klamm::{
    Config, ConnId, Demand, Destination, Limits, Outcome, Producer, Record, Storage, Timestamp,
    TopicId,
};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::Instant;

/// Nothing to do: a little less than what is to be told apart.
pub(crate) const NAP: Duration = Duration::from_micros(50);

/// Until something has come for one of the pages, at most so long. All that had come was taken before.
pub(crate) fn wait<'a>(pages: impl Iterator<Item = &'a Page>, limit: Duration) -> Result<()> {
    let mut sockets: Vec<_> = pages.flat_map(Page::sockets).collect();
    poll(&mut sockets, Some(&limit.try_into()?))?;
    Ok(())
}

pub(crate) struct Page {
    wire: Wire,
    start: Instant,
    core: Producer<'static>,
    topic: TopicId,
    connections: HashMap<usize, Connection>,
}

impl Page {
    pub(crate) fn new(topic: &str, wire: Wire, linger_ms: u32) -> Result<Self> {
        let mut limits = Limits::default();
        limits.buffer_memory = 4 << 20;
        let mut config = Config::new(wire.bootstrap());
        config.linger_ms = linger_ms;
        let mut core = Producer::new(&config, Storage::boxed(&limits), 7, klamm::Instant::ZERO)?;
        let wall = i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
        core.set_clock(Timestamp::from_millis(wall), klamm::Instant::ZERO);
        let topic = core.topic(topic)?;
        Ok(Self { wire, start: Instant::now(), core, topic, connections: HashMap::new() })
    }

    /// Hands a record over; false: there is no room now.
    pub(crate) fn send(&mut self, partition: i32, value: &[u8]) -> Result<bool> {
        let to = Destination::partition(self.topic, partition);
        let now = self.now();
        match self.core.send(to, &Record::value(value), now) {
            Ok(_) => Ok(true),
            Err(klamm::SendError::Full) => Ok(false),
            Err(error) => bail!("refused: {error}"),
        }
    }

    /// Everything that can be done now. Was there anything, and how many records were delivered?
    pub(crate) fn turn(&mut self) -> Result<(bool, u64)> {
        let now = self.now();
        self.core.handle_timeout(now);
        let mut moved = false;
        let conns: Vec<ConnId> = self.core.connections().collect();
        for conn in conns {
            if self.core.demand(conn) == Demand::Connect {
                self.dial(conn)?;
            }
            if self.connections.contains_key(&conn.index()) {
                moved |= self.serve(conn)?;
            }
        }
        let mut delivered = 0;
        while let Some(report) = self.core.poll_report() {
            match report.outcome {
                Outcome::Delivered { .. } => delivered += u64::from(report.records),
                other => bail!("not delivered: {other:?}"),
            }
            moved = true;
        }
        Ok((moved, delivered))
    }

    fn serve(&mut self, conn: ConnId) -> Result<bool> {
        let Some(connection) = self.connections.get_mut(&conn.index()) else { return Ok(false) };
        let mut moved = false;
        let now = klamm::Instant::from_micros(u64::try_from(self.start.elapsed().as_micros())?);
        while self.core.demand(conn) == Demand::Transmit && connection.has_room()? {
            self.core.transmit_with(conn, now, |transmit| match transmit.slices().next() {
                Some(slice) => connection.write(slice),
                None => Ok(0),
            })?;
            moved = true;
        }
        if self.core.demand(conn) == Demand::Close {
            bail!("the core closes a connection");
        }
        match connection.read() {
            Ok(bytes) => {
                self.core.handle_received(conn, &bytes, now)?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(moved),
            Err(error) => Err(error.into()),
        }
    }

    fn dial(&mut self, conn: ConnId) -> Result<()> {
        let Some(address) = self.core.address(conn) else { bail!("a connection to nowhere") };
        let (host, port) = (address.host.to_owned(), address.port);
        let now = self.now();
        self.core.handle_dialing(conn, now);
        let connection = self.wire.connect_to(&host, port)?;
        self.connections.insert(conn.index(), connection);
        let now = self.now();
        self.core.handle_connected(conn, now);
        Ok(())
    }

    /// What [`wait`] waits for.
    fn sockets(&self) -> impl Iterator<Item = PollFd<'_>> {
        let sockets = self.connections.values().map(Connection::stream);
        sockets.map(|socket| PollFd::new(socket, PollFlags::IN))
    }

    fn now(&self) -> klamm::Instant {
        klamm::Instant::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(0))
    }
}
