//! Options about what waits, for how long, how much of it, and what happens when that is too much. Of use on hosts;
//! firmware that does without the Cargo feature `policies` has none of it in its flash.

use crate::error::ConfigError;
use crate::error_code::ErrorCode;

/// What becomes of a record for which there is no room in the memory or in the queue.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Overflow {
    /// `send` refuses it, with `Full` or `QueueFull`. Adapters that can wait do so, and try again.
    #[default]
    Reject,
    /// It takes the place of the batch that was accepted longest ago and never sent: that one is reported as
    /// [`Outcome::Dropped`](crate::Outcome::Dropped), without its records. A record larger than `batch_size` may take the
    /// place of several. `send` refuses where there is none, and while so many reports are unread that none is left for
    /// another.
    DropOldest,
    /// `send` answers [`SendError::Dropped`](crate::SendError::Dropped), and counts it in `Stats::refused`.
    DropNewest,
}

/// Options of batching, of the queue and of retries. `u32::MAX` turns a bound or a threshold off, which is the default.
///
/// A record *is held back* while its batch lingers. It *waits* from `send` until its batch joins a request for the first
/// time: what was sent and has no outcome is bounded by `Limits::buffer_memory` alone.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Policies {
    /// Default `Reject`.
    pub overflow: Overflow,
    /// Full batches linger as well: nothing is sent before `linger_ms` is over, a threshold or the interval below says
    /// so, or `flush` is called, not even when the memory is full. With `linger_ms` = `u32::MAX` that is delivery by hand.
    /// Default false.
    pub hold_full_batches: bool,
    /// Nothing is held back any longer when so many records are. Default off.
    pub send_at_records: u32,
    /// The same in bytes, as in a batch before compression. Default off.
    pub send_at_bytes: u32,
    /// Nothing is held back any longer than this, in milliseconds, nor twice within it. Default 0: off.
    pub delivery_interval_ms: u32,
    /// Records that may wait. Default off.
    pub queue_records_max: u32,
    /// Bytes that may wait, as in a batch before compression; a record alone may be larger. Default off.
    pub queue_bytes_max: u32,
    /// Records that may wait for one broker. Those of partitions whose leader is not known count for none, and for
    /// their leader when it is known, which may have more than this then. Default off.
    pub broker_queue_records_max: u32,
    /// The same in bytes. Default off.
    pub broker_queue_bytes_max: u32,
    /// Errors of a broker's answer that are final, although klamm would try again. Default none.
    /// [`NOT_ENOUGH_REPLICAS`](Self::NOT_ENOUGH_REPLICAS) is what some producers have here.
    pub final_errors: &'static [ErrorCode],
    /// How long the broker may wait for replicas. Default 0: `request_timeout_ms`.
    pub ack_timeout_ms: u32,
}

impl Policies {
    /// 19 and 20: too few replicas are in sync. After 20 the records may be in the log all the same.
    pub const NOT_ENOUGH_REPLICAS: &'static [ErrorCode] =
        &[ErrorCode::NOT_ENOUGH_REPLICAS, ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND];

    /// The defaults.
    pub const fn new() -> Self {
        Self {
            overflow: Overflow::Reject,
            hold_full_batches: false,
            send_at_records: u32::MAX,
            send_at_bytes: u32::MAX,
            delivery_interval_ms: 0,
            queue_records_max: u32::MAX,
            queue_bytes_max: u32::MAX,
            broker_queue_records_max: u32::MAX,
            broker_queue_bytes_max: u32::MAX,
            final_errors: &[],
            ack_timeout_ms: 0,
        }
    }

    /// Does any of them ask how much waits?
    pub(crate) const fn count(&self) -> bool {
        let off = u32::MAX;
        self.send_at_records < off
            || self.send_at_bytes < off
            || self.delivery_interval_ms > 0
            || self.queue_records_max < off
            || self.queue_bytes_max < off
            || self.broker_queue_records_max < off
            || self.broker_queue_bytes_max < off
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let positive = [
            ("send_at_records", self.send_at_records),
            ("send_at_bytes", self.send_at_bytes),
            ("queue_records_max", self.queue_records_max),
            ("queue_bytes_max", self.queue_bytes_max),
            ("broker_queue_records_max", self.broker_queue_records_max),
            ("broker_queue_bytes_max", self.broker_queue_bytes_max),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((option, _)) => Err(ConfigError::OutOfRange { option, min: 1, max: u32::MAX }),
            None if self.ack_timeout_ms > i32::MAX.cast_unsigned() => {
                let max = i32::MAX.cast_unsigned();
                Err(ConfigError::OutOfRange { option: "ack_timeout_ms", min: 0, max })
            }
            None => Ok(()),
        }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::new()
    }
}
