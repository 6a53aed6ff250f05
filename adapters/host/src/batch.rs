//! Batches that the application fills itself.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::time::Instant;

use klamm::BatchBuilder;

use crate::delivery::{Delivered, Delivery};
use crate::error::DeliveryError;

/// A batch from a producer's `create_batch`: belongs to nobody until
/// it is sent, and can be cleared and filled again after that.
pub type Batch = BatchBuilder<Box<[u8]>>;

/// What becomes of a batch that was sent: wait for it, poll it, await it, or drop it. Dropping it
/// cancels nothing.
///
/// A batch may end in parts, when the cluster finds it too large: it is delivered when all of it
/// is.
pub struct BatchDelivery {
    /// Of the first record whose outcome is not known to be a success.
    next: Delivery,
    records: u16,
    first: Option<Delivered>,
}

impl BatchDelivery {
    pub(crate) fn new(first: Delivery, records: u16) -> Self {
        Self { next: first, records, first: None }
    }

    /// Waits for the outcome, which comes within `delivery.timeout.ms`. The offset is that of the
    /// batch's first record.
    ///
    /// # Errors
    /// The first error of its records.
    pub fn wait(&mut self) -> Result<Delivered, DeliveryError> {
        loop {
            let piece = self.next.wait();
            if let Some(result) = self.note(piece) {
                return result;
            }
        }
    }

    /// Waits for the outcome for up to `limit`; `None` when there is none by then.
    #[must_use]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<Delivered, DeliveryError>> {
        let start = Instant::now();
        loop {
            let piece = self.next.wait_timeout(limit.saturating_sub(start.elapsed()))?;
            if let Some(result) = self.note(piece) {
                return Some(result);
            }
        }
    }

    /// Takes the outcome of the piece that was next; the whole batch's, if that was the last.
    fn note(
        &mut self,
        piece: Result<Delivered, DeliveryError>,
    ) -> Option<Result<Delivered, DeliveryError>> {
        let place = match piece {
            Ok(place) => place,
            Err(error) => return Some(Err(error)),
        };
        let first = *self.first.get_or_insert(place);
        self.next.skip_piece();
        (self.next.index() >= self.records).then_some(Ok(first))
    }
}

impl Future for BatchDelivery {
    type Output = Result<Delivered, DeliveryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let Poll::Ready(piece) = Pin::new(&mut self.next).poll(context) else {
                return Poll::Pending;
            };
            if let Some(result) = self.note(piece) {
                return Poll::Ready(result);
            }
        }
    }
}

impl fmt::Debug for BatchDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchDelivery").field("records", &self.records).finish_non_exhaustive()
    }
}
