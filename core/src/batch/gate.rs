//! The gate between numbering a batch and sending it: what is kept for after a crash must say the sequence before the
//! first byte leaves.

#[cfg(feature = "snapshot")]
use super::BatchState;
#[cfg(feature = "snapshot")]
use crate::id::BatchId;
use crate::producer::Producer;

impl Producer<'_> {
    /// Gives the batch its identity, and says whether it must wait for `release_batch` before it joins a request.
    #[cfg(feature = "snapshot")]
    pub(crate) fn holds_back(&mut self, p: usize, b: usize) -> bool {
        if !self.config.hold_stamped {
            return false;
        }
        if self.number(p, b) {
            self.storage.batches[b].fresh = true;
        }
        self.stamp(b);
        let held = self.is_held(b);
        self.wake |= held;
        held
    }

    #[cfg(not(feature = "snapshot"))]
    #[allow(clippy::unused_self, reason = "has a body with the feature")]
    pub(crate) const fn holds_back(&self, _: usize, _: usize) -> bool {
        false
    }

    /// Does the batch have an identity that was not released? One whose identity is out of date does not wait: it gets
    /// the new one first.
    #[cfg(feature = "snapshot")]
    pub(crate) fn is_held(&self, b: usize) -> bool {
        let batch = &self.storage.batches[b];
        self.config.hold_stamped && batch.sent && batch.stamped && !batch.released
    }

    #[cfg(not(feature = "snapshot"))]
    #[allow(clippy::unused_self, reason = "has a body with the feature")]
    pub(crate) const fn is_held(&self, _: usize) -> bool {
        false
    }

    #[cfg(feature = "snapshot")]
    pub(crate) fn open_gate(&mut self, batch: BatchId) -> bool {
        let b = batch.index();
        let slot = self.storage.batches.get(b);
        let known = slot.is_some_and(|slot| slot.generation == batch.generation);
        if !known || !self.is_held(b) || self.storage.batches[b].state == BatchState::Done {
            return false;
        }
        self.storage.batches[b].released = true;
        self.refile(usize::from(self.storage.batches[b].partition));
        true
    }
}
