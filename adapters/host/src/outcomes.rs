//! Reports on their way from the core to those who want them.

use klamm::{Outcome, Report, Scope};

use crate::builder::KeepRecords;
use crate::completion::Waiting;
use crate::hooks::{BatchReport, Hooks};
use crate::owned::{OwnedRecord, Undelivered};
use crate::shared::Inner;

/// Is the core to be believed?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    Core,
    /// It panicked: what it takes for not persisted may be in the log.
    Nothing,
}

/// Reports taken under the lock, to be told without it.
#[derive(Default)]
pub(crate) struct Outcomes {
    waiting: Vec<(Waiting, Report)>,
    reports: Vec<BatchReport>,
    taken: usize,
}

impl Outcomes {
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Takes up to `most` reports. Are there more?
    pub(crate) fn take(&mut self, inner: &mut Inner, most: usize, trust: Trust) -> bool {
        for _ in 0..most {
            let Some(mut report) = inner.core.peek_report() else { return false };
            if let (Outcome::NotPersisted(reason), Trust::Nothing) = (report.outcome, trust) {
                report.outcome = Outcome::Unknown(reason);
            }
            self.take_one(inner, report);
            inner.core.poll_report();
            self.taken += 1;
        }
        inner.core.peek_report().is_some()
    }

    /// The reports that a core still has to give whose driver is gone.
    pub(crate) fn salvage(&mut self, inner: &mut Inner, now: klamm::Instant, trust: Trust) {
        // What was sent is unknown as soon as its connection is gone.
        inner.core.purge(Scope::ALL, now);
        for conn in inner.core.connections() {
            inner.core.handle_disconnected(conn, now);
        }
        // Of a core that cannot be trusted, no more than it can have.
        let most = usize::try_from(inner.core.stats().accepted).unwrap_or(usize::MAX);
        self.take(inner, most, trust);
    }

    /// Tells everyone.
    pub(crate) fn tell(&mut self, hooks: &Hooks) {
        for (waiting, report) in self.waiting.drain(..) {
            waiting.tell(Some(&report));
        }
        self.reports.drain(..).for_each(|report| hooks.tell(&report));
    }

    fn take_one(&mut self, inner: &mut Inner, report: Report) {
        let options = &inner.common().options;
        let topic = inner.name(report.partition.topic);
        let delivered = matches!(report.outcome, Outcome::Delivered { .. });
        let heard = options.hooks.hear();
        let for_hooks = heard
            && match options.keep {
                KeepRecords::Never => false,
                KeepRecords::Undelivered => !delivered,
                KeepRecords::Always => true,
            };
        let for_close = inner.closing && !delivered;
        let mut records = Vec::new();
        if for_hooks || for_close {
            records = OwnedRecord::copy_all(&inner.core, &topic, report.partition.index);
        }
        if for_close {
            let handed_back = records
                .iter()
                .map(|record| Undelivered { record: record.clone(), outcome: report.outcome });
            inner.undelivered.extend(handed_back);
        }
        if let Some(waiting) = inner.completions.take(&report) {
            self.waiting.push((waiting, report));
        }
        if heard {
            let records = if for_hooks { records } else { Vec::new() };
            self.reports.push(BatchReport { report, topic, records });
        }
    }
}
