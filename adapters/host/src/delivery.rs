//! The handle of an accepted record.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use klamm::{Outcome, PartitionId, Report, Timestamp};

use crate::completion::{Completion, Fate};
use crate::error::DeliveryError;

/// What becomes of an accepted record: wait for it, poll it, await it, or drop it. Dropping it
/// cancels nothing.
///
/// A callback must not wait for a `Delivery`: it runs on the thread that would have to bring it.
pub struct Delivery {
    completion: Arc<Completion>,
    index: u16,
    /// Where the waker of this future is registered, once it was polled.
    place: Option<usize>,
}

/// Where a delivered record is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Delivered {
    /// The topic and partition.
    pub partition: PartitionId,
    /// Its offset; `None` with acks = 0, and where only a later success proved the delivery.
    pub offset: Option<i64>,
    /// The broker's time of the append, on topics with `LogAppendTime`.
    pub log_append_time: Option<Timestamp>,
}

impl Delivery {
    pub(crate) fn new(completion: Arc<Completion>, index: u16) -> Self {
        Self { completion, index, place: None }
    }

    /// Waits for the outcome, which comes within `delivery.timeout.ms`.
    ///
    /// # Errors
    /// The record was not delivered, or that is not known.
    pub fn wait(&self) -> Result<Delivered, DeliveryError> {
        if let Some(report) = self.completion.told(self.index) {
            return outcome(report, self.index);
        }
        // Without a limit the fate is never `Pending`, hence never `None`.
        self.known(self.completion.wait(self.index, None))
            .unwrap_or(Err(DeliveryError::DriverFailed))
    }

    /// Waits for the outcome for up to `limit`; `None` when there is none by then.
    #[must_use]
    pub fn wait_timeout(&self, limit: Duration) -> Option<Result<Delivered, DeliveryError>> {
        self.known(self.completion.wait(self.index, Some(limit)))
    }

    /// The outcome, if there is one already.
    #[must_use]
    pub fn outcome(&self) -> Option<Result<Delivered, DeliveryError>> {
        self.known(self.completion.fate(self.index))
    }

    /// Moves on to the record behind those that were reported together with this one.
    pub(crate) fn skip_piece(&mut self) {
        if let Fate::Reported(report) = self.completion.fate(self.index) {
            self.index = report.first.saturating_add(report.records);
        }
    }

    pub(crate) fn index(&self) -> u16 {
        self.index
    }

    fn known(&self, fate: Fate) -> Option<Result<Delivered, DeliveryError>> {
        result(fate, self.index)
    }
}

impl Clone for Delivery {
    fn clone(&self) -> Self {
        // Each clone is a future of its own, with a waker of its own.
        Self { completion: Arc::clone(&self.completion), index: self.index, place: None }
    }
}

impl Future for Delivery {
    type Output = Result<Delivered, DeliveryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let fate = this.completion.poll(this.index, context.waker(), &mut this.place);
        this.known(fate).map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("outcome", &self.outcome()).finish_non_exhaustive()
    }
}

/// What a record's fate means to whoever sent it; `None` while it is pending.
pub(crate) fn result(fate: Fate, index: u16) -> Option<Result<Delivered, DeliveryError>> {
    match fate {
        Fate::Pending => None,
        Fate::Abandoned => Some(Err(DeliveryError::DriverFailed)),
        Fate::Elsewhere => Some(Err(DeliveryError::OtherProcess)),
        Fate::Reported(report) => Some(outcome(&report, index)),
    }
}

/// What a report means to whoever sent this record.
pub(crate) fn outcome(report: &Report, index: u16) -> Result<Delivered, DeliveryError> {
    match report.outcome {
        Outcome::Delivered { log_append_time, .. } => Ok(Delivered {
            partition: report.partition,
            offset: report.offset(index),
            log_append_time,
        }),
        Outcome::NotPersisted(reason) => Err(DeliveryError::NotPersisted(reason)),
        Outcome::Unknown(reason) => Err(DeliveryError::Unknown(reason)),
        _ => Err(DeliveryError::Dropped),
    }
}
