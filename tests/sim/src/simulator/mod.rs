//! A seeded simulator: the real producer, the model cluster and a bad network between them, on one
//! thread, in virtual time. The same seed is the same run, byte for byte.
//!
//! After every step the rules for the wire, the conservation law, the bound of the memory, and the
//! absence of busy loops are checked, and with every request that no partition starves; at the end
//! that every record has exactly one report, that the logs agree with the reports, and that all
//! memory came back.
//!
//! A run with random faults is [`run_seed`]; a test that chooses its faults makes a [`Simulation`]
//! from [`Setup::quiet`] and lets it go on step by step.

mod chaos;
mod checks;
mod events;
mod fairness;
mod ledger;
mod letters;
mod lineage;
mod logs;
mod manual;
mod memory;
mod network;
mod observer;
mod record;
pub mod scenario;
mod setup;
pub mod squeeze;
mod trace;
mod user;
pub mod wire;

use core::panic::AssertUnwindSafe;
use std::collections::BTreeMap;
use std::panic::catch_unwind;

use klamm::{Address, ConnId, Demand, FlushTicket, Instant, Producer, Storage, Timestamp, TopicId};

pub use chaos::Kind;
pub use events::EventLog;
pub use ledger::{Checked, Entry, Excuses, Fate, Ledger, Place};
pub use network::{Arrival, Conditions, Network, Way};
pub use observer::{Exchange, Observer, Terms};
pub use record::Sample;
pub use scenario::Scenario;
pub use setup::{Setup, User};
pub use trace::Trace;

use crate::cluster::{Cluster, Processing};
use crate::dice::Dice;

/// A run.
#[derive(Debug)]
pub struct Simulation {
    setup: Setup,
    producer: Box<Debugless>,
    /// The cluster.
    pub cluster: Cluster,
    /// The network.
    pub network: Network,
    /// What was accepted and reported.
    pub ledger: Ledger,
    /// What the producer said happened.
    pub events: EventLog,
    /// What was seen on the wire.
    pub observer: Observer,
    /// What happened.
    pub trace: Trace,
    /// The codec that records ask for.
    pub codec: Option<klamm::Compression>,
    /// With a recorder: the bytes that the producer wrote on each connection slot, and its reports.
    pub written: Vec<Vec<u8>>,
    /// See `written`.
    pub reports: Vec<klamm::Report>,
    conns: Vec<ConnId>,
    names: BTreeMap<TopicId, String>,
    dice: Dice,
    now: u64,
    steps_at_once: u32,
    steps: u64,
    user: user::UserState,
    squeezer: squeeze::Squeezer,
    turns: fairness::Turns,
    /// No policies: what may be sent, and what is refused, follows from batches and memory alone.
    plain: bool,
    ticket: Option<FlushTicket>,
    closed: bool,
    next_fault: Option<u64>,
    faults_end: u64,
    next_tick: Option<u64>,
    down: Vec<(u64, i32)>,
}

/// The producer, which has no `Debug`.
struct Debugless(Producer<'static>);

impl core::fmt::Debug for Debugless {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Producer").field("stats", &self.0.stats()).finish_non_exhaustive()
    }
}

impl core::ops::Deref for Debugless {
    type Target = Producer<'static>;
    fn deref(&self) -> &Producer<'static> {
        &self.0
    }
}

impl core::ops::DerefMut for Debugless {
    fn deref_mut(&mut self) -> &mut Producer<'static> {
        &mut self.0
    }
}

/// What a run of a seed came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The hash of all that happened.
    pub hash: u64,
    /// Steps done.
    pub steps: u64,
    /// Records accepted.
    pub records: u64,
}

