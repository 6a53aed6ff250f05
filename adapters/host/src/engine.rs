//! The driver's half that knows no sockets: one turn under the lock (tell the core what happened,
//! take bytes and reports out), then what is to be done without it.

use core::convert::Infallible;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::task::Waker;
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread;

use klamm::{ConnId, Demand, Scope, Uncompressed};

use crate::clock::{until, wall};
use crate::connection_error::ConnectionError;
use crate::error::DriverFailure;
use crate::gate::Gate;
use crate::instrument::{Findings, ProducerEvent};
use crate::outcomes::{Outcomes, Trust};
use crate::shared::{Inner, Shared};
use crate::signal::Signal;
use crate::squeeze::Squeezer;

/// Reports taken under one lock.
const REPORTS_A_TURN: usize = 64;
/// How long room for a few batches waits for more before a sender is woken, in microseconds.
const ROOM_MICROS: u64 = 1_000;
/// How often the core is told the time of day, in microseconds.
pub(crate) const CLOCK_MICROS: u64 = 1_000_000;

/// What the core has not been told yet of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fact {
    /// It is open.
    Connected,
    /// It is gone, or could not be made; no byte of it will be written any more.
    Lost,
}

/// A connection slot's socket.
pub trait Link {
    /// What happened to it, once.
    fn take_fact(&mut self) -> Option<Fact>;

    /// What went wrong last, once.
    fn take_error(&mut self) -> Option<ConnectionError>;

    /// Room for bytes to be written, if it can take any now. Large enough for a request, so that
    /// none is taken in small pieces.
    fn room(&mut self) -> Option<&mut [u8]>;

    /// `bytes` of the room are to be written.
    fn fill(&mut self, bytes: usize);

    /// The core wants it closed, now.
    fn close(&mut self);

    /// Has everything been written that was taken?
    fn is_drained(&self) -> bool;
}

/// A core's engine, run by a driver. Dropped before its end, it fails: whoever waits gets to know.
pub struct Engine {
    shared: Arc<Shared>,
    conns: Vec<ConnId>,
    /// How many connections had become ready when a connection error was last looked at.
    connects: u64,
    clock_set: Option<klamm::Instant>,
    purged: bool,
    squeezer: Squeezer,
    ended: bool,
}

/// A connection to be dialed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dial {
    /// The connection's slot.
    pub slot: usize,
    /// A host name or an IP address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What a turn leaves to be done.
#[derive(Default)]
#[non_exhaustive]
pub struct Turn {
    /// Connections to be dialed; the core counts them as such already.
    pub dials: Vec<Dial>,
    /// Something moved: have another turn before sleeping.
    pub again: bool,
    /// How long to sleep; `None` until something happens.
    pub sleep: Option<Duration>,
    /// The producer is closing: when bytes were written, have another turn.
    pub closing: bool,
    /// The producer is closed and everything has its outcome: call [`Engine::end`].
    pub end: bool,
    pub(crate) sent: bool,
    findings: Findings,
    flushed: Vec<Arc<Signal>>,
    wakers: Vec<Waker>,
    job: Option<Uncompressed>,
}

