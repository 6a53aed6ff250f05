//! A model of one partition: replicas, connections and an idempotent producer, small enough to
//! search exhaustively.
//!
//! It says why klamm's recovery rules are as they are: [`rules::PLANS`] are searched without
//! finding a violation, [`rules::VARIANTS`] are simpler rules, each with the fault sequence that
//! breaks it. The same runs are replayed against the real core, which must do what the model does
//! with klamm's rules.
//!
//! - **Brokers** A log per replica; the producer's state is the last 5 batches at most, cut to one
//!   by a restart or a truncation. Replication, high watermark and in-sync set are explicit; a
//!   clean election takes any in-sync replica, so the uncommitted tail of a log may vanish, and
//!   come back when the next leader has it.
//! - **Network** First in, first out. A dead connection loses its answers; requests the broker has
//!   not read are lost, or read later, at any time.
//! - **Client** [`rules::Rules`].
//!
//! Not here: several partitions in a request, time, transactions, the wrap of sequences and epochs.

mod actions;
mod brokers;
mod client;
pub mod rules;
pub mod search;
pub mod state;

pub use actions::{Action, Fault};
pub use rules::{Plan, Rules};
use state::{Batch, Fate, State};

/// A promise that a run broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A record was reported twice.
    TwoOutcomes,
    /// Unknown was reported without a cause.
    NeedlessUnknown,
    /// Not persisted was reported without a cause.
    NeedlessFailure,
    /// The run goes on for ever, or ended without an outcome for each record.
    NoProgress,
    /// A record is in the log twice.
    Duplicate,
    /// Records are in the log in another order.
    Order,
    /// A record reported delivered is not in the log.
    Loss,
    /// A record reported not persisted is in the log.
    FalseNotPersisted,
}

/// A run: its state, and what happened so far.
#[derive(Clone, Debug)]
pub struct World {
    rules: Rules,
    faults: &'static [Fault],
    state: State,
    records: usize,
    trace: Vec<Action>,
    violations: Vec<Violation>,
    bumps: u32,
}

impl World {
    /// The start of a run.
    pub fn new(plan: &Plan) -> Self {
        Self {
            rules: plan.rules,
            faults: plan.faults,
            state: State::new(plan.batches, plan.replicas, plan.old, plan.reject_unknown),
            records: plan.batches.iter().map(|n| usize::from(*n)).sum(),
            trace: Vec::new(),
            violations: Vec::new(),
            bumps: 0,
        }
    }

    /// Where the run is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The actions so far.
    pub fn trace(&self) -> &[Action] {
        &self.trace
    }

    /// Promises broken so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Epochs raised so far.
    pub fn bumps(&self) -> u32 {
        self.bumps
    }

    /// The answer that the client reads next: its error code, and the offset of the stored batch
    /// that it is about.
    pub fn next_answer(&self) -> Option<(i16, Option<i32>)> {
        let answer = self.state.brokers.live()?.answers.front()?;
        let offset = answer.entry.map(|entry| self.state.brokers.offset_of(&entry));
        Some((answer.code?, offset))
    }

    /// Goes on without faults, then checks all promises.
    pub fn calm(&mut self) {
        for _ in 0..400 {
            match self.actions().0 {
                Some(action) if self.violations.is_empty() => self.apply(action),
                _ => break,
            };
        }
        self.check();
    }

    /// Checks all promises at the end of a run.
    pub fn check(&mut self) {
        let log = self.state.log_records();
        let mut sorted = log.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let mut firsts: Vec<i32> = Vec::new();
        for record in &log {
            if !firsts.contains(record) {
                firsts.push(*record);
            }
        }
        if self.state.fates.len() < self.records && self.violations.is_empty() {
            self.violations.push(Violation::NoProgress);
        }
        if sorted.len() < log.len() {
            self.violations.push(Violation::Duplicate);
        }
        if firsts != sorted {
            self.violations.push(Violation::Order);
        }
        for (record, fate) in &self.state.fates {
            let there = sorted.binary_search(record).is_ok();
            let lost = self.state.lost.binary_search(record).is_ok();
            match fate {
                Fate::Delivered if !there && !lost => self.violations.push(Violation::Loss),
                Fate::NotPersisted if there => {
                    self.violations.push(Violation::FalseNotPersisted);
                }
                _ => {}
            }
        }
    }

    fn report(&mut self, batch: &Batch, fate: Fate) {
        for record in batch.records.records() {
            if self.state.fates.insert(record, fate).is_some() {
                self.violations.push(Violation::TwoOutcomes);
            }
        }
        if fate == Fate::Unknown && !self.state.may_be_unknown {
            self.violations.push(Violation::NeedlessUnknown);
        }
        if fate == Fate::NotPersisted && !self.state.may_fail {
            self.violations.push(Violation::NeedlessFailure);
        }
    }
}
