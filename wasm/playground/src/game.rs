//! A run of the simulator in small pieces, with an application that sends, and faults on demand.

use std::collections::BTreeSet;

use klamm_sim::dice::Dice;
use klamm_sim::simulator::{Sample, Simulation};

use crate::audit::Audit;
use crate::board::Board;
use crate::faults::{self, Random};
use crate::news::{self, Line, Tone};
use crate::setup::{NODES, PARTITIONS, TOPIC, setup};

/// The application stops by itself here: the simulator remembers every record.
const MOST_RECORDS: u64 = 20_000;
/// The network that is behind every run is looked at this often, at least, in milliseconds.
const LONGEST: u64 = 100;
/// Microseconds between two faults of chaos, on average.
const CHAOS_EVERY: u64 = 1_500_000;

/// The run.
pub struct Game {
    pub(crate) simulation: Simulation,
    pub(crate) board: Board,
    pub(crate) audit: Audit,
    pub(crate) news: Vec<Line>,
    pub(crate) cut: BTreeSet<i32>,
    pub(crate) refused: u64,
    pub(crate) broken: Option<String>,
    pub(crate) verdict: Option<String>,
    dice: Dice,
    /// Exchanges that were looked at.
    exchanges: usize,
    /// Records a second, and when the next one is sent.
    rate: u32,
    next_send: Option<u64>,
    next_fault: Option<u64>,
    /// What chaos did and undoes: nodes to start, nodes to reach again.
    to_start: Vec<(u64, i32)>,
    to_reach: Vec<(u64, i32)>,
}

impl Game {
    /// A run before its first step. Everything random follows from `seed`. Without `idempotent` what is sent again may be
    /// stored again.
    ///
    /// # Errors
    /// The producer refuses its options.
    pub fn new(seed: u64, idempotent: bool) -> Result<Self, String> {
        Ok(Self {
            simulation: Simulation::new(setup(seed, idempotent))?,
            board: Board::default(),
            audit: Audit::default(),
            news: Vec::new(),
            cut: BTreeSet::new(),
            refused: 0,
            broken: None,
            verdict: None,
            dice: Dice::new(seed ^ 0x706c_6179),
            exchanges: 0,
            rate: 0,
            next_send: None,
            next_fault: None,
            to_start: Vec::new(),
            to_reach: Vec::new(),
        })
    }

    /// Has it ended?
    pub fn is_over(&self) -> bool {
        self.broken.is_some() || self.verdict.is_some()
    }

    /// No more records are sent by themselves.
    pub fn is_full(&self) -> bool {
        self.simulation.ledger.next() >= MOST_RECORDS
    }

