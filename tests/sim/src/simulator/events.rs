//! Events and figures against what else is known: every outcome has its event before its report, every count of events
//! is that of `Stats`, and gauges add up. Where the ring lost events, what is missing has a cause.

use std::collections::HashMap;

use klamm::{BatchId, Event, EventBatch, EventKind, Instant, Outcome, Producer, Report, Stats};

use super::ledger::{Checked, Ledger};

/// What an event said of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Delivered,
    NotPersisted,
    Unknown,
    Dropped,
}

/// What events said.
#[derive(Debug, Default)]
pub struct EventLog {
    /// All events read, in order.
    pub seen: Vec<Event>,
    /// Records with an outcome that no report told yet.
    told: HashMap<(BatchId, u16), Class>,
    counts: Counts,
    last: Instant,
}

/// How many events of a kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    sent: u64,
    again: u64,
    bumps: u64,
    losses: u64,
    connects: u64,
    throttled_ms: u64,
}

impl EventLog {
    /// Reads all events there are.
    ///
    /// # Errors
    /// When one is about a batch that was never accepted, or tells an outcome twice.
    pub(super) fn drain(&mut self, producer: &mut Producer<'_>, ledger: &Ledger) -> Checked {
        while let Some(event) = producer.poll_event() {
            if event.at < self.last {
                return Err(format!("an event of the past, after {:?}: {event:?}", self.last));
            }
            self.last = event.at;
            self.look(&event, ledger).map_err(|why| format!("{why}: {event:?}"))?;
            self.seen.push(event);
        }
        Ok(())
    }

    fn look(&mut self, event: &Event, ledger: &Ledger) -> Checked {
        match event.kind {
            EventKind::Sealed(batch) => known(&batch, ledger)?,
            EventKind::Sent { batch, retries, .. } => {
                known(&batch, ledger)?;
                self.counts.sent += 1;
                self.counts.again += u64::from(retries > 0);
            }
            EventKind::Delivered { batch, .. } => self.end(&batch, Class::Delivered, ledger)?,
            EventKind::Failed { batch, maybe_persisted, .. } => {
                let class = if maybe_persisted { Class::Unknown } else { Class::NotPersisted };
                self.end(&batch, class, ledger)?;
            }
            EventKind::Dropped(batch) => self.end(&batch, Class::Dropped, ledger)?,
            EventKind::EpochBumped { .. } => self.counts.bumps += 1,
            EventKind::DataLoss(_) => self.counts.losses += 1,
            EventKind::Connected(_) => self.counts.connects += 1,
            EventKind::Throttled { millis, .. } => self.counts.throttled_ms += u64::from(millis),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, batch: &EventBatch, class: Class, ledger: &Ledger) -> Checked {
        known(batch, ledger)?;
        for index in batch.first..batch.first + batch.records {
            if self.told.insert((batch.id, index), class).is_some() {
                return Err(format!("record {index} has two outcomes"));
            }
        }
        Ok(())
    }

    /// A report was taken: an event said the same before, if none was lost.
    ///
    /// # Errors
    /// When none did, or said otherwise.
    pub(super) fn reported(&mut self, report: &Report, lost: bool) -> Checked {
        let class = match report.outcome {
            Outcome::Delivered { .. } => Class::Delivered,
            Outcome::NotPersisted(_) => Class::NotPersisted,
            Outcome::Unknown(_) => Class::Unknown,
            _ => Class::Dropped,
        };
        for index in report.first..report.first + report.records {
            let told = self.told.remove(&(report.batch, index));
            if told != Some(class) && !(told.is_none() && lost) {
                return Err(format!("an event said {told:?} of record {index}: {report:?}"));
            }
        }
        Ok(())
    }

    /// Counters of events and figures are those of `Stats`.
    ///
    /// # Errors
    /// When one is not.
    pub(super) fn check(&self, producer: &Producer<'_>) -> Checked {
        let (stats, metrics) = (producer.stats(), producer.metrics());
        if metrics.events_lost == 0 && self.counts != counted(&stats) {
            return Err(format!("events say {:?}, {stats:?}", self.counts));
        }
        let traffic = metrics.traffic;
        let queued: u64 =
            producer.partition_stats().map(|p| p.unsent_records + p.sent_records).sum();
        let bytes: u64 = producer.partition_stats().map(|p| p.unsent_bytes + p.sent_bytes).sum();
        let in_flight: u32 = producer.partition_stats().map(|p| p.batches_in_flight).sum();
        let up = producer.broker_stats().filter(|b| b.state == klamm::BrokerState::Up).count();
        let open: u32 = producer.broker_stats().map(|b| b.requests_in_flight).sum();
        let pairs = [
            ("connects", traffic.connects, stats.connects),
            ("retries", traffic.retries, stats.retries),
            ("throttled", traffic.throttled_ms, stats.throttled_ms),
            ("records queued", metrics.queue_records, stats.buffered),
            ("records of partitions", queued, stats.buffered),
            ("bytes of partitions", bytes, metrics.queue_bytes),
            ("batches in flight", in_flight.into(), metrics.batches_in_flight.into()),
            ("connections", up as u64, metrics.connections.into()),
            ("requests in flight", open.into(), metrics.requests_in_flight.into()),
        ];
        for (what, one, other) in pairs {
            if one != other {
                return Err(format!("{what}: {one} and {other}; {metrics:?} {stats:?}"));
            }
        }
        Ok(())
    }

    /// At the end no outcome is left that no report told.
    ///
    /// # Errors
    /// When one is.
    pub(super) fn check_complete(&self) -> Checked {
        match self.told.iter().next() {
            Some(untold) => Err(format!("an event told what no report did: {untold:?}")),
            None => Ok(()),
        }
    }
}

fn known(batch: &EventBatch, ledger: &Ledger) -> Checked {
    let last = (batch.first + batch.records).checked_sub(1);
    match last.filter(|_| batch.records > 0).and_then(|last| ledger.pending(batch.id, last)) {
        Some(_) => Ok(()),
        None => Err("no such records are under way".into()),
    }
}

fn counted(stats: &Stats) -> Counts {
    Counts {
        sent: stats.batches,
        again: stats.retries,
        bumps: stats.bumps,
        losses: stats.data_losses,
        connects: stats.connects,
        throttled_ms: stats.throttled_ms,
    }
}
