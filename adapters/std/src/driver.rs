//! The driver: the one thread that owns the sockets and lets the core move.
//!
//! It goes round: one turn under the lock (tell the core what happened, take bytes and reports
//! out), then callbacks and system calls without it, then sleep until something happens.

use core::convert::Infallible;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use klamm::{ConnId, Demand, Outcome, Report, Scope};
use mio::{Events, Poll, Token};

use crate::builder::KeepRecords;
use crate::callback::{BatchReport, Callback};
use crate::clock::{until, wall};
use crate::completion::Completion;
use crate::gate::Gate;
use crate::owned::{OwnedRecord, Undelivered};
use crate::resolve::Resolver;
use crate::shared::{Inner, Shared};
use crate::signal::Signal;
use crate::socket::{Fact, Incoming, Socket};

/// Reports taken under one lock.
const REPORTS_A_TURN: usize = 64;
/// Bytes read by one system call.
const READ_BYTES: usize = 64 * 1024;
/// Reads from one connection before the others get their turn.
const READS_A_TURN: usize = 8;
/// How often the core is told the time of day, in microseconds.
const CLOCK_MICROS: u64 = 1_000_000;

pub(crate) struct Driver {
    shared: Arc<Shared>,
    poll: Poll,
    /// The core's connections, and their sockets: same index.
    conns: Vec<ConnId>,
    sockets: Vec<Socket>,
    /// How many connections had become ready when a connection error was last looked at.
    connects: u64,
    resolver: Resolver,
    callback: Option<Callback>,
    keep: KeepRecords,
    incoming: Box<[u8]>,
    clock_set: Option<klamm::Instant>,
    purged: bool,
}

/// What a turn leaves to be done without the lock.
#[derive(Default)]
struct Todo {
    dials: Vec<(ConnId, String, u16)>,
    completions: Vec<(Arc<Completion>, Report)>,
    reports: Vec<BatchReport>,
    flushed: Vec<Arc<Signal>>,
    /// Reports were taken, and with them memory became free.
    freed: bool,
    /// Something moved: look again before sleeping.
    again: bool,
    /// How long to sleep; `None` until something happens.
    sleep: Option<Duration>,
    end: bool,
}

impl Driver {
    /// The token of the waker; connections have their index.
    pub(crate) const WAKE: Token = Token(usize::MAX);

    pub(crate) fn new(
        shared: Arc<Shared>,
        poll: Poll,
        callback: Option<Callback>,
        keep: KeepRecords,
    ) -> Self {
        let conns: Vec<ConnId> = shared.lock().core.connections().collect();
        let resolver = Resolver::new(Arc::clone(&shared.waker));
        Self {
            shared,
            poll,
            sockets: conns.iter().map(|conn| Socket::new(Token(conn.index()))).collect(),
            conns,
            connects: 0,
            resolver,
            callback,
            keep,
            incoming: vec![0; READ_BYTES].into_boxed_slice(),
            clock_set: None,
            purged: false,
        }
    }

    pub(crate) fn spawn(self) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new().name("klamm".into()).spawn(move || {
            // Nobody else knows it sooner: callbacks run on this thread only.
            let _ = shared.driver.set(thread::current().id());
            let end = catch_unwind(AssertUnwindSafe(|| self.run()));
            finish(&shared, !matches!(end, Ok(Ok(()))));
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(64);
        loop {
            let mut todo = self.turn();
            for (conn, host, port) in todo.dials.drain(..) {
                self.sockets[conn.index()].dial(host, port, &mut self.resolver);
            }
            for (completion, report) in todo.completions.drain(..) {
                completion.resolve(report);
            }
            if let Some(callback) = &mut self.callback {
                todo.reports.iter().for_each(|report| callback.call(report));
            }
            todo.flushed.iter().for_each(|signal| signal.set());
            let mut again = todo.again;
            for socket in &mut self.sockets {
                again |= socket.write();
                again |= socket.is_ready();
            }
            if todo.end {
                self.sockets.iter_mut().for_each(Socket::shut_down);
                return Ok(());
            }
            let sleep = if again { Some(Duration::ZERO) } else { todo.sleep };
            match self.poll.poll(&mut events, sleep) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
                result => result?,
            }
            self.take_events(&events);
            self.read();
        }
    }