    /// The application sends so many records a second; 0: none.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = rate.min(1_000);
        self.next_send = (rate > 0).then_some(self.simulation.now());
    }

    /// Faults at random moments, or no more of them: then what they began ends now.
    pub fn set_chaos(&mut self, on: bool) {
        let now = self.simulation.now();
        self.next_fault = on.then_some(now);
        if !on {
            self.to_start.iter_mut().chain(&mut self.to_reach).for_each(|(at, _)| *at = now);
        }
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, milliseconds: u64) {
        let end = self.simulation.now() + milliseconds * 1_000;
        while self.simulation.now() < end && !self.is_over() {
            self.act();
            self.pass(end, false);
        }
    }

    /// Lets time pass until something can be seen.
    pub fn step(&mut self) {
        let records = self.simulation.ledger.next();
        for _ in 0..1_000 {
            if self.is_over() {
                return;
            }
            self.act();
            let end = self.simulation.now() + LONGEST * 1_000;
            if self.pass(end, true) || self.simulation.ledger.next() > records {
                return;
            }
        }
    }

    /// The application sends so many records to a partition.
    pub fn send(&mut self, partition: i32, records: u32) {
        for _ in 0..records {
            let number = self.simulation.ledger.next();
            let size = 24 + self.dice.below(140);
            let sample = Sample::plain(number, size);
            let bytes = u32::try_from(sample.bytes()).unwrap_or_default() + 8;
            match self.simulation.send(TOPIC, Some(partition), sample) {
                Ok(Ok(id)) => self.board.accepted(id, partition, bytes),
                Ok(Err(_)) => self.refused += 1,
                Err(broken) => self.broken = Some(broken),
            }
        }
        self.look();
    }

    /// Something goes wrong: see `control.rs` for the names.
    pub(crate) fn attempt(&mut self, random: Random) -> Result<(), String> {
        let now = self.simulation.now();
        match random {
            Random::Kill(node, time) if self.simulation.cluster.is_up(node) => {
                self.to_start.push((now + time, node));
                self.say(Tone::Fault, format!("node {node} stops"));
                faults::kill(&mut self.simulation, node)
            }
            Random::Cut(node, time) if !self.cut.contains(&node) => {
                self.to_reach.push((now + time, node));
                self.say(Tone::Fault, format!("the network to node {node} is cut"));
                self.set_cut(node, true);
                Ok(())
            }
            Random::Move(partition) => {
                let to = faults::move_leader(&mut self.simulation, partition)?;
                self.say(Tone::Fault, format!("node {to} is to lead partition {partition}"));
                Ok(())
            }
            Random::Inject(name, partition) => {
                self.say(Tone::Fault, format!("partition {partition}: next Produce: {name}"));
                faults::inject(&mut self.simulation, name, partition)
            }
            Random::Kill(..) | Random::Cut(..) => Ok(()),
        }
    }

    /// Starts a node.
    pub(crate) fn start(&mut self, node: i32) -> Result<(), String> {
        self.to_start.retain(|(_, other)| *other != node);
        self.say(Tone::Fault, format!("node {node} starts"));
        faults::start(&mut self.simulation, node)
    }

    /// Cuts the network to a node, or mends it.
    pub(crate) fn set_cut(&mut self, node: i32, is_cut: bool) {
        if is_cut {
            self.cut.insert(node);
        } else {
            self.cut.remove(&node);
            self.to_reach.retain(|(_, other)| *other != node);
        }
        faults::set_cut(&mut self.simulation, |node| self.cut.contains(&node));
    }

    /// Ends all faults, waits for every outcome, closes the producer, and holds everything against
    /// everything: the simulator's own last check.
    pub fn finish(&mut self) {
        if self.is_over() {
            return;
        }
        self.next_send = None;
        self.next_fault = None;
        self.cut.clear();
        let before = self.simulation.ledger.next();
        let checked = self.simulation.settle().and_then(|()| {
            self.look();
            let checked = self.simulation.finish();
            // It fills the memory with records of its own and takes them back: no news of the run.
            self.simulation.events.seen.clear();
            checked
        });
        self.look();
        self.verdict = Some(match checked {
            Ok(()) => format!("{before} records: every outcome agrees with the logs"),
            Err(broken) => {
                self.broken = Some(broken.clone());
                broken
            }
        });
    }

    pub(crate) fn say(&mut self, tone: Tone, text: String) {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a short run")]
        let at = self.simulation.now() as f64 / 1_000.0;
        self.news.push(Line { at, tone, text });
    }

    /// What is due: records, faults, the end of faults.
    fn act(&mut self) {
        let now = self.simulation.now();
        while self.next_send.is_some_and(|at| at <= now) && !self.is_over() {
            if self.is_full() {
                self.next_send = None;
                break;
            }
            let partition = self.dice.below(PARTITIONS as usize);
            self.send(i32::try_from(partition).unwrap_or_default(), 1);
            let pause = 1 + self.dice.range(0, 2_000_000 / u64::from(self.rate.max(1)));
            self.next_send = self.next_send.map(|at| at + pause);
        }
        let due = |list: &[(u64, i32)]| list.iter().find(|(at, _)| *at <= now).map(|(_, n)| *n);
        while let Some(node) = due(&self.to_start) {
            // A person may have started it meanwhile.
            let _ = self.start(node);
        }
        while let Some(node) = due(&self.to_reach) {
            self.say(Tone::Fault, format!("node {node} can be reached again"));
            self.set_cut(node, false);
        }
        if self.next_fault.is_some_and(|at| at <= now) {
            let random = Random::draw(&mut self.dice);
            // With one replica in sync no other can lead: then nothing goes wrong this time.
            let _ = self.attempt(random);
            self.next_fault = Some(now + 1 + self.dice.range(0, 2 * CHAOS_EVERY));
        }
    }

    /// Time passes to what is due next, at most to `end`; with `watch` until something can be seen.
    /// Was there something?
    fn pass(&mut self, end: u64, watch: bool) -> bool {
        let now = self.simulation.now();
        let undo = self.to_start.iter().chain(&self.to_reach).map(|(at, _)| *at);
        let next = [self.next_send, self.next_fault].into_iter().flatten().chain(undo).min();
        let until = next.unwrap_or(end).min(end).max(now);
        let milliseconds = (until - now).div_ceil(1_000).clamp(1, LONGEST);
        let (written, stored) = (self.exchanges, self.simulation.cluster.stats().records);
        let seen = |simulation: &mut Simulation| {
            watch
                && (!simulation.events.seen.is_empty()
                    || simulation.observer.exchanges.len() > written
                    || simulation.cluster.stats().records > stored)
        };
        let passed = self.simulation.run_until(milliseconds, seen);
        self.look();
        passed.unwrap_or_else(|broken| {
            self.broken = Some(broken);
            true
        })
    }

    /// Takes in what happened.
    fn look(&mut self) {
        for event in core::mem::take(&mut self.simulation.events.seen) {
            let at = event.at.as_micros();
            self.board.event(&event.kind, at);
            if let Some((tone, text)) = news::of(&event) {
                #[expect(clippy::cast_precision_loss, reason = "microseconds of a short run")]
                self.news.push(Line { at: at as f64 / 1_000.0, tone, text });
            }
        }
        let exchanges = &self.simulation.observer.exchanges;
        exchanges.iter().skip(self.exchanges).for_each(|exchange| self.board.wrote(exchange));
        self.exchanges = exchanges.len();
        self.board.sweep(self.simulation.now());
        self.audit.read(&self.simulation.cluster);
    }
}

/// Are there such a node and such a partition?
pub(crate) fn check(node: i32, partition: i32) -> Result<(), String> {
    if (1..=NODES).contains(&node) && (0..PARTITIONS).contains(&partition) {
        Ok(())
    } else {
        Err(format!("no node {node}, or no partition {partition}"))
    }
}
