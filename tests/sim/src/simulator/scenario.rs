//! Scenarios: a test says what is sent and what goes wrong, then what must have happened. Every
//! broken promise that the simulation sees is a panic, as an assertion is.

use core::ops::{Deref, DerefMut, Range};

use klamm::{Outcome, SendError, Stats};

use super::{Exchange, Fate, Sample, Setup, Simulation, Way};
use crate::cluster::{Api, Fault, Rule};

/// The topic of scenarios that need only one.
pub const TOPIC: &str = "t";
/// `batch_size` of scenarios: a record of [`ALONE`] bytes fills a batch.
const BATCH_SIZE: u32 = 300;
/// Bytes of a value that leaves no room for another record in its batch.
const ALONE: usize = 200;
/// Bytes of a batch's header.
const HEADER: usize = 61;

/// A [`Simulation`] that panics when a promise is broken.
#[derive(Debug)]
pub struct Scenario(Simulation);

/// A batch as it was sent: what a test compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The producer epoch.
    pub epoch: i16,
    /// The sequence of its first record.
    pub sequence: i32,
    /// The numbers of its records.
    pub records: Vec<u64>,
    /// The answer's error code, if there was an answer.
    pub code: Option<i16>,
}

impl Deref for Scenario {
    type Target = Simulation;
    fn deref(&self) -> &Simulation {
        &self.0
    }
}

impl DerefMut for Scenario {
    fn deref_mut(&mut self) -> &mut Simulation {
        &mut self.0
    }
}

impl Scenario {
    /// The options of most scenarios: topic [`TOPIC`] with these partitions on each of the nodes,
    /// and batches that one record fills.
    pub fn setup(nodes: i32, partitions: i32) -> Setup {
        let replication = usize::try_from(nodes).unwrap_or(1);
        let mut setup = Setup::quiet(nodes).with_topic(TOPIC, partitions, replication);
        setup.config.batch_size = BATCH_SIZE;
        setup.limits.batch_size = BATCH_SIZE;
        setup
    }

    /// Starts.
    ///
    /// # Panics
    /// When the options are refused.
    pub fn new(setup: Setup) -> Self {
        match Simulation::new(setup) {
            Ok(simulation) => Self(simulation),
            Err(what) => panic!("the simulation does not start: {what}"),
        }
    }

    /// Starts with [`setup`](Self::setup).
    ///
    /// # Panics
    /// When the options are refused.
    pub fn start(nodes: i32, partitions: i32) -> Self {
        Self::new(Self::setup(nodes, partitions))
    }

    /// Sends a record that makes a batch of its own; returns its number.
    ///
    /// # Panics
    /// When it is not accepted.
    pub fn batch(&mut self, partition: i32) -> u64 {
        let number = self.ledger.next();
        self.sample(partition, Sample::plain(number, ALONE))
    }

    /// Sends so many batches of one record each; returns the records' numbers.
    ///
    /// # Panics
    /// When one is not accepted.
    pub fn batches(&mut self, partition: i32, count: usize) -> Range<u64> {
        let first = self.ledger.next();
        for _ in 0..count {
            self.batch(partition);
        }
        first..self.ledger.next()
    }

    /// Sends records that fill a batch together; returns their numbers.
    ///
    /// # Panics
    /// When one is not accepted.
    pub fn batch_of(&mut self, partition: i32, records: usize) -> Range<u64> {
        let size = (BATCH_SIZE as usize - HEADER) / records - 10;
        let first = self.ledger.next();
        for number in first..first + records as u64 {
            self.sample(partition, Sample::plain(number, size));
        }
        first..self.ledger.next()
    }

    /// Sends this record; returns its number.
    ///
    /// # Panics
    /// When it is not accepted.
    pub fn sample(&mut self, partition: i32, sample: Sample) -> u64 {
        let number = self.ledger.next();
        match self.offer(partition, sample) {
            Ok(()) => number,
            Err(error) => panic!("record {number} is refused: {error}"),
        }
    }

    /// Offers this record.
    ///
    /// # Errors
    /// As `send`.
    ///
    /// # Panics
    /// When a promise is broken.
    pub fn offer(&mut self, partition: i32, sample: Sample) -> Result<(), SendError> {
        match self.0.send(TOPIC, Some(partition), sample) {
            Ok(answer) => answer.map(|_| ()),
            Err(what) => panic!("{what}"),
        }
    }

    /// How many batches of one record each memory holds: sends them to `partition` until there is
    /// no room, and waits for their outcomes.
    ///
    /// # Panics
    /// When they get none within a minute.
    pub fn capacity(&mut self, partition: i32) -> u64 {
        let first = self.ledger.next();
        while self.offer(partition, Sample::plain(self.ledger.next(), ALONE)).is_ok() {}
        let capacity = self.ledger.next() - first;
        self.run_until_reported(60_000);
        capacity
    }

    /// Lets time pass, in milliseconds.
    ///
    /// # Panics
    /// When a promise is broken.
    pub fn run(&mut self, milliseconds: u64) {
        self.run_for(milliseconds, |_| false);
    }

