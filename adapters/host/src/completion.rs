//! What became of a batch, for those who hold a `Delivery` of one of its records.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use klamm::{BatchId, RecordId, Report};

use crate::delivery::{Delivered, result};
use crate::error::DeliveryError;
use crate::hooks::quietly;
use crate::process::Process;

/// What a record's own callback is told, once.
pub(crate) type Callback = Box<dyn FnOnce(Result<Delivered, DeliveryError>) + Send>;

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
    callbacks: Vec<(u16, Callback)>,
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

    /// Calls back when the record's fate is known, on the driver.
    fn call_back(&self, index: u16, callback: Callback) {
        self.lock().callbacks.push((index, callback));
    }

    pub(crate) fn fate(&self, index: u16) -> Fate {
        if let Some(fate) = self.told_first(index) {
            return fate;
        }
        if !self.process.is_this() {
            return Fate::Elsewhere;
        }
        self.lock().fate(index)
    }

    /// Waits until the record's fate is known, or for `limit`; `None` waits for ever.
    pub(crate) fn wait(&self, index: u16, limit: Option<Duration>) -> Fate {
        if let Some(fate) = self.told_first(index) {
            return fate;
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
        if let Some(fate) = self.told_first(index) {
            return fate;
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

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        // Wakers and callbacks are foreign code: not under the lock. Wakers stay registered, as
        // `poll` counts on places.
        let wakers = state.wakers.clone();
        let waiting = core::mem::take(&mut state.callbacks);
        let (told, waiting) = waiting
            .into_iter()
            .partition::<Vec<_>, _>(|(index, _)| !matches!(state.fate(*index), Fate::Pending));
        state.callbacks = waiting;
        drop(state);
        self.changed.notify_all();
        wakers.iter().for_each(Waker::wake_by_ref);
        for (index, callback) in told {
            let fate = self.told_first(index).unwrap_or_else(|| self.lock().fate(index));
            if let Some(result) = result(fate, index) {
                quietly(|| callback(result));
            }
        }
    }

    /// The record's fate, if the first report has it.
    fn told_first(&self, index: u16) -> Option<Fate> {
        self.first
            .get()
            .filter(|report| covers(report, index))
            .map(|report| Fate::Reported(*report))
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

fn covers(report: &Report, index: u16) -> bool {
    index.checked_sub(report.first).is_some_and(|place| place < report.records)
}

/// The completions of the batches that someone asked for, by the number of their slot.
#[derive(Default)]
pub(crate) struct Completions {
    slots: Vec<Option<(BatchId, Arc<Completion>)>>,
}

impl Completions {
    /// The completion of the record's batch, made when the first `Delivery` of the batch is.
    pub(crate) fn of(&mut self, record: RecordId) -> Arc<Completion> {
        let at = record.batch.index();
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        match &mut self.slots[at] {
            Some((id, completion)) if *id == record.batch => Arc::clone(completion),
            slot => {
                let completion = Arc::new(Completion::new());
                *slot = Some((record.batch, Arc::clone(&completion)));
                completion
            }
        }
    }

    /// Has the callback called when the record's fate is known.
    pub(crate) fn call_back(&mut self, record: RecordId, callback: Callback) {
        self.of(record).call_back(record.index, callback);
    }

    /// The completion to be told of a report, if anyone still waits for it.
    pub(crate) fn holding(&mut self, batch: BatchId) -> Option<Arc<Completion>> {
        let slot = self.slots.get_mut(batch.index())?;
        let (id, completion) = slot.as_ref()?;
        if *id != batch {
            return None;
        }
        // A batch that is reported takes no more records, so nobody can come to hold it later.
        if Arc::strong_count(completion) == 1 && completion.lock().callbacks.is_empty() {
            *slot = None;
            return None;
        }
        Some(Arc::clone(completion))
    }

    /// All completions, for the end of a driver that failed.
    pub(crate) fn take_all(&mut self) -> Vec<Arc<Completion>> {
        self.slots.drain(..).flatten().map(|(_, completion)| completion).collect()
    }
}
