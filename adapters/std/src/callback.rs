//! Reports for the application, one a batch.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use klamm::Report;

use crate::owned::OwnedRecord;

/// What became of a batch, or of a part of one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchReport {
    /// The core's report: partition, outcome, offsets, sizes, retries.
    pub report: Report,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The records, in order; empty unless [`Builder::keep_records`](crate::Builder::keep_records)
    /// asks for them, and for batches that were compressed and delivered.
    pub records: Vec<OwnedRecord>,
}

/// What `Builder::on_report` was given.
pub(crate) struct Callback(Box<dyn FnMut(&BatchReport) + Send>);

impl Callback {
    pub(crate) fn new(callback: impl FnMut(&BatchReport) + Send + 'static) -> Self {
        Self(Box::new(callback))
    }

    /// Calls it. A panic ends this call, not the driver: the other batches' outcomes depend on
    /// that.
    pub(crate) fn call(&mut self, report: &BatchReport) {
        // The panic hook has printed the message by now, and there is nobody else to tell.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.0)(report)));
    }
}