    /// Everything that needs the core, in one go.
    fn turn(&mut self) -> Todo {
        let mut todo = Todo::default();
        let shared = Arc::clone(&self.shared);
        let mut guard = shared.lock();
        let inner = &mut *guard;
        inner.asleep = false;
        if inner.dead {
            todo.end = true;
            return todo;
        }
        let now = shared.clock.now();
        if self.clock_set.is_none_or(|at| now.micros_since(at) >= CLOCK_MICROS) {
            inner.core.set_clock(wall(), now);
            self.clock_set = Some(now);
        }
        for index in 0..self.conns.len() {
            todo.again |= self.tell(inner, self.conns[index], now);
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
        for index in 0..self.conns.len() {
            self.serve(inner, self.conns[index], now, &mut todo);
        }
        let unread = self.take_reports(inner, &mut todo);
        self.open_gates(inner, &todo);
        if !unread {
            let core = &inner.core;
            let flushed = inner.flushes.extract_if(.., |(ticket, _)| core.is_flushed(*ticket));
            todo.flushed.extend(flushed.map(|(_, signal)| signal));
        }
        todo.again |= todo.freed || inner.core.take_wake();
        todo.end = inner.closing && !unread && self.is_done(inner, now);
        if !todo.again {
            inner.asleep = true;
            todo.sleep = self.deadline(inner).map(|at| until(at, now));
        }
        todo
    }

    /// Tells the core what happened to a connection. Did anything?
    fn tell(&mut self, inner: &mut Inner, conn: ConnId, now: klamm::Instant) -> bool {
        let socket = &mut self.sockets[conn.index()];
        if let Some(error) = socket.take_error() {
            inner.last_error = Some(error);
        }
        match socket.take_fact() {
            None => return false,
            Some(Fact::Connected) => inner.core.handle_connected(conn, now),
            Some(Fact::Lost) => inner.core.handle_disconnected(conn, now),
        }
        true
    }

    /// Does what a connection wants, as far as that needs the core.
    fn serve(&mut self, inner: &mut Inner, conn: ConnId, now: klamm::Instant, todo: &mut Todo) {
        let socket = &mut self.sockets[conn.index()];
        match inner.core.demand(conn) {
            Demand::Connect => {
                let Some(address) = inner.core.address(conn) else { return };
                todo.dials.push((conn, address.host.to_owned(), address.port));
                inner.core.handle_dialing(conn, now);
            }
            Demand::Transmit => {
                let Some(room) = socket.room() else { return };
                let copy = |bytes: &klamm::Transmit<'_>| Ok::<_, Infallible>(bytes.copy_to(room));
                let Ok(taken) = inner.core.transmit_with(conn, now, copy);
                socket.fill(taken);
                // With nothing taken there is nothing to come back for: that would spin.
                todo.again |= taken > 0;
                return;
            }
            Demand::Close => {
                socket.close();
                if let Some(error) = socket.take_error() {
                    inner.last_error = Some(error);
                }
                inner.core.handle_disconnected(conn, now);
            }
            // `Demand` may grow: what this crate does not know, it cannot do.
            _ => return,
        }
        todo.again = true;
    }

    /// Takes reports. Are there more?
    fn take_reports(&self, inner: &mut Inner, todo: &mut Todo) -> bool {
        for _ in 0..REPORTS_A_TURN {
            let Some(report) = inner.core.peek_report() else { return false };
            let topic = Arc::clone(&inner.names[report.partition.topic.index()]);
            let delivered = matches!(report.outcome, Outcome::Delivered { .. });
            let for_callback = self.callback.is_some()
                && match self.keep {
                    KeepRecords::Never => false,
                    KeepRecords::Undelivered => !delivered,
                    KeepRecords::Always => true,
                };
            let for_close = inner.closing && !delivered;
            let mut records = Vec::new();
            if for_callback || for_close {
                records = OwnedRecord::copy_all(&inner.core, &topic, report.partition.index);
            }
            if for_close {
                let handed_back = records
                    .iter()
                    .map(|record| Undelivered { record: record.clone(), outcome: report.outcome });
                inner.undelivered.extend(handed_back);
            }
            if let Some(completion) = inner.completions.holding(report.batch) {
                todo.completions.push((completion, report));
            }
            inner.core.poll_report();
            if self.callback.is_some() {
                let records = if for_callback { records } else { Vec::new() };
                todo.reports.push(BatchReport { report, topic, records });
            }
            todo.freed = true;
        }
        inner.core.peek_report().is_some()
    }

    /// Lets those try again who wait for what may have come.
    fn open_gates(&self, inner: &Inner, todo: &Todo) {
        if todo.freed {
            inner.gates.wake(Gate::Memory);
        }
        for topic in inner.gates.topics() {
            let core = &inner.core;
            if core.partition_count(topic).is_some() || core.topic_error(topic).is_some() {
                inner.gates.wake(Gate::Topic(topic));
            }
        }
    }

    /// Closed, every record has an outcome, and the last bytes are out (with acks = 0 nothing else
    /// says that they arrived).
    fn is_done(&self, inner: &Inner, now: klamm::Instant) -> bool {
        let overdue = inner.purge_at.is_some_and(|at| at <= now);
        let drained = self.sockets.iter().all(Socket::is_drained);
        inner.core.stats().buffered == 0 && (drained || overdue)
    }

    fn deadline(&self, inner: &Inner) -> Option<klamm::Instant> {
        let purge = inner.purge_at.filter(|_| !self.purged);
        let core = inner.core.next_deadline().map(|(at, _)| at);
        purge.into_iter().chain(core).min()
    }

    fn take_events(&mut self, events: &Events) {
        let registry = self.poll.registry();
        for event in events.iter().filter(|event| event.token() != Self::WAKE) {
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

    fn read(&mut self) {
        let shared = &self.shared;
        for (conn, socket) in self.conns.iter().zip(&mut self.sockets) {
            // The core hears of a connection before it hears its bytes.
            if socket.has_fact() {
                continue;
            }
            for _ in 0..READS_A_TURN {
                let Incoming::Bytes(bytes) = socket.read(&mut self.incoming) else { break };
                let mut inner = shared.lock();
                if inner.dead {
                    return;
                }
                let now = shared.clock.now();
                let result = inner.core.handle_received(*conn, &self.incoming[..bytes], now);
                drop(inner);
                if let Err(error) = result {
                    // The core wants it closed now, which is the next turn's business.
                    socket.note(None, &error.to_string());
                    break;
                }
            }
        }
    }
}

/// The last thing a driver does: everyone who waits gets to know.
fn finish(shared: &Shared, failed: bool) {
    let mut inner = shared.lock();
    inner.dead |= failed;
    inner.closing = true;
    let abandoned = if inner.dead { inner.completions.take_all() } else { Vec::new() };
    inner.gates.wake_all();
    drop(inner);
    abandoned.iter().for_each(|completion| completion.abandon());
    shared.ended.set();
    // After `ended` is set nobody queues up here any more, see `Shared::flush`.
    let flushes = core::mem::take(&mut shared.lock().flushes);
    flushes.iter().for_each(|(_, signal)| signal.set());
}