/// Runs the simulation of a seed to its end.
///
/// # Errors
/// When a promise is broken, or the producer panics; the text says which.
pub fn run_seed(seed: u64, print: bool) -> Result<Summary, String> {
    let run = || {
        let mut simulation = Simulation::new(Setup::from_seed(seed))?;
        simulation.trace.print = print;
        if print {
            eprintln!("{:#?}", simulation.setup);
        }
        simulation.run()
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("panic: {}", text.unwrap_or("no text")))
        }
    }
}

impl Simulation {
    /// A run before its first step.
    ///
    /// # Errors
    /// When the producer refuses its options.
    pub fn new(setup: Setup) -> Result<Self, String> {
        let now = setup.start;
        let mut cluster = Cluster::new(setup.cluster.clone());
        for (name, topic) in &setup.topics {
            cluster.create_topic(name, topic.clone()).map_err(|e| format!("{name}: {e:?}"))?;
        }
        let mut config: klamm::Config<'_> = setup.config;
        config.bootstrap_servers = &setup.bootstrap;
        let start = Instant::from_micros(now);
        let storage = Storage::boxed(&setup.limits).with_recorder(setup.recorder);
        let mut producer =
            Producer::new(&config, storage, setup.seed, start).map_err(|e| e.to_string())?;
        if setup.clock {
            producer.set_clock(Timestamp::from_millis(setup.cluster.unix_ms_at_zero), start);
        }
        let conns: Vec<ConnId> = producer.connections().collect();
        let terms = Terms {
            in_flight: usize::from(setup.config.max_in_flight_requests_per_connection),
            start_sequence: setup.config.start_sequence,
            numbered: !setup.hands_off,
        };
        let manual = setup.cluster.processing == Processing::Manual;
        let mut simulation = Self {
            producer: Box::new(Debugless(producer)),
            network: Network::new(conns.len(), setup.network.clone(), setup.seed ^ 1),
            ledger: Ledger::default(),
            events: EventLog::default(),
            observer: Observer::new(conns.len(), terms),
            trace: Trace::default(),
            codec: None,
            written: vec![Vec::new(); conns.len()],
            reports: Vec::new(),
            conns,
            names: BTreeMap::new(),
            dice: Dice::new(setup.seed ^ 2),
            now,
            steps_at_once: 0,
            steps: 0,
            user: user::UserState::default(),
            squeezer: squeeze::Squeezer::new(setup.seed ^ 3),
            turns: fairness::Turns::default(),
            plain: format!("{:?}", config.policies) == format!("{:?}", klamm::Policies::new()),
            ticket: None,
            closed: false,
            next_fault: (!setup.faults.is_empty()).then_some(now),
            faults_end: now.saturating_add(setup.fault_time),
            next_tick: manual.then_some(now),
            down: Vec::new(),
            cluster,
            setup,
        };
        let strict = !simulation.setup.config.policies.final_errors.is_empty();
        simulation.ledger.excuses.rejected = strict;
        simulation.user.next = (simulation.setup.user.records > 0).then_some(now);
        simulation.learn_topics();
        Ok(simulation)
    }

