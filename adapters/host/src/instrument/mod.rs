//! What a producer shows of itself: events, statistics, Prometheus text, `log` and `tracing` records.
//!
//! Keys, values, headers and credentials are in none of it.

mod event;
mod json;
mod meters;
mod prometheus;
#[cfg(any(feature = "log", feature = "tracing"))]
mod records;
mod senders;
mod statistics;

use core::time::Duration;
use std::sync::Arc;

pub use event::ProducerEvent;
pub use meters::{Buckets, Window};
pub use statistics::{BrokerStatistics, Latencies, Statistics, TopicStatistics};

pub(crate) use meters::Meters;

use crate::hooks::quietly;
use crate::shared::Inner;

/// Events that the core keeps until the driver's next turn.
pub(crate) const EVENTS: u16 = 1_024;

type OnEvent = dyn Fn(&ProducerEvent<'_>) + Send + Sync;
type OnStatistics = dyn Fn(&Statistics) + Send + Sync;

/// Who looks at a producer. Nothing of it is behind a lock, as with the other hooks.
#[derive(Default)]
pub(crate) struct Instruments {
    pub(crate) event: Option<Box<OnEvent>>,
    pub(crate) statistics: Option<Box<OnStatistics>>,
    /// From one call of `statistics` to the next; zero: never.
    pub(crate) interval: Duration,
}

impl Instruments {
    /// Does anyone want single events?
    pub(crate) fn hear(&self) -> bool {
        cfg!(any(feature = "log", feature = "tracing")) || self.event.is_some()
    }

    /// Tells of an event. A panic in the callback ends that call only.
    #[cfg_attr(
        not(any(feature = "log", feature = "tracing")),
        allow(unused_variables, reason = "who writes records names the client")
    )]
    pub(crate) fn tell(&self, client_id: &str, event: &ProducerEvent<'_>) {
        #[cfg(any(feature = "log", feature = "tracing"))]
        records::write(client_id, event);
        if let Some(callback) = &self.event {
            quietly(|| callback(event));
        }
    }

    pub(crate) fn tell_statistics(&self, statistics: &Statistics) {
        if let Some(callback) = &self.statistics {
            quietly(|| callback(statistics));
        }
    }
}

/// Taken under the lock, to be told without it.
#[derive(Default)]
pub(crate) struct Findings {
    events: Vec<(klamm::Event, Option<Arc<str>>)>,
    statistics: Option<Box<Statistics>>,
}

impl Findings {
    /// Takes the core's events, and the statistics if they are due.
    pub(crate) fn take(&mut self, inner: &mut Inner, now: klamm::Instant) {
        let hear = inner.common().options.instruments.hear();
        while let Some(event) = inner.core.poll_event() {
            inner.meters.see(&event);
            if hear {
                let topic = event::topic_of(&event).map(|topic| inner.name(topic));
                self.events.push((event, topic));
            }
        }
        if inner.meters.schedule.is_due(now) {
            self.statistics = Some(Box::new(Statistics::of(inner, now)));
            inner.meters.next_window();
        }
    }

    /// Tells everyone.
    pub(crate) fn tell(&mut self, instruments: &Instruments, client_id: &str) {
        for (event, topic) in self.events.drain(..) {
            let topic = topic.as_deref();
            instruments.tell(client_id, &ProducerEvent::Core { event: &event, topic });
        }
        if let Some(statistics) = self.statistics.take() {
            instruments.tell_statistics(&statistics);
        }
    }
}
