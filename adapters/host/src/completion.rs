//! What became of a batch, for those who hold a `Delivery` of one of its records.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use klamm::{BatchId, RecordId, Report};

use crate::callbacks::{Callbacks, Told};
use crate::process::Process;

/// One per batch, not per record. A batch that was split is reported in several pieces.
pub(crate) struct Completion {
    /// Nothing comes to this one in a child process: its records are the parent's.
    process: Process,
    /// The first report: of the whole batch, as a rule. It is read without the lock, and without the
    /// system call that asks whose process this is: what was known before a fork is known after it.
    first: OnceLock<Report>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: Vec<Report>,
    wakers: Vec<Waker>,
    abandoned: bool,
}

/// What is known of one record of a batch.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    Pending,
    Reported(Report),
    /// The driver is gone: nothing more will be known.
    Abandoned,
    /// It belongs to the process that this one was forked from.
    Elsewhere,
}

impl Completion {
    fn new() -> Self {
        Self {
            process: Process::this(),
            first: OnceLock::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn resolve(&self, report: Report) {
        let mut state = self.lock();
        let _ = self.first.set(report);
        state.pieces.push(report);
        self.tell(state);
    }

    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        self.tell(state);
    }

    pub(crate) fn fate(&self, index: u16) -> Fate {
        if let Some(report) = self.told(index) {
            return Fate::Reported(*report);
        }
        if !self.process.is_this() {
            return Fate::Elsewhere;
        }
        self.lock().fate(index)
    }

    /// Waits until the record's fate is known, or for `limit`; `None` waits for ever.
    pub(crate) fn wait(&self, index: u16, limit: Option<Duration>) -> Fate {
        if let Some(report) = self.told(index) {
            return Fate::Reported(*report);
        }
        if !self.process.is_this() {
            return Fate::Elsewhere;
        }
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.lock();
        loop {
            let fate = state.fate(index);
            if !matches!(fate, Fate::Pending) {
                return fate;
            }
            let Some(end) = end else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Fate::Pending;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The record's fate; while that is pending, `waker` is called when it may have changed.
    /// `place` remembers where the waker is, so that polling again costs the same however many
    /// futures the batch has.
    pub(crate) fn poll(&self, index: u16, waker: &Waker, place: &mut Option<usize>) -> Fate {
        if let Some(report) = self.told(index) {
            return Fate::Reported(*report);
        }
        if !self.process.is_this() {
            return Fate::Elsewhere;
        }
        let mut state = self.lock();
        let fate = state.fate(index);
        if matches!(fate, Fate::Pending) {
            match place.and_then(|place| state.wakers.get_mut(place)) {
                Some(known) => known.clone_from(waker),
                None => {
                    *place = Some(state.wakers.len());
                    state.wakers.push(waker.clone());
                }
            }
        }
        fate
    }

    fn tell(&self, state: MutexGuard<'_, State>) {
        // Wakers are foreign code: not under the lock. They stay registered, as `poll` counts on
        // places.
        let wakers = state.wakers.clone();
        drop(state);
        self.changed.notify_all();
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    /// The first report, if it has the record's fate: no lock, no system call, no copy.
    pub(crate) fn told(&self, index: u16) -> Option<&Report> {
        self.first.get().filter(|report| covers(report, index))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fate(&self, index: u16) -> Fate {
        match self.pieces.iter().find(|report| covers(report, index)) {
            Some(report) => Fate::Reported(*report),
            None if self.abandoned => Fate::Abandoned,
            None => Fate::Pending,
        }
    }
}

pub(crate) fn covers(report: &Report, index: u16) -> bool {
    index.checked_sub(report.first).is_some_and(|place| place < report.records)
}

/// Who waits for the batches that someone asked for, by the number of their slot.
#[derive(Default)]
pub(crate) struct Completions {
    slots: Vec<Option<Waiting>>,
    /// How many callbacks the last batch had that had any.
    usual: usize,
}

/// Who waits for a batch.
pub(crate) struct Waiting {
    batch: BatchId,
    completion: Option<Arc<Completion>>,
    callbacks: Callbacks,
}

impl Waiting {
    /// Tells them; without a report nothing more will be known.
    pub(crate) fn tell(self, report: Option<&Report>) {
        match (&self.completion, report) {
            (Some(completion), Some(report)) => completion.resolve(*report),
            (Some(completion), None) => completion.abandon(),
            (None, _) => {}
        }
        self.callbacks.call(report);
    }
}

impl Completions {
    /// The completion of the record's batch, made when the first `Delivery` of the batch is.
    pub(crate) fn of(&mut self, record: RecordId) -> Arc<Completion> {
        let waiting = Self::slot(&mut self.slots, record.batch);
        let completion = &mut waiting.completion;
        Arc::clone(completion.get_or_insert_with(|| Arc::new(Completion::new())))
    }

    /// Has the callback called when the record's fate is known, on the driver.
    pub(crate) fn call_back<F>(&mut self, record: RecordId, callback: F)
    where
        F: FnOnce(Told) + Send + 'static,
    {
        let waiting = Self::slot(&mut self.slots, record.batch);
        waiting.callbacks.add(record.index, callback, self.usual);
    }

    fn slot(slots: &mut Vec<Option<Waiting>>, batch: BatchId) -> &mut Waiting {
        let at = batch.index();
        if at >= slots.len() {
            slots.resize_with(at + 1, || None);
        }
        let slot = &mut slots[at];
        // What another batch had of it is done with.
        if slot.as_ref().is_some_and(|waiting| waiting.batch != batch) {
            *slot = None;
        }
        let new = || Waiting { batch, completion: None, callbacks: Callbacks::default() };
        slot.get_or_insert_with(new)
    }

    /// Those to be told of a report, if anyone still waits for it.
    pub(crate) fn take(&mut self, report: &Report) -> Option<Waiting> {
        let slot = self.slots.get_mut(report.batch.index())?;
        let waiting = slot.as_mut().filter(|waiting| waiting.batch == report.batch)?;
        let batch = waiting.batch;
        let callbacks = waiting.callbacks.take(report);
        if !callbacks.is_empty() {
            self.usual = callbacks.len();
        }
        // A batch that is reported takes no more records, so nobody can come to hold it later.
        let completion = waiting.completion.take_if(|held| Arc::strong_count(held) == 1);
        drop(completion);
        let completion = waiting.completion.clone();
        if completion.is_none() && waiting.callbacks.is_empty() {
            *slot = None;
        }
        let any = completion.is_some() || !callbacks.is_empty();
        any.then_some(Waiting { batch, completion, callbacks })
    }

    /// All of them, for the end of a driver that failed.
    pub(crate) fn take_all(&mut self) -> Vec<Waiting> {
        self.slots.drain(..).flatten().collect()
    }
}