    /// Chaos, then calm, then the final checks.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn run(&mut self) -> Result<Summary, String> {
        while self.user.next.is_some() || self.now < self.faults_end {
            if !self.step()? {
                break;
            }
        }
        self.settle()?;
        if self.dice.chance(300) {
            // A second round on the same producer: nothing may have stuck.
            for _ in 0..10 {
                self.send_any()?;
            }
            self.settle()?;
        }
        self.finish()?;
        let records = self.ledger.next();
        Ok(Summary { hash: self.trace.hash(), steps: self.steps, records })
    }

    /// One turn: everything that is due now, then time moves to what comes next. False when nothing
    /// will ever happen any more.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn step(&mut self) -> Result<bool, String> {
        self.step_before(u64::MAX)
    }

    /// The same; time does not move beyond `limit`.
    fn step_before(&mut self, limit: u64) -> Result<bool, String> {
        self.steps += 1;
        self.recover();
        if self.next_fault.is_some_and(|at| at <= self.now) {
            self.fault();
            let pause = 1 + self.dice.range(0, self.setup.fault_every * 2);
            self.next_fault = Some(self.now + pause).filter(|at| *at < self.faults_end);
        }
        if self.user.next.is_some_and(|at| at <= self.now) {
            self.act()?;
        }
        if self.user.paused_until.is_some_and(|at| at <= self.now) {
            self.resume();
        }
        self.cluster.handle_timeout(self.now);
        let heard = self.network.pump(&mut self.cluster, self.now);
        self.tick();
        let mut progress = !heard.is_empty();
        for (slot, arrival) in heard {
            self.arrive(slot, arrival);
        }
        let now = self.instant();
        self.producer.handle_timeout(now);
        progress |= self.squeeze();
        for slot in 0..self.conns.len() {
            progress |= self.serve(slot)?;
        }
        progress |= self.read_reports()?;
        self.check(progress)?;
        if self.producer.take_wake() {
            // Something new is wanted, perhaps of a slot that was already served: another turn,
            // now.
            self.steps_at_once += 1;
            return Ok(true);
        }
        Ok(self.advance(limit))
    }

    /// What the adapter does for a connection slot.
    fn serve(&mut self, slot: usize) -> Result<bool, String> {
        let conn = self.conns[slot];
        let now = self.instant();
        let mut progress = false;
        if self.producer.demand(conn) == Demand::Connect {
            let Some(Address { host, port, .. }) = self.producer.address(conn) else {
                return Err(format!("slot {slot} wants a connection and has no address"));
            };
            self.trace.note(self.now, &("dial", slot, host, port));
            self.network.dial(slot, host, port, &self.cluster, self.now);
            self.producer.handle_dialing(conn, now);
            progress = true;
        }
        while self.producer.demand(conn) == Demand::Transmit {
            let room = self.network.room(slot);
            if room == 0 {
                break;
            }
            let (mut offered, mut taken) = (Vec::new(), 0);
            let write = |t: &klamm::Transmit<'_>| {
                offered.resize(t.len(), 0);
                t.copy_to(&mut offered);
                taken = room.min(offered.len());
                Ok::<_, core::convert::Infallible>(taken)
            };
            let Ok(committed) = self.producer.transmit_with(conn, now, write);
            if committed != taken {
                return Err(format!("{taken} bytes were taken, {committed} committed"));
            }
            if taken == 0 {
                break;
            }
            self.trace.note(self.now, &("write", slot, taken));
            self.observer.up_to_date =
                self.producer.peek_report().is_none() && !self.setup.hands_off;
            let before = self.observer.exchanges.len();
            let obeyed = self.observer.wrote(slot, &offered, taken, self.now);
            for exchange in &self.observer.exchanges[before..] {
                let what = observer::short(&exchange.batch);
                self.trace.note(self.now, &("produce", slot, &exchange.place, what));
            }
            self.check_turns(&obeyed?)?;
            offered.truncate(taken);
            if self.setup.recorder > 0 {
                self.written[slot].extend(&offered);
            }
            self.network.write(slot, offered, self.now);
            progress = true;
        }
        if self.producer.demand(conn) == Demand::Close {
            self.trace.note(self.now, &("close", slot));
            self.network.close(slot, &mut self.cluster, self.now);
            self.observer.closed(slot, self.now);
            self.producer.handle_disconnected(conn, now);
            progress = true;
        }
        Ok(progress)
    }

    /// The network has something for a connection slot.
    fn arrive(&mut self, slot: usize, arrival: Arrival) {
        let conn = self.conns[slot];
        let now = self.instant();
        match arrival {
            Arrival::Connected => {
                self.trace.note(self.now, &("connected", slot, self.network.node(slot)));
                self.observer.opened(slot, self.network.node(slot).unwrap_or(-1));
                self.producer.handle_connected(conn, now);
            }
            Arrival::Bytes(bytes) => {
                self.trace.note(self.now, &("read", slot, bytes.len()));
                for answered in self.observer.read(slot, &bytes, self.now) {
                    let exchange = &self.observer.exchanges[answered];
                    let what = observer::short(&exchange.batch);
                    self.trace.note(self.now, &("answer", slot, exchange.answer, what));
                }
                if let Err(error) = self.producer.handle_received(conn, &bytes, now) {
                    self.trace.note(self.now, &("protocol error", slot, error));
                }
            }
            Arrival::Closed => {
                self.trace.note(self.now, &("closed", slot));
                self.observer.closed(slot, self.now);
                self.producer.handle_disconnected(conn, now);
            }
        }
    }

    fn read_reports(&mut self) -> Result<bool, String> {
        let mut progress = false;
        while self.user.deaf_until <= self.now && !self.setup.hands_off {
            self.events.drain(&mut self.producer, &self.ledger)?;
            let peeked = self.producer.peek_report();
            if let Some(report) = &peeked {
                self.check_handed_back(report)?;
            }
            let Some(report) = self.producer.poll_report() else { break };
            if peeked != Some(report) {
                return Err(format!("peeked {peeked:?}, polled {report:?}"));
            }
            self.trace.note(self.now, &report);
            if self.setup.recorder > 0 {
                self.reports.push(report);
            }
            let name = self.names.get(&report.partition.topic).cloned().unwrap_or_default();
            self.events.reported(&report, self.producer.metrics().events_lost > 0)?;
            let numbers = self.ledger.reported(&report, &name)?;
            let place = (name, report.partition.index);
            self.observer.reported(&place, &numbers)?;
            self.turns.forget(&place);
            progress = true;
            if self.user.echoes && self.user.sent < self.setup.user.records {
                self.user.sent += 1;
                self.send_any()?;
            }
        }
        Ok(progress)
    }

    /// Moves time to the next thing that will happen.
    fn advance(&mut self, limit: u64) -> bool {
        let deaf = Some(self.user.deaf_until).filter(|at| *at > self.now);
        let candidates = [
            self.producer.next_deadline().map(|(at, _)| at.as_micros()),
            self.cluster.next_deadline(),
            self.network.next_event(),
            self.next_fault,
            self.user.next,
            self.next_tick,
            deaf,
            self.squeezer.next(),
            self.user.paused_until,
            self.down.iter().map(|(at, _)| *at).min(),
        ];
        let Some(next) = candidates.into_iter().flatten().min() else { return false };
        if next > self.now {
            self.now = next.min(limit);
            self.steps_at_once = 0;
        } else {
            self.steps_at_once += 1;
        }
        true
    }

    /// The time, in microseconds.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// From now on the test sends and reads reports by itself.
    pub fn hands_off(&mut self) {
        self.setup.hands_off = true;
    }

    /// The device sleeps for so many milliseconds: nothing is called, and nothing is read.
    pub fn sleep(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000;
    }

    /// The producer.
    pub fn producer(&mut self) -> &mut Producer<'static> {
        &mut self.producer
    }

    /// The producer's connection slots.
    pub fn conns(&self) -> &[ConnId] {
        &self.conns
    }

    /// The same as the producer gets it.
    pub fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// Lets time pass for so many milliseconds.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn run_ms(&mut self, milliseconds: u64) -> Checked {
        self.run_until(milliseconds, |_| false).map(|_| ())
    }

    /// Lets time pass until `done` or for so many milliseconds; which of them it was is returned.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn run_until(
        &mut self,
        milliseconds: u64,
        done: impl Fn(&mut Self) -> bool,
    ) -> Result<bool, String> {
        let end = self.now.saturating_add(milliseconds * 1_000);
        while !done(self) {
            if self.now >= end {
                return Ok(false);
            }
            if !self.step_before(end)? {
                self.now = end;
            }
        }
        Ok(true)
    }
}
