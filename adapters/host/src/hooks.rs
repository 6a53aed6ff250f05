//! What the application wants to be called for.

use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;

use klamm::{Record, Report};

use crate::interceptor::Interceptor;
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

type OnReport = dyn Fn(&BatchReport) + Send + Sync;
type KeyMaker = dyn Fn(&str, &Record<'_>) -> Option<Vec<u8>> + Send + Sync;

/// Everything that `Builder` was given to call. None of it is behind a lock: a fork may happen
/// while another thread is in there.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) report: Option<Box<OnReport>>,
    pub(crate) interceptors: Vec<Box<dyn Interceptor>>,
    pub(crate) key_maker: Option<Box<KeyMaker>>,
}

impl Hooks {
    /// Does anyone want to hear of batches?
    pub(crate) fn hear(&self) -> bool {
        self.report.is_some() || !self.interceptors.is_empty()
    }

    /// May anyone change records on their way in?
    pub(crate) fn see_records(&self) -> bool {
        self.key_maker.is_some() || !self.interceptors.is_empty()
    }

    /// Tells of a batch: the interceptors first, in their order.
    pub(crate) fn tell(&self, report: &BatchReport) {
        for interceptor in &self.interceptors {
            quietly(|| interceptor.on_acknowledgement(report));
        }
        if let Some(callback) = &self.report {
            quietly(|| callback(report));
        }
    }
}

/// Calls foreign code. A panic ends this call, not the driver: other records' outcomes depend on
/// that.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> Option<T> {
    // The panic hook has printed the message by now, and there is nobody else to tell.
    catch_unwind(AssertUnwindSafe(call)).ok()
}
