//! Which broker gets a connection slot, and which connection carries a control request.

use super::{ConnState, IN_FLIGHT, Request};
use crate::backoff::backoff_micros;
use crate::batch::AUX;
use crate::cluster::CLUSTER;
use crate::error_code::ErrorCode;
use crate::producer::Producer;
use crate::storage::list::Link;
use crate::time::Instant;
use crate::wire::api::{FLEXIBLE, GREETS};

/// Produce requests that a connection may send before it makes room for a broker that waits for its slot.
const TURN: u8 = 16;

impl Producer<'_> {
    /// Gives connection slots to brokers that have batches waiting, and finds a connection for what is to be asked.
    pub(crate) fn arrange(&mut self) {
        self.arrange_due = false;
        self.slot_wanted = false;
        self.redial_at = Instant::FAR;
        while let Some(broker) = self.longest_waiting() {
            if !self.dial(broker) {
                break;
            }
        }
        if CLUSTER && !self.slot_wanted {
            for conn in self.storage.connections.iter_mut() {
                conn.yields = false;
            }
        }
        if CLUSTER && core::mem::take(&mut self.metadata.crowded) {
            // Its broker's slot is free when the next answer comes.
            self.close_idlest();
        }
        // What was found to be unknown on the way is asked for here.
        self.arrange_due = false;
        let metadata = self.wants_metadata();
        let id = self.wants_id();
        if metadata || id {
            match self.least_loaded(metadata, id) {
                Some(c) => {
                    if metadata {
                        self.ask_metadata(c);
                    }
                    if id && (!GREETS || self.storage.connections[c].versions.init_producer_id >= 0)
                    {
                        self.ask_id(c);
                    }
                    self.wake = true;
                }
                // Who is connected has no ids to give: that heals with another broker, or not at all.
                None if GREETS && !metadata && self.is_connected() => self.put_off_id(),
                None => self.dial_any(),
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.storage.connections.iter().any(|conn| conn.state == ConnState::Ready)
    }

    /// Of the brokers that have batches waiting and no connection, the one that was dialed longest ago: with fewer
    /// slots than leaders they take turns.
    fn longest_waiting(&mut self) -> Option<usize> {
        let now = self.now;
        let mut longest: Option<usize> = None;
        for broker in 0..self.storage.brokers.len() {
            let slot = &self.storage.brokers[broker];
            if !slot.used || slot.ready.is_empty() || slot.conn.is_some() {
                continue;
            }
            if CLUSTER && slot.host_len == 0 {
                self.request_metadata();
            } else if slot.retry_at > now {
                self.redial_at = self.redial_at.min(slot.retry_at);
            } else if longest.is_none_or(|b| self.storage.brokers[b].dialed_at > slot.dialed_at) {
                longest = Some(broker);
            }
        }
        longest
    }

    /// The ready connection with the fewest requests in flight.
    fn least_loaded(&self, metadata: bool, id: bool) -> Option<usize> {
        let (mut least, mut found) = (usize::MAX, None);
        for (c, conn) in self.storage.connections.iter().enumerate() {
            let answers = !GREETS || metadata || id && conn.versions.init_producer_id >= 0;
            let muted = if conn.is_muted() { IN_FLIGHT + 1 } else { 0 };
            let load = conn.in_flight.len() + muted;
            if conn.state == ConnState::Ready && answers && load < least {
                (least, found) = (load, Some(c));
            }
        }
        found
    }

    /// Somebody has to be asked, and nobody is connected: the address that was tried longest ago is next. Bootstrap
    /// servers take part for ever, so a cluster that moved as a whole is found again (KIP-899).
    fn dial_any(&mut self) {
        let now = self.now;
        let coming =
            |state| matches!(state, ConnState::Wanted | ConnState::Dialing | ConnState::Handshake);
        if self.storage.connections.iter().any(|conn| coming(conn.state)) {
            return;
        }
        let only_bootstrap = self.metadata.rebootstrap;
        let (mut first, mut candidate) = ((true, Instant::FAR, true), None);
        for (broker, slot) in self.storage.brokers.iter().enumerate() {
            let turn = (slot.retry_at > now, slot.dialed_at, CLUSTER && !slot.bootstrap);
            let usable = slot.used && slot.host_len > 0 && !slot.conn.is_some();
            let allowed = !CLUSTER || slot.bootstrap || !only_bootstrap;
            if usable && allowed && turn < first {
                (first, candidate) = (turn, Some(broker));
            }
        }
        if let Some(broker) = candidate {
            self.dial(broker);
        }
    }

    /// Gives the broker a connection slot, if its backoff is over and there is one.
    fn dial(&mut self, broker: usize) -> bool {
        let now = self.now;
        let retry_at = self.storage.brokers[broker].retry_at;
        if retry_at > now {
            self.redial_at = self.redial_at.min(retry_at);
            return false;
        }
        let free = self.storage.connections.iter().position(|conn| conn.state == ConnState::Idle);
        let Some(c) = free else {
            if CLUSTER {
                self.slot_wanted = true;
                self.make_room();
            }
            return false;
        };
        let conn = &mut self.storage.connections[c];
        conn.generation = conn.generation.wrapping_add(1);
        conn.reset();
        conn.state = ConnState::Wanted;
        conn.broker = Link::to(broker);
        self.storage.brokers[broker].conn = Link::to(c);
        self.wake = true;
        true
    }

    /// All slots are taken: a connection that nothing is waiting for makes room. Where all are busy, one that has had
    /// its turn sends nothing more, and makes room when it has its answers.
    fn make_room(&mut self) {
        if self.storage.connections.iter().any(|conn| conn.state == ConnState::Closing) {
            return;
        }
        if self.close_idlest() || self.storage.connections.iter().any(|conn| conn.yields) {
            return;
        }
        let (mut first, mut longest) = (Instant::FAR, None);
        for (c, conn) in self.storage.connections.iter().enumerate() {
            let Some(broker) = conn.broker.get() else { continue };
            let dialed_at = self.storage.brokers[broker].dialed_at;
            if conn.state == ConnState::Ready && conn.turn >= TURN && dialed_at < first {
                (first, longest) = (dialed_at, Some(c));
            }
        }
        if let Some(c) = longest {
            self.storage.connections[c].yields = true;
        }
    }

    /// Closes a connection that nothing is waiting for, or that has had its turn; false if there is none.
    fn close_idlest(&mut self) -> bool {
        let (mut first, mut idlest) = (Instant::FAR, None);
        for (c, conn) in self.storage.connections.iter().enumerate() {
            let unused = |broker: usize| self.storage.brokers[broker].ready.is_empty();
            let over = conn.turn >= TURN || conn.broker.get().is_none_or(unused);
            let idle = conn.state == ConnState::Ready && conn.is_quiet() && over;
            if idle && conn.since < first {
                (first, idlest) = (conn.since, Some(c));
            }
        }
        if let Some(c) = idlest {
            self.storage.connections[c].retired = true;
            self.close_connection(c);
        }
        idlest.is_some()
    }

    /// The adapter dials: from now on the setup timeout runs, longer after failures (KIP-601).
    pub(crate) fn start_dialing(&mut self, c: usize) {
        let now = self.now;
        let conn = &mut self.storage.connections[c];
        let Some(broker) = conn.broker.get().filter(|_| conn.state == ConnState::Wanted) else {
            return;
        };
        conn.state = ConnState::Dialing;
        let slot = &mut self.storage.brokers[broker];
        slot.dialed_at = now;
        let config = &self.config;
        let (first, max) = (
            config.socket_connection_setup_timeout_ms,
            config.socket_connection_setup_timeout_max_ms,
        );
        let wait = backoff_micros(first, max.max(first), slot.failures, &mut self.rng);
        self.storage.connections[c].since = now.plus_micros(wait);
    }

    pub(crate) fn start_handshake(&mut self, c: usize) {
        let now = self.now;
        let conn = &mut self.storage.connections[c];
        if !matches!(conn.state, ConnState::Wanted | ConnState::Dialing) {
            return;
        }
        if !GREETS {
            self.begin_work(c);
            return;
        }
        conn.state = ConnState::Handshake;
        conn.since = now.plus_millis(self.config.request_timeout_ms);
        let old =
            conn.broker.get().is_some_and(|broker| self.storage.brokers[broker].old_handshake);
        conn.hello_plus_1 = if old || !FLEXIBLE { 1 } else { 4 };
        self.wake = true;
    }

    /// The connection may be used for anything.
    pub(crate) fn begin_work(&mut self, c: usize) {
        let conn = &mut self.storage.connections[c];
        conn.state = ConnState::Ready;
        conn.since = self.now;
        self.counters.connects.up(1);
        #[cfg(feature = "events")]
        self.note_connected(c);
        self.arrange_due = true;
        self.wake = true;
    }

    /// The connection is gone: what was in flight on it has no answer.
    pub(crate) fn lose_connection(&mut self, c: usize) {
        let now = self.now;
        let state = self.storage.connections[c].state;
        if state == ConnState::Idle {
            return;
        }
        let retired = self.storage.connections[c].retired;
        #[cfg(feature = "events")]
        self.note_disconnected(c);
        self.fail_in_flight(c);
        let conn = &mut self.storage.connections[c];
        let broker = conn.broker.get();
        let asked = conn.ask_metadata
            || conn.in_flight.iter().any(|sent| sent.request == Request::Metadata);
        let asked_id = conn.ask_id
            || conn.in_flight.iter().any(|sent| sent.request == Request::InitProducerId);
        let greeting = conn.in_flight.iter().any(|sent| sent.request == Request::ApiVersions);
        conn.reset();
        if asked {
            self.lose_metadata();
        }
        if asked_id {
            self.lose_id();
        }
        if let Some(broker) = broker {
            let (first, max) =
                (self.config.reconnect_backoff_ms, self.config.reconnect_backoff_max_ms);
            let slot = &mut self.storage.brokers[broker];
            slot.conn = Link::NONE;
            if !retired {
                let wait = backoff_micros(first, max, slot.failures, &mut self.rng);
                slot.failures = slot.failures.saturating_add(1);
                slot.retry_at = now.plus_micros(wait);
                // Event Hubs resets the connection on a version it does not know: ask with the oldest next time.
                slot.old_handshake = FLEXIBLE && greeting && !slot.old_handshake;
                self.request_metadata();
            }
        }
        self.arrange_due = true;
        self.wake = true;
    }

    /// Ends the rounds of all partitions with batches in flight on the connection. What was offered to it is unsure.
    fn fail_in_flight(&mut self, c: usize) {
        let conn = &self.storage.connections[c];
        let untouched = conn.cursor.is_some() && !conn.offered;
        let last = self.storage.connections[c].in_flight.len();
        for place in 0..last {
            let unwritten = place + 1 == last && untouched;
            let conn = &mut self.storage.connections[c];
            let Some(sent) = conn.in_flight.get_mut(place) else { break };
            let mut batches = core::mem::take(&mut sent.batches);
            while let Some(b) = batches.pop_front(&mut self.storage.batches, AUX) {
                let p = self.unpin(b);
                let batch = &mut self.storage.batches[b];
                if !unwritten {
                    batch.unsure = true;
                    batch.code = ErrorCode::NETWORK_EXCEPTION;
                }
                self.storage.partitions[p].void = true;
                self.storage.partitions[p].known_on = Link::NONE;
                self.settle_partition(p);
            }
        }
    }
}
