//! Dead letters: what was not delivered is handed back as it was sent.

use klamm::{Outcome, Report};

use super::Simulation;
use super::ledger::Checked;

impl Simulation {
    /// The records of the report that is next.
    pub(super) fn check_handed_back(&self, report: &Report) -> Checked {
        if matches!(report.outcome, Outcome::Delivered { .. } | Outcome::Dropped) {
            return Ok(());
        }
        let Some(records) = self.producer.report_records() else {
            // What is compressed may stay so for want of memory.
            let compressed = report.wire_bytes < report.plain_bytes;
            let lost = Err(format!("no records are handed back: {report:?}"));
            return if compressed { Ok(()) } else { lost };
        };
        let mut count = 0;
        for (index, record) in (report.first..).zip(records) {
            count += 1;
            let Some(entry) = self.ledger.pending(report.batch, index) else {
                return Err(format!("record {index} is not of the batch: {report:?}"));
            };
            let sample = &entry.sample;
            let headers = record.headers.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)));
            let same = record.key == sample.key.as_deref()
                && record.value == sample.value.as_deref()
                && headers.eq(sample.headers.iter().cloned())
                && sample.timestamp.is_none_or(|t| t == record.timestamp.as_millis());
            if !same {
                return Err(format!("record {index} is handed back altered: {report:?}"));
            }
        }
        if count == report.records {
            Ok(())
        } else {
            Err(format!("{count} records are handed back: {report:?}"))
        }
    }
}
