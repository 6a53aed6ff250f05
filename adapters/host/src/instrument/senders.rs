//! Events of senders: told on their own thread, when they have let go of the lock.

use core::task::Poll;

use super::event::ProducerEvent;
use crate::error::SendError;
use crate::handle::{Driver, Handle};
use crate::shared::Target;

impl<D: Driver> Handle<D> {
    /// So many records were accepted; then the queue was that long.
    pub(crate) fn tell_of_sender(&self, target: &Target<'_>, records: u64, queue_records: u64) {
        let options = self.options();
        if records > 0 && options.instruments.hear() {
            let topic = target.name();
            let queue_records_max = options.config.policies.queue_records_max;
            let event =
                ProducerEvent::Enqueued { topic, records, queue_records, queue_records_max };
            options.instruments.tell(&options.client_id, &event);
        }
    }

    /// If it was for want of room, says so.
    pub(crate) fn tell_of_refusal<T>(
        &self,
        target: &Target<'_>,
        result: &Poll<Result<T, SendError>>,
    ) {
        let options = self.options();
        let Poll::Ready(Err(error)) = result else { return };
        let error = match *error {
            SendError::Refused(error) | SendError::TimedOut { last: error, .. } => error,
            SendError::DriverFailed => return,
        };
        let overflow = matches!(
            error,
            klamm::SendError::Full | klamm::SendError::QueueFull { .. } | klamm::SendError::Dropped
        );
        if overflow && options.instruments.hear() {
            let event = ProducerEvent::Overflow {
                topic: target.name(),
                queue_records: self.stats().buffered,
                queue_records_max: options.config.policies.queue_records_max,
                error,
            };
            options.instruments.tell(&options.client_id, &event);
        }
    }
}