    /// Lets time pass until `done`, at most so many milliseconds; was it done?
    ///
    /// # Panics
    /// When a promise is broken.
    pub fn run_for(&mut self, milliseconds: u64, done: impl Fn(&mut Simulation) -> bool) -> bool {
        match self.0.run_until(milliseconds, done) {
            Ok(done) => done,
            Err(what) => panic!("{what}"),
        }
    }

    /// Lets time pass until all records are reported, at most so many milliseconds.
    ///
    /// # Panics
    /// When it takes longer, or a promise is broken.
    pub fn run_until_reported(&mut self, milliseconds: u64) {
        let done = self.run_for(milliseconds, |s| s.ledger.unreported() == 0);
        assert!(done, "{} records have no outcome: {:?}", self.ledger.unreported(), self.stats());
    }

    /// Sends a batch to each of these partitions and waits until they are delivered: the
    /// connections are open, the partitions known.
    ///
    /// # Panics
    /// When it is not delivered.
    pub fn warm_up(&mut self, partitions: Range<i32>) {
        for partition in partitions {
            self.batch(partition);
        }
        self.run_until_reported(10_000);
        let entries = self.ledger.entries();
        assert!(entries.iter().all(|e| matches!(e.fate, Some(Fate::Delivered(_)))), "{entries:?}");
    }

    /// The next Produce of this partition of [`TOPIC`] goes wrong.
    pub fn produce_fault(&mut self, partition: i32, fault: Fault) {
        self.produce_faults(partition, fault, 1);
    }

    /// The next so many.
    pub fn produce_faults(&mut self, partition: i32, fault: Fault, times: u32) {
        let mut rule = Rule::once(Api::Produce, fault);
        rule.topic = Some(TOPIC.to_owned());
        rule.partition = Some(partition);
        rule.times = times;
        self.cluster.inject(rule);
    }

    /// Nothing arrives from or at this node for so many milliseconds.
    ///
    /// # Panics
    /// When there is no connection to it.
    pub fn stall(&mut self, node: i32, way: Way, milliseconds: u64) {
        let Some(slot) = self.network.slot_of(node) else { panic!("no connection to {node}") };
        let until = self.now() + milliseconds * 1_000;
        self.network.stall(slot, way, until);
    }

    /// The far end of this slot's connection is gone, and the producer is not told.
    pub fn half_open(&mut self, slot: usize) {
        self.0.network.half_open(slot, &mut self.0.cluster);
    }

    /// The node that leads a partition of [`TOPIC`].
    ///
    /// # Panics
    /// When there is none.
    pub fn leader(&self, partition: i32) -> i32 {
        let Some(node) = self.cluster.leader(TOPIC, partition) else {
            panic!("partition {partition} has no leader")
        };
        node
    }

    /// Makes another in-sync replica the leader; returns it.
    ///
    /// # Panics
    /// When there is none.
    pub fn move_leader(&mut self, partition: i32) -> i32 {
        let (old, now) = (self.leader(partition), self.now());
        let others = self.cluster.isr(TOPIC, partition);
        let Some(new) = others.into_iter().find(|node| *node != old) else {
            panic!("partition {partition} has one replica in sync")
        };
        if let Err(error) = self.cluster.elect(TOPIC, partition, new, now) {
            panic!("the election fails: {error:?}");
        }
        new
    }

    /// What became of a record.
    pub fn fate(&self, record: u64) -> Option<Fate> {
        self.ledger.entry(record)?.fate
    }

    /// Are all of these delivered?
    pub fn all_delivered(&self, mut records: Range<u64>) -> bool {
        records.all(|r| matches!(self.fate(r), Some(Fate::Delivered(_))))
    }

    /// The batches of a partition of [`TOPIC`] as they were sent, retries included, in order.
    pub fn lines(&self, partition: i32) -> Vec<Line> {
        let line = |e: &Exchange| Line {
            epoch: e.batch.epoch,
            sequence: e.batch.sequence,
            records: e.batch.numbers.clone(),
            code: e.answer.map(|(_, code, _)| code),
        };
        self.observer.sent_to(TOPIC, partition).into_iter().map(line).collect()
    }

    /// The record numbers of the batches of a partition of [`TOPIC`] as they were sent.
    pub fn sent(&self, partition: i32) -> Vec<Vec<u64>> {
        self.lines(partition).into_iter().map(|line| line.records).collect()
    }

    /// The numbers of the records in the log of a partition of [`TOPIC`].
    pub fn log(&self, partition: i32) -> Vec<u64> {
        self.cluster.log(TOPIC, partition).map(|record| Sample::number(&record)).collect()
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.0.producer.stats()
    }

    /// The next report without taking it.
    pub fn pending_report(&self) -> Option<Outcome> {
        self.0.producer.peek_report().map(|report| report.outcome)
    }

    /// Ends all faults, closes the producer, and checks that reports and logs agree.
    ///
    /// # Panics
    /// When they do not.
    pub fn finish(&mut self) {
        if let Err(what) = self.0.settle().and_then(|()| self.0.finish()) {
            panic!("{what}");
        }
    }
}
