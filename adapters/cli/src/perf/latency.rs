//! How long each record took, without a handle or an allocation for each: a stamp per record, kept
//! by the batch and the place in it that the record got, and looked up when the batch is reported.

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::Instant;

use hdrhistogram::{CreationError, Histogram};
use klamm_std::{BatchId, RecordId, Report};

/// Batch slots that get their memory together.
const GROUP: usize = 256;
/// An hour, in microseconds; what takes longer counts as that.
const MAX_MICROS: u64 = 3_600_000_000;

/// The stamps of the records on their way: microseconds since the start.
///
/// A slot may have its next batch before the callback hears of the last one, but not its next but
/// one, as reports are taken by the callback's own thread: so there are two of each.
///
/// Stamps are written under the producer's lock, before the driver can take the lock to report the
/// batch: that orders them, and the atomics need not.
pub(super) struct Stamps {
    start: Instant,
    /// Records that fit into a batch.
    batch_records: usize,
    groups: Vec<OnceLock<Box<[OnceLock<Batch>]>>>,
}

/// The stamps of a batch's records: of the first, and how much later the others are, or earlier
/// (several threads send).
struct Batch {
    first: AtomicU64,
    later: Box<[AtomicI32]>,
}

impl Stamps {
    /// For batches of up to so many bytes, of records whose values have so many.
    pub(super) fn new(batch_size: u32, value_size: u32) -> Self {
        // A record's length, attributes, deltas, key, value's length and headers are 7 bytes at
        // least.
        let batch_records = (batch_size / value_size.saturating_add(7) + 1).min(65_535);
        Self {
            start: Instant::now(),
            batch_records: batch_records as usize,
            groups: (0..2 * 65_536 / GROUP).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Microseconds since the start.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The record's time begins then.
    pub(super) fn note(&self, id: RecordId, micros: u64) {
        let batch = self.batch(id.batch);
        if id.index == 0 {
            batch.first.store(micros, Ordering::Relaxed);
        }
        let later = micros.wrapping_sub(batch.first.load(Ordering::Relaxed)).cast_signed();
        if let Some(place) = batch.later.get(usize::from(id.index)) {
            // Half an hour is more than a batch is ever open for.
            place.store(i32::try_from(later).unwrap_or(i32::MAX), Ordering::Relaxed);
        }
    }

    /// The records of the report are done: adds the time that they took.
    pub(super) fn take(&self, report: &Report, latencies: &mut Histogram<u64>) {
        let now = self.now();
        runs(self.of(report), |stamp, records| {
            latencies.saturating_record_n(now.saturating_sub(stamp), records);
        });
    }

    /// The stamps of the report's records, in order.
    fn of(&self, report: &Report) -> impl Iterator<Item = u64> {
        let batch = self.batch(report.batch);
        let first = batch.first.load(Ordering::Relaxed);
        let from = usize::from(report.first);
        let later = batch.later.get(from..from + usize::from(report.records));
        let later = later.unwrap_or_default().iter();
        later
            .map(move |later| first.saturating_add_signed(i64::from(later.load(Ordering::Relaxed))))
    }

    fn batch(&self, id: BatchId) -> &Batch {
        let place = id.index() * 2 + usize::from(id.generation() % 2);
        // A slot's number is below 65,536.
        let group = self.groups[place / GROUP]
            .get_or_init(|| (0..GROUP).map(|_| OnceLock::new()).collect());
        group[place % GROUP].get_or_init(|| Batch {
            first: AtomicU64::new(0),
            later: (0..self.batch_records).map(|_| AtomicI32::new(0)).collect(),
        })
    }
}

/// Equal stamps next to each other, once, with their number: records that were sent together have
/// the same.
fn runs(stamps: impl Iterator<Item = u64>, mut each: impl FnMut(u64, u64)) {
    let (mut stamp, mut records) = (0, 0);
    for next in stamps {
        if next != stamp && records > 0 {
            each(stamp, records);
            records = 0;
        }
        stamp = next;
        records += 1;
    }
    if records > 0 {
        each(stamp, records);
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

    #[test]
    fn equal_stamps_are_counted_together() {
        let found = |stamps: &[u64]| {
            let mut found = Vec::new();
            runs(stamps.iter().copied(), |stamp, records| found.push((stamp, records)));
            found
        };
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[0]), [(0, 1)]);
        assert_eq!(found(&[5, 5, 7, 5, 5, 5]), [(5, 2), (7, 1), (5, 3)]);
    }

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
        let stamps = Arc::new(Stamps::new(600, 8));
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
                to[partition].lock().expect("no panic").extend(noted.of(&batch.report));
            })
            .build()
            .expect("legal");
        let topic = producer.topic("t").expect("legal");
        let values: Vec<[u8; 8]> = (0..RECORDS).map(u64::to_be_bytes).collect();
        let records = values.iter().map(|value| Record::value(value).with_key(value));
        let mut number = 0;
        let accepted = topic.post_all_with(None, records, |id| {
            stamps.note(id, 1_000_000 + number);
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
            let numbers: Vec<_> = found.iter().map(|stamp| stamp - 1_000_000).collect();
            assert_eq!(numbers, log);
        }
    }
}
