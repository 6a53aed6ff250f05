//! Events: those of the core, and those of senders.

use core::fmt;

use klamm::{EventBatch, EventKind, TopicId};

/// What happened to a producer.
///
/// Senders tell of theirs on their own thread, the driver of the core's: events of two threads come in any order.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ProducerEvent<'e> {
    /// Records were accepted.
    Enqueued {
        /// Their topic.
        topic: &'e str,
        /// How many: one, but for batches and `post_all`.
        records: u64,
        /// Records without outcome, these included.
        queue_records: u64,
        /// `Policies::queue_records_max`; `u32::MAX` is without a limit, but for the memory.
        queue_records_max: u32,
    },
    /// A record was refused, or dropped, for want of room.
    Overflow {
        /// Its topic.
        topic: &'e str,
        /// Records without outcome.
        queue_records: u64,
        /// `Policies::queue_records_max`.
        queue_records_max: u32,
        /// What the core said.
        error: klamm::SendError,
    },
    /// Something happened in the core.
    Core {
        /// What.
        event: &'e klamm::Event,
        /// The name of its topic, if it is about one.
        topic: Option<&'e str>,
    },
    /// The driver failed; the next call starts another one.
    DriverFailed {
        /// Why.
        message: &'e str,
    },
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(
    not(any(feature = "log", feature = "tracing")),
    allow(dead_code, reason = "who writes records has levels")
)]
pub(crate) enum Severity {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[cfg_attr(
    not(any(feature = "log", feature = "tracing")),
    allow(dead_code, reason = "who writes records has levels")
)]
impl ProducerEvent<'_> {
    pub(crate) fn severity(&self) -> Severity {
        let event = match self {
            Self::Enqueued { .. } => return Severity::Trace,
            Self::Overflow { .. } => return Severity::Warn,
            Self::DriverFailed { .. } => return Severity::Error,
            Self::Core { event, .. } => event,
        };
        match event.kind {
            EventKind::DataLoss(_) => Severity::Error,
            EventKind::Failed { .. } | EventKind::Dropped(_) => Severity::Warn,
            EventKind::EpochBumped { .. } => Severity::Warn,
            EventKind::Identity { error, .. } | EventKind::Topic { error, .. }
                if !error.is_ok() =>
            {
                Severity::Warn
            }
            EventKind::Disconnected { ready, unanswered, .. } if !ready || unanswered > 0 => {
                Severity::Warn
            }
            EventKind::Retry { .. }
            | EventKind::Throttled { .. }
            | EventKind::LeaderChanged { .. }
            | EventKind::Connected(_)
            | EventKind::Disconnected { .. } => Severity::Info,
            EventKind::Identity { .. } | EventKind::Topic { .. } => Severity::Debug,
            _ => Severity::Trace,
        }
    }
}

/// The topic that an event is about.
pub(crate) fn topic_of(event: &klamm::Event) -> Option<TopicId> {
    match event.kind {
        EventKind::Sealed(batch) | EventKind::Dropped(batch) => Some(batch.partition.topic),
        EventKind::Sent { batch, .. }
        | EventKind::Delivered { batch, .. }
        | EventKind::Failed { batch, .. } => Some(batch.partition.topic),
        EventKind::Retry { partition, .. }
        | EventKind::LeaderChanged { partition, .. }
        | EventKind::DataLoss(partition)
        | EventKind::EpochBumped { partition, .. } => Some(partition.topic),
        EventKind::Topic { topic, .. } => Some(topic),
        _ => None,
    }
}

/// A sentence, without the client's name.
impl fmt::Display for ProducerEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Enqueued { topic, records, queue_records, .. } => {
                write!(f, "{topic}: {records} records accepted, {queue_records} in the queue")
            }
            Self::Overflow { topic, queue_records, error, .. } => {
                write!(f, "{topic}: record refused with {queue_records} in the queue: {error}")
            }
            Self::Core { event, topic } => write_core(f, &event.kind, topic.unwrap_or_default()),
            Self::DriverFailed { message } => write!(f, "the driver failed: {message}"),
        }
    }
}

fn write_core(f: &mut fmt::Formatter<'_>, kind: &EventKind, topic: &str) -> fmt::Result {
    let place = |batch: &EventBatch| {
        let EventBatch { partition, records, bytes, .. } = batch;
        format!("{topic}-{}: batch of {records} records, {bytes} bytes", partition.index)
    };
    match kind {
        EventKind::Sealed(batch) => write!(f, "{}, is complete", place(batch)),
        EventKind::Sent { batch, broker, retries: 0 } => {
            write!(f, "{}, goes to broker {}", place(batch), broker.node)
        }
        EventKind::Sent { batch, broker, retries } => {
            write!(f, "{}, goes to broker {}, retry {retries}", place(batch), broker.node)
        }
        EventKind::Answered { broker, api, latency_us } => {
            write!(f, "broker {} answered API {api} after {latency_us} us", broker.node)
        }
        EventKind::Delivered { batch, base_offset, latency_us } => {
            write!(f, "{}, delivered after {latency_us} us", place(batch))?;
            base_offset.map_or(Ok(()), |offset| write!(f, " at offset {offset}"))
        }
        EventKind::Failed { batch, reason, maybe_persisted } => {
            let stored = if *maybe_persisted { "may be in the log" } else { "not in the log" };
            write!(f, "{}, given up, {stored}: {reason}", place(batch))
        }
        EventKind::Dropped(batch) => write!(f, "{}, dropped", place(batch)),
        EventKind::Retry { partition, error, backoff_us } => {
            write!(f, "{topic}-{}: sends again in {backoff_us} us: {error}", partition.index)
        }
        EventKind::Throttled { broker, millis } => {
            write!(f, "broker {} throttles for {millis} ms", broker.node)
        }
        EventKind::LeaderChanged { partition, from, to } => {
            write!(f, "{topic}-{}: leader {from:?}, now {to:?}", partition.index)
        }
        EventKind::Connected(broker) => write!(f, "connected to broker {}", broker.node),
        EventKind::Disconnected { broker, ready, unanswered } => {
            let ready = if *ready { "lost" } else { "not made" };
            let node = broker.node;
            write!(f, "connection to broker {node} {ready}, {unanswered} requests unanswered")
        }
        EventKind::DataLoss(partition) => {
            let index = partition.index;
            write!(f, "{topic}-{index}: the broker lost data or the producer's state")
        }
        EventKind::EpochBumped { partition, epoch: Some(epoch) } => {
            write!(f, "{topic}-{}: epoch is {epoch} now", partition.index)
        }
        EventKind::EpochBumped { partition, epoch: None } => {
            write!(f, "{topic}-{}: epochs are used up", partition.index)
        }
        EventKind::Identity { producer_id: Some(id), .. } => write!(f, "producer id {id}"),
        EventKind::Identity { producer_id: None, error } => write!(f, "no producer id: {error}"),
        EventKind::Topic { error, .. } => write!(f, "{topic}: metadata says: {error}"),
        other => write!(f, "{other:?}"),
    }
}