impl Engine {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let conns = shared.lock().core.connections().collect();
        Self {
            shared,
            conns,
            connects: 0,
            clock_set: None,
            purged: false,
            squeezer: Squeezer::default(),
            ended: false,
        }
    }

    /// What the senders have of it.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Says that this thread is the driver's, where waiting for the driver would be for ever.
    pub fn own_thread(&self) {
        let _ = self.shared.driver.set(thread::current().id());
    }

    /// Everything that needs the core, in one go, and then the callbacks. `links` are the slots'.
    pub fn turn<L: Link>(&mut self, links: &mut [L]) -> Turn {
        // Apart from the turn, which is looked at between awaits: callbacks need not be `Sync`.
        let mut outcomes = Outcomes::default();
        let mut turn = self.locked_turn(links, &mut outcomes);
        let options = &self.shared.common.options;
        turn.findings.tell(&options.instruments, &options.client_id);
        outcomes.tell(&options.hooks);
        turn.flushed.drain(..).for_each(|signal| signal.set());
        turn.wakers.drain(..).for_each(Waker::wake);
        turn.again |= self.squeezer.turn(&self.shared, turn.job.take());
        turn
    }

    /// Hands in what a slot's socket has read.
    ///
    /// # Errors
    /// The peer broke the protocol, in these words; the next turn closes the connection.
    pub fn received(&mut self, slot: usize, bytes: &[u8]) -> Result<(), String> {
        let mut inner = self.shared.lock();
        if inner.dead {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let result = inner.core.handle_received(self.conns[slot], bytes, now);
        result.map_err(|error| error.to_string())
    }

    /// The last thing a driver does, when its sockets are gone. With `failure` it ends before its
    /// time: the records get what outcome can be told.
    pub fn end(&mut self, failure: Option<&str>) {
        if core::mem::replace(&mut self.ended, true) {
            return;
        }
        let shared = &self.shared;
        let mut inner = shared.lock();
        let mut outcomes = Outcomes::default();
        let mut findings = Findings::default();
        let mut failed = None;
        if inner.dead || failure.is_some() {
            let trust = if shared.is_broken() { Trust::Nothing } else { Trust::Core };
            inner.dead = true;
            let now = shared.clock.now();
            // A core that panicked once may do so again.
            let _ = catch_unwind(AssertUnwindSafe(|| outcomes.salvage(&mut inner, now, trust)));
            let message = failure.unwrap_or("a panic in a sender's call");
            failed = Some(message);
            let unreported = inner.core.stats().buffered;
            shared.common.failure.rcu(|last| {
                let failures = last.as_ref().map_or(0, |last| last.failures) + 1;
                Some(Arc::new(DriverFailure { message: message.to_owned(), failures, unreported }))
            });
        }
        if !shared.is_broken() {
            findings.take(&mut inner, shared.clock.now());
        }
        inner.closing |= !inner.dead;
        let abandoned = if inner.dead { inner.completions.take_all() } else { Vec::new() };
        inner.gates.wake_all();
        shared.release(inner);
        let options = &shared.common.options;
        findings.tell(&options.instruments, &options.client_id);
        if let Some(message) = failed {
            let event = ProducerEvent::DriverFailed { message };
            options.instruments.tell(&options.client_id, &event);
        }
        outcomes.tell(&options.hooks);
        abandoned.into_iter().for_each(|waiting| waiting.tell(None));
        shared.ended.set();
        // After `ended` is set nobody queues up here any more, see `Handle::flush`.
        let flushes = core::mem::take(&mut shared.lock().flushes);
        flushes.iter().for_each(|(_, signal)| signal.set());
    }

    fn locked_turn<L: Link>(&mut self, links: &mut [L], outcomes: &mut Outcomes) -> Turn {
        let mut turn = Turn::default();
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.lock();
        let inner = &mut *guard;
        inner.asleep = None;
        if inner.dead {
            turn.end = true;
            return turn;
        }
        let now = shared.clock.now();
        if self.clock_set.is_none_or(|at| now.micros_since(at) >= CLOCK_MICROS) {
            inner.core.set_clock(wall(), now);
            self.clock_set = Some(now);
        }
        for (conn, link) in self.conns.iter().zip(links.iter_mut()) {
            turn.again |= tell(&mut inner.core, &mut inner.last_error, *conn, link, now);
        }
        if inner.purge_at.is_some_and(|at| at <= now) && !self.purged {
            self.purged = true;
            inner.core.purge(Scope::ALL, now);
        }
        let connects = inner.core.stats().connects;
        if core::mem::replace(&mut self.connects, connects) != connects {
            inner.last_error = None;
        }
        inner.core.handle_timeout(now);
        // Whatever is new by now is looked at in this turn.
        inner.core.take_wake();
        for (conn, link) in self.conns.iter().zip(links.iter_mut()) {
            serve(&mut inner.core, &mut inner.last_error, *conn, link, now, &mut turn);
        }
        turn.job = self.squeezer.take(&mut inner.core, now);
        let unread = outcomes.take(inner, REPORTS_A_TURN, Trust::Core);
        // Room for more: in the memory, or in a queue that counts what was not sent.
        turn.findings.take(inner, now);
        let freed = !outcomes.is_empty();
        open_gates(inner, freed || turn.sent, now);
        if !unread {
            let core = &inner.core;
            let flushed = inner.flushes.extract_if(.., |(ticket, _)| core.is_flushed(*ticket));
            turn.flushed.extend(flushed.map(|(_, signal)| signal));
        }
        // What is due later is in the time to sleep.
        let news = inner.core.take_wake_before(klamm::Instant::ZERO);
        turn.again |= unread || turn.job.is_some() || news;
        // Closed, every record has an outcome, and the last bytes are out (with acks = 0 nothing
        // else says that they arrived).
        let overdue = inner.purge_at.is_some_and(|at| at <= now);
        let drained = overdue || links.iter().all(Link::is_drained);
        turn.closing = inner.closing;
        turn.end = inner.closing && !unread && drained && inner.core.stats().buffered == 0;
        if !turn.again {
            let end = self.deadline(inner);
            inner.asleep = Some(end.unwrap_or(klamm::Instant::FAR));
            turn.sleep = end.map(|at| until(at, now));
        }
        turn.wakers = inner.gates.take_due();
        turn
    }

    fn deadline(&self, inner: &Inner) -> Option<klamm::Instant> {
        let purge = inner.purge_at.filter(|_| !self.purged);
        let core = inner.core.next_deadline().map(|(at, _)| at);
        let meters = inner.meters.schedule.next();
        purge.into_iter().chain(core).chain(meters).chain(inner.room_due).min()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end(Some(if thread::panicking() { "a panic" } else { "it was stopped" }));
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("dials", &self.dials)
            .field("again", &self.again)
            .field("sleep", &self.sleep)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Tells the core what happened to a connection. Did anything?
pub(crate) fn tell(
    core: &mut klamm::Producer<'_>,
    last_error: &mut Option<ConnectionError>,
    conn: ConnId,
    link: &mut impl Link,
    now: klamm::Instant,
) -> bool {
    if let Some(error) = link.take_error() {
        *last_error = Some(error);
    }
    match link.take_fact() {
        None => return false,
        Some(Fact::Connected) => core.handle_connected(conn, now),
        Some(Fact::Lost) => core.handle_disconnected(conn, now),
    }
    true
}

/// Does what a connection wants, as far as that needs the core.
pub(crate) fn serve(
    core: &mut klamm::Producer<'_>,
    last_error: &mut Option<ConnectionError>,
    conn: ConnId,
    link: &mut impl Link,
    now: klamm::Instant,
    turn: &mut Turn,
) {
    match core.demand(conn) {
        Demand::Connect => {
            let Some(address) = core.address(conn) else { return };
            let (host, port) = (address.host.to_owned(), address.port);
            turn.dials.push(Dial { slot: conn.index(), host, port });
            core.handle_dialing(conn, now);
        }
        Demand::Transmit => {
            let Some(room) = link.room() else { return };
            let copy = |bytes: &klamm::Transmit<'_>| Ok::<_, Infallible>(bytes.copy_to(room));
            let Ok(taken) = core.transmit_with(conn, now, copy);
            link.fill(taken);
            // With nothing taken there is nothing to come back for: that would spin.
            turn.again |= taken > 0 && core.demand(conn) == Demand::Transmit;
            turn.sent |= taken > 0;
            return;
        }
        Demand::Close => {
            link.close();
            if let Some(error) = link.take_error() {
                *last_error = Some(error);
            }
            core.handle_disconnected(conn, now);
        }
        // `Demand` may grow: what this crate does not know, it cannot do.
        _ => return,
    }
    turn.again = true;
}

/// Lets those try again who wait for what may have come.
fn open_gates(inner: &mut Inner, freed: bool, now: klamm::Instant) {
    if freed {
        inner.gates.wake(Gate::Broker);
    }
    if has_room(inner, freed, now) {
        inner.gates.wake(Gate::Memory);
    }
    for topic in inner.gates.topics() {
        let core = &inner.core;
        if core.partition_count(topic).is_some() || core.topic_error(topic).is_some() {
            inner.gates.wake(Gate::Topic(topic));
        }
    }
}

/// Is it worth to wake a sender? A thread that sleeps and wakes costs more than the one batch it can
/// fill: it does so when there is room for many, or after a moment.
fn has_room(inner: &mut Inner, freed: bool, now: klamm::Instant) -> bool {
    if freed && inner.gates.is_crowded(Gate::Memory) {
        inner.room_due.get_or_insert_with(|| now.plus_micros(ROOM_MICROS));
    }
    let Some(due) = inner.room_due else { return false };
    let enough = inner.core.free_bytes() >= inner.room_wanted;
    let open = enough || due <= now || inner.core.stats().buffered == 0;
    if open {
        inner.room_due = None;
    }
    open
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicBool;

    use arc_swap::{ArcSwap, ArcSwapOption};
    use klamm::{Destination, Record};

    use super::*;
    use crate::builder::Options;
    use crate::clock::Clock;
    use crate::shared::Common;

    /// A producer with 64 KiB for batches of 1 KiB.
    fn shared() -> Shared {
        let mut options = Options::new("127.0.0.1:1");
        options.config.batch_size = 1_024;
        options.limits.buffer_memory = 64 * 1_024;
        let core = options.core(klamm::Instant::ZERO).expect("legal");
        let common = Common {
            options,
            names: ArcSwap::default(),
            failure: ArcSwapOption::default(),
            paused: AtomicBool::new(false),
        };
        Shared::new(core, Arc::new(common), Waker::noop().clone(), Clock::start())
    }

    #[test]
    fn a_sender_is_woken_for_much_room_or_after_a_moment() {
        let shared = shared();
        let inner = &mut *shared.lock();
        let at = klamm::Instant::from_micros;
        assert!(!has_room(inner, true, at(0)), "nobody waits");
        let topic = inner.core.topic("t").expect("room");
        let record = Record::value(&[0; 900]);
        while inner.core.send(Destination::partition(topic, 0), &record, at(0)).is_ok() {}
        let ticket = inner.gates.join(Gate::Memory, Waker::noop().clone());
        assert!(!has_room(inner, false, at(1)), "nothing came free");
        assert!(!has_room(inner, true, at(2)), "little came free");
        assert!(!has_room(inner, false, at(2 + ROOM_MICROS - 1)));
        assert!(has_room(inner, false, at(2 + ROOM_MICROS)));
        assert!(!has_room(inner, false, at(3 + ROOM_MICROS)), "woken once");

        inner.room_wanted = 0;
        assert!(has_room(inner, true, at(4 + ROOM_MICROS)), "there is enough");
        inner.gates.leave(&ticket);
        assert!(!has_room(inner, true, at(5 + ROOM_MICROS)), "nobody waits any more");
    }
}
