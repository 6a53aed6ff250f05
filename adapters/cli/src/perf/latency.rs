//! How long each record took, without a handle or an allocation for each: a stamp for each run of
//! records that were sent together, kept by the batch, and looked up when the batch is reported.

use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use hdrhistogram::{CreationError, Histogram};
use klamm_std::{BatchId, RecordId, Report};

use crate::tally::lock;

/// Batch slots that get their memory together.
const GROUP: usize = 256;
/// Records of a batch that begin within so many microseconds have the first one's stamp: at a
/// million records a second stamps would take as much memory as an eighth of the records.
const SAME_MICROS: u64 = 10;
/// An hour, in microseconds; what takes longer counts as that.
const MAX_MICROS: u64 = 3_600_000_000;

/// The stamps of the records on their way: microseconds since the start.
///
/// A slot may have its next batch before the callback hears of the last one, but not its next but
/// one, as reports are taken by the callback's own thread: so there are two of each.
pub(super) struct Stamps {
    start: Instant,
    groups: Vec<OnceLock<Box<[Batch]>>>,
}

/// What is known of one batch: the stamp of its first record, and its runs.
type Batch = Mutex<(u64, Vec<Run>)>;

/// Records of a batch with the same stamp, from this one on, up to the next run; and how much later
/// than the batch's that is.
struct Run {
    first: u16,
    later: u32,
}

/// One thread's notes. It looks at a batch only when a run begins.
pub(super) struct Notes<'s> {
    stamps: &'s Stamps,
    /// The record that would go on with the run, and its stamp.
    next: Option<(RecordId, u64)>,
}

impl Stamps {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            groups: (0..2 * 65_536 / GROUP).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Microseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) const fn notes(&self) -> Notes<'_> {
        Notes { stamps: self, next: None }
    }

    /// The records of the report are done: adds the time that they took.
    pub(super) fn take(&self, report: &Report, latencies: &mut Histogram<u64>) {
        let now = self.now();
        self.each_run(report, |stamp, records| {
            latencies.saturating_record_n(now.saturating_sub(stamp), records);
        });
    }

    /// The stamps of the report's records, in order, and how many records have each.
    fn each_run(&self, report: &Report, mut each: impl FnMut(u64, u64)) {
        let (start, runs) = &*lock(self.batch(report.batch));
        let from = u32::from(report.first);
        let end = from + u32::from(report.records);
        for (place, run) in runs.iter().enumerate() {
            let next = runs.get(place + 1).map_or(end, |next| u32::from(next.first));
            let (first, behind) = (u32::from(run.first).max(from), next.min(end));
            if first < behind {
                each(start + u64::from(run.later), u64::from(behind - first));
            }
        }
    }

    fn batch(&self, id: BatchId) -> &Batch {
        let place = id.index() * 2 + usize::from(id.generation() % 2);
        // A slot's number is below 65,536.
        let group = self.groups[place / GROUP]
            .get_or_init(|| (0..GROUP).map(|_| Mutex::default()).collect());
        &group[place % GROUP]
    }
}

impl Notes<'_> {
    /// The record's time begins then. Called under the producer's lock: in the order of a batch's
    /// records, and before the batch can be reported.
    pub(super) fn note(&mut self, id: RecordId, micros: u64) {
        if self.next != Some((id, micros)) {
            let (start, runs) = &mut *lock(self.stamps.batch(id.batch));
            if id.index == 0 {
                runs.clear();
                *start = micros;
            }
            let later = u32::try_from(micros.saturating_sub(*start)).unwrap_or(u32::MAX);
            // Records in between would have begun runs of their own.
            let since = runs.last().map(|last| later.abs_diff(last.later));
            if since.is_none_or(|since| u64::from(since) >= SAME_MICROS) {
                runs.push(Run { first: id.index, later });
            }
        }
        let next = RecordId { index: id.index.wrapping_add(1), ..id };
        self.next = (next.index > 0).then_some((next, micros));
    }
}

/// A histogram of microseconds, exact to three digits, in constant memory.
pub(super) fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(1, MAX_MICROS, 3)
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddr};
    use core::time::Duration;
    use std::sync::{Arc, Mutex};

    use klamm_sim::dev_broker::{DevBroker, Options};
    use klamm_std::{Outcome, Producer, Record};

    use super::*;

    /// The stamps of a partition's reports, in the order of the reports, are those of its records in
    /// the order of the log; also while batch slots are used again before the callback has looked.
    #[test]
    fn every_record_finds_its_own_stamp() {
        const RECORDS: u64 = 20_000;
        let options = Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            topics: vec![("t".into(), 2)],
            ..Options::default()
        };
        let broker = DevBroker::start(options).expect("a free port");
        let stamps = Arc::new(Stamps::new());
        let found = [Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new()))];
        let (noted, to) = (Arc::clone(&stamps), found.clone());
        let producer = Producer::builder(&broker.address().to_string())
            .configure(|config| config.batch_size = 600)
            .limits(|limits| limits.buffer_memory = 20_000)
            .on_report(move |batch| {
                assert!(matches!(batch.report.outcome, Outcome::Delivered { .. }));
                // The sending thread, which waits for memory, gets there first.
                std::thread::sleep(Duration::from_micros(200));
                let partition = usize::try_from(batch.report.partition.index).expect("0 or 1");
                noted.each_run(&batch.report, |stamp, records| {
                    let mut found = to[partition].lock().expect("no panic");
                    found.extend((0..records).map(|_| stamp));
                });
            })
            .build()
            .expect("legal");
        let topic = producer.topic("t").expect("legal");
        let values: Vec<[u8; 8]> = (0..RECORDS).map(u64::to_be_bytes).collect();
        let records = values.iter().map(|value| Record::value(value).with_key(value));
        let (mut number, mut notes) = (0, stamps.notes());
        let accepted = topic.post_all_with(None, records, |id| {
            // Some have the stamp of the one before.
            notes.note(id, 1_000_000 + number / 3 * SAME_MICROS);
            number += 1;
        });
        assert_eq!(accepted, Ok(RECORDS));
        assert!(producer.flush(None));
        for partition in [0, 1] {
            let log: Vec<u64> = broker.with(|cluster, _| {
                let values = cluster.log("t", partition).filter_map(|record| record.value);
                values.map(|value| u64::from_be_bytes(value[..].try_into().expect("8"))).collect()
            });
            assert!(!log.is_empty());
            let at = usize::try_from(partition).expect("0 or 1");
            let found = found[at].lock().expect("no panic");
            let numbers: Vec<_> =
                found.iter().map(|stamp| (stamp - 1_000_000) / SAME_MICROS).collect();
            let sent: Vec<_> = log.iter().map(|number| number / 3).collect();
            assert_eq!(numbers, sent);
        }
    }
}
