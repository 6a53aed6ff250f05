//! What became of a batch, for those who hold a `Delivery` of one of its records.

use core::task::Waker;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use klamm::{BatchId, RecordId, Report};

/// One per batch, not per record. A batch that was split is reported in several pieces.
#[derive(Default)]
pub(crate) struct Completion {
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
pub(crate) enum Fate {
    Pending,
    Reported(Report),
    /// The driver is gone: nothing more will be known.
    Abandoned,
}

impl Completion {
    pub(crate) fn resolve(&self, report: Report) {
        let mut state = self.lock();
        state.pieces.push(report);
        self.tell(state);
    }

    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        self.tell(state);
    }

    pub(crate) fn fate(&self, index: u16) -> Fate {
        self.lock().fate(index)
    }

    /// Waits until the record's fate is known, or for `limit`; `None` waits for ever.
    pub(crate) fn wait(&self, index: u16, limit: Option<Duration>) -> Fate {
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
        // Wakers run foreign code: not under the lock. They stay registered, as `poll` counts on
        // places.
        let wakers = state.wakers.clone();
        drop(state);
        self.changed.notify_all();
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fate(&self, index: u16) -> Fate {
        let covers = |report: &&Report| {
            index.checked_sub(report.first).is_some_and(|place| place < report.records)
        };
        match self.pieces.iter().find(covers) {
            Some(report) => Fate::Reported(*report),
            None if self.abandoned => Fate::Abandoned,
            None => Fate::Pending,
        }
    }
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
                let completion = Arc::<Completion>::default();
                *slot = Some((record.batch, Arc::clone(&completion)));
                completion
            }
        }
    }

    /// The completion to be told of a report, if anyone still holds a `Delivery` of the batch.
    pub(crate) fn holding(&mut self, batch: BatchId) -> Option<Arc<Completion>> {
        let slot = self.slots.get_mut(batch.index())?;
        let (id, completion) = slot.as_ref()?;
        if *id != batch {
            return None;
        }
        // A batch that is reported takes no more records, so nobody can come to hold it later.
        if Arc::strong_count(completion) == 1 {
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
