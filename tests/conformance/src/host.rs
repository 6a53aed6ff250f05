//! What adapters over `klamm-host` have beyond the others.

use core::time::Duration;

use klamm::{Outcome, Record};
use klamm_host::{
    Builder, Closed, Delivered, DeliveryError, DriverFailure, SendError, Start, Undelivered,
};

use crate::adapter::{Adapter, Fate, Refused, Returned, Setup};

/// An adapter over `klamm-host`.
pub trait HostAdapter: Adapter {
    /// What its builder builds.
    type Producer: Start;

    /// Makes a producer of a builder.
    fn build(builder: Builder<Self::Producer>) -> Self;

    /// Accepts a record; the outcome goes to `callback`.
    ///
    /// # Errors
    /// It was not accepted.
    fn send_then(
        &self,
        topic: &str,
        record: &Record<'_>,
        callback: impl FnOnce(Result<Delivered, DeliveryError>) + Send + 'static,
    ) -> Result<(), Refused>;

    /// Accepts a record without a handle, and calls `accepted` under the lock.
    ///
    /// # Errors
    /// It was not accepted.
    fn post_and_call(&self, topic: &str, accepted: impl FnMut()) -> Result<(), Refused>;

    /// Waits for a record's fate, for so long.
    fn fate_within(&self, delivery: Self::Delivery, limit: Duration) -> Option<Fate>;

    /// Its figures in Prometheus's text format.
    fn prometheus(&self) -> String;

    /// Why the driver failed that failed last.
    fn last_driver_failure(&self) -> Option<DriverFailure>;
}

/// A builder for this setup.
#[must_use]
pub fn builder<P: Start>(setup: &Setup) -> Builder<P> {
    let crc32c = Builder::<P>::new("").config().crc32c;
    Builder::new(&setup.servers)
        .configure(|config| {
            *config = setup.config;
            config.crc32c = crc32c;
        })
        .limits(|limits| *limits = setup.limits)
        .max_block(setup.max_block)
}

/// In the suite's words.
#[must_use]
pub fn refused(error: SendError) -> Refused {
    match error {
        SendError::Refused(reason) => Refused::Now(reason),
        SendError::TimedOut { last, .. } => Refused::Late(last),
        _ => Refused::Dead,
    }
}

/// In the suite's words.
#[must_use]
pub fn fate(result: Result<Delivered, DeliveryError>) -> Fate {
    match result {
        Ok(delivered) => Fate::Delivered(delivered.partition, delivered.offset),
        Err(DeliveryError::NotPersisted(reason)) => Fate::NotPersisted(reason),
        Err(DeliveryError::Unknown(reason)) => Fate::Unknown(reason),
        Err(_) => Fate::Other,
    }
}

/// In the suite's words.
#[must_use]
pub fn returned(closed: Closed) -> Vec<Returned> {
    let one = |undelivered: Undelivered| Returned {
        to: (undelivered.record.topic.to_string(), undelivered.record.partition),
        key: undelivered.record.key,
        value: undelivered.record.value,
        headers: undelivered
            .record
            .headers
            .into_iter()
            .map(|header| (header.key, header.value))
            .collect(),
        fate: match undelivered.outcome {
            Outcome::NotPersisted(reason) => Fate::NotPersisted(reason),
            Outcome::Unknown(reason) => Fate::Unknown(reason),
            _ => Fate::Other,
        },
    };
    closed.undelivered.into_iter().map(one).collect()
}
