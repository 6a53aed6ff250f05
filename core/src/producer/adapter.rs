//! The adapter's side of the producer: the facts that it hands in, and what it should do.

use super::report::{Records, Report};
use super::{Address, Demand, Producer, Stats, Timer};
use crate::connection::ConnState;
use crate::connection::transmit::Transmit;
use crate::error::ProtocolError;
use crate::id::ConnId;
use crate::storage::Text;
use crate::time::Instant;
use crate::wire::api::GREETS;

/// Facts from the adapter.
impl Producer<'_> {
    /// `Demand::Connect` is taken up; starts the connect timeout.
    pub fn handle_dialing(&mut self, conn: ConnId, now: Instant) {
        record!(self, dialing(conn, now));
        self.advance(now);
        if self.knows(conn) {
            self.start_dialing(conn.index());
        }
    }

    /// The connection is open.
    pub fn handle_connected(&mut self, conn: ConnId, now: Instant) {
        record!(self, connected(conn, now));
        self.advance(now);
        if self.knows(conn) {
            self.start_handshake(conn.index());
        }
    }

    /// Bytes from the peer: any number, split anywhere. Always takes them all.
    ///
    /// # Errors
    /// The peer broke the protocol; `demand` is `Close` now.
    pub fn handle_received(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        now: Instant,
    ) -> Result<(), ProtocolError> {
        record!(self, received(conn, bytes, now));
        self.advance(now);
        let c = conn.index();
        if !self.knows(conn) {
            return Err(ProtocolError::NotConnected);
        }
        match self.storage.connections[c].state {
            ConnState::Handshake | ConnState::Ready => {}
            // What comes after the producer gave up on the connection is of no interest.
            ConnState::Closing => return Ok(()),
            ConnState::Idle | ConnState::Wanted | ConnState::Dialing => {
                return Err(ProtocolError::NotConnected);
            }
        }
        let result = self.receive(c, bytes);
        if result.is_err() {
            self.close_connection(c);
        }
        if self.arrange_due {
            self.arrange();
        }
        result
    }

    /// The connection is gone, or could not be made. No byte of it will be written any more.
    pub fn handle_disconnected(&mut self, conn: ConnId, now: Instant) {
        record!(self, disconnected(conn, now));
        self.advance(now);
        if self.knows(conn) {
            self.lose_connection(conn.index());
            self.arrange();
        }
    }

    /// Lets time pass. Harmless to call too early or too often.
    pub fn handle_timeout(&mut self, now: Instant) {
        record!(self, timeout(now));
        self.advance(now);
        self.expire();
    }
}

/// What the adapter should do.
impl<'a> Producer<'a> {
    /// All connection slots.
    #[allow(clippy::cast_possible_truncation, reason = "at most 255 connections")]
    pub fn connections(&self) -> impl Iterator<Item = ConnId> + use<'a> {
        (0..self.storage.connections.len() as u8).map(ConnId)
    }

    /// What a connection wants now.
    pub fn demand(&self, conn: ConnId) -> Demand {
        let Some(conn) = self.storage.connections.get(conn.index()) else { return Demand::Nothing };
        match conn.state {
            ConnState::Idle | ConnState::Dialing => Demand::Nothing,
            ConnState::Wanted => Demand::Connect,
            ConnState::Closing => Demand::Close,
            ConnState::Handshake if !GREETS => Demand::Nothing,
            ConnState::Handshake if conn.is_writing() || conn.hello_plus_1 > 0 => Demand::Transmit,
            ConnState::Handshake => Demand::Receive,
            ConnState::Ready => {
                let asks = (conn.ask_metadata || conn.ask_id)
                    && conn.cursor.is_none()
                    && !conn.is_muted()
                    && !conn.is_full();
                let waiting = || {
                    conn.takes_produce(self.config.max_in_flight_requests_per_connection)
                        && conn
                            .broker
                            .get()
                            .is_some_and(|broker| !self.storage.brokers[broker].ready.is_empty())
                };
                if conn.is_writing() || asks || waiting() {
                    Demand::Transmit
                } else {
                    Demand::Receive
                }
            }
        }
    }

    /// Where a connection should go; `None` for a slot without a broker.
    pub fn address(&self, conn: ConnId) -> Option<Address<'_>> {
        let broker = self.storage.connections.get(conn.index())?.broker.get()?;
        let slot = &self.storage.brokers[broker];
        Some(Address {
            host: self.storage.text(Text::Host(broker), slot.host_len),
            port: slot.port,
        })
    }

    /// The same as bytes. On a microcontroller: to know that they are a `str` costs 0.6 KB of flash. Those of a host that a
    /// broker named are ASCII.
    pub fn address_bytes(&self, conn: ConnId) -> Option<(&[u8], u16)> {
        let broker = self.storage.connections.get(conn.index())?.broker.get()?;
        let slot = &self.storage.brokers[broker];
        Some((self.storage.text_bytes(Text::Host(broker), slot.host_len), slot.port))
    }

    /// Hands the bytes to be written to `write`, which says how many it took: those are committed, the others are
    /// offered again. With nothing to send it returns `Ok(0)` without calling `write`.
    ///
    /// # Errors
    /// What `write` returned; nothing is committed then.
    pub fn transmit_with<E>(
        &mut self,
        conn: ConnId,
        now: Instant,
        write: impl FnOnce(&Transmit<'_>) -> Result<usize, E>,
    ) -> Result<usize, E> {
        #[cfg(feature = "recorder")]
        let (handed, mut taken) = (now, None);
        #[cfg(feature = "recorder")]
        let write = |transmit: &Transmit<'_>| write(transmit).inspect(|n| taken = Some(*n));
        self.advance(now);
        let ready = self.knows(conn) && self.prepare(conn.index());
        let result = if ready { self.offer(conn.index(), write) } else { Ok(0) };
        record!(self, transmit(conn, handed, taken));
        result
    }

    /// When `handle_timeout` is due, and why; `None` while nothing is waited for.
    pub fn next_deadline(&self) -> Option<(Instant, Timer)> {
        self.earliest()
    }

    /// The next report, without taking it.
    pub fn peek_report(&self) -> Option<Report> {
        self.reports.head().map(|b| self.piece(b))
    }

    /// The records of the report that `peek_report` shows. `None` for what is no more there as it was accepted: delivered
    /// and compressed, or delivered and split for want of memory; dropped by `Overflow::DropOldest`, which gave the memory
    /// away; compressed, with no memory left to undo that.
    pub fn report_records(&self) -> Option<Records<'_>> {
        self.reports.head().and_then(|b| self.records_of(b))
    }

    /// Takes the next report, and frees its records' memory.
    pub fn poll_report(&mut self) -> Option<Report> {
        record!(self, take_report());
        self.take_report()
    }

    /// Did any demand, deadline or report appear since last asked?
    pub fn take_wake(&mut self) -> bool {
        #[cfg(feature = "alloc")]
        return self.take_wake_before(Instant::FAR);
        #[cfg(not(feature = "alloc"))]
        core::mem::take(&mut self.wake)
    }

    /// The same for an adapter that sleeps until then at most: a deadline that has come up is no news to it unless it is
    /// earlier. Waking a thread is dear, and under load a batch begins to linger every few microseconds.
    #[cfg(feature = "alloc")]
    pub fn take_wake_before(&mut self, until: Instant) -> bool {
        let at = core::mem::replace(&mut self.wake_at, Instant::FAR);
        core::mem::take(&mut self.wake) || at < until
    }

    /// Bytes of record memory that no batch has, headers of 61 bytes included: what new batches may take. For callers that
    /// slow down before `send` says `Full`.
    pub fn free_bytes(&self) -> u32 {
        let free = self.storage.chunk_count() - self.chunks.used();
        u32::from(free) * self.storage.capacity(1)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }
}

impl Producer<'_> {
    /// Is it one of this producer's slots, and not of another with more?
    fn knows(&self, conn: ConnId) -> bool {
        conn.index() < self.storage.connections.len()
    }
}
