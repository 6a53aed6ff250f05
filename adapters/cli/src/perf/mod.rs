//! `klamm perf`: what sending costs.
//!
//! Threads make records and hand them over, the producer's driver sends them and counts what
//! becomes of them, and this one watches over both.

mod latency;
mod payload;
mod schedule;
mod summary;
mod usage;

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hdrhistogram::Histogram;
use klamm_std::{Outcome, Report, SendError, Topic};

use crate::args;
use crate::connect::{Target, usage as usage_error};
use crate::failure::Failure;
use crate::output::print;
use crate::progress::Progress;
use crate::tally::{Tally, lock, not_acknowledged};
use crate::watch::{Cut, End, Watch};
use latency::Stamps;
use payload::Payload;
use schedule::Rate;
use usage::Cpu;

/// Records handed over at once, and stamped by one look at the clock: as many as the producer takes
/// under one lock.
const GROUP: u64 = 64;

pub(crate) fn run(args: args::Perf) -> Result<(), Failure> {
    let Target { builder, servers, own } = Target::new(&args.producing, &args.topic)?;
    let stamps = Arc::new(Stamps::new());
    let results = Arc::new(Mutex::new(Results::new()?));
    let (noted, found) = (Arc::clone(&stamps), Arc::clone(&results));
    let producer = builder
        .on_report(move |batch| lock(&found).add(&batch.report, &noted))
        .build()
        .map_err(usage_error)?;
    let topic = producer
        .topic(&args.topic)
        .map_err(|error| usage_error(format!("topic {}: {error}", args.topic)))?;

    let load = Load {
        topic,
        payload: Payload::new(args.payload, args.size, args.keys),
        rate: args.rate.map(|per_second| Rate { per_second }),
        threads: args.threads,
        warmup: args.warmup,
        records: args.records,
        stamps,
        results: Arc::clone(&results),
        sent: Arc::default(),
        stop: Arc::default(),
    };
    let sent = Arc::clone(&load.sent);
    let watch = Watch::new(producer, Arc::clone(&load.stop))?;
    let progress = Progress::new(args.json, Some(args.warmup.saturating_add(args.records)));
    let load = watch.start(move || load.run());
    let end = watch.until_closed(|error| {
        let sent = sent.load(Ordering::Relaxed);
        progress.show(sent, &lock(&results).tally.total(), error);
    });
    progress.end();
    // It was closed, so whatever the thread waited for has ended.
    let cost = load.join().map_err(|_| Failure::Run("the sending thread panicked".into()))?;
    let results = lock(&results);
    if let Some(cost) = cost {
        let run = summary::Run {
            args: &args,
            servers: &servers,
            own_broker: own.is_some(),
            results: &results,
            cost,
            peak_memory: usage::peak_memory(),
        };
        print(&if args.json { summary::json(&run) } else { summary::text(&run) })?;
    }
    outcome(&args, end, &results.tally)
}

/// What became of the records, by the driver's thread.
struct Results {
    tally: Tally,
    /// Of delivered records, in microseconds.
    latencies: Histogram<u64>,
}

impl Results {
    fn new() -> Result<Self, Failure> {
        let latencies = latency::histogram()
            .map_err(|error| Failure::Run(format!("cannot make a histogram: {error}")))?;
        Ok(Self { tally: Tally::default(), latencies })
    }

    fn add(&mut self, report: &Report, stamps: &Stamps) {
        self.tally.add(report);
        if matches!(report.outcome, Outcome::Delivered { .. }) {
            stamps.take(report, &mut self.latencies);
        }
    }

    /// Forgets the warm-up.
    fn reset(&mut self) {
        self.tally = Tally::default();
        self.latencies.reset();
    }
}

/// What the measured part took, from the first record to the last acknowledgment.
#[derive(Clone, Copy)]
struct Cost {
    took: Duration,
    /// Of the whole process; `None` where the system does not tell.
    cpu: Option<Cpu>,
}

/// What the threads that make records share.
struct Load {
    topic: Topic,
    payload: Payload,
    rate: Option<Rate>,
    threads: u64,
    warmup: u64,
    records: u64,
    stamps: Arc<Stamps>,
    results: Arc<Mutex<Results>>,
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// The producer did not accept a record.
struct Refused {
    /// The record's number, from 1.
    record: u64,
    error: SendError,
}

impl Load {
    /// Sends everything, and waits until it is acknowledged. `None`: the measured part has not
    /// begun.
    fn run(self) -> (Option<Cost>, Result<(), Refused>) {
        if self.warmup > 0 {
            let result = self.send(self.warmup);
            self.flush();
            let failed = lock(&self.results).tally.failed() > 0;
            if result.is_err() || failed || self.stops() {
                return (None, result);
            }
            lock(&self.results).reset();
        }
        let (cpu, start) = (usage::cpu(), Instant::now());
        let result = self.send(self.records);
        self.flush();
        let took = start.elapsed();
        let cpu = cpu.and_then(|before| Some(usage::cpu()?.since(before)));
        (Some(Cost { took, cpu }), result)
    }

    /// Sends so many records: thread number `t` of `T` those with the numbers t, t + T, t + 2T ...
    fn send(&self, records: u64) -> Result<(), Refused> {
        let start = self.stamps.now();
        let share = |thread| move || self.send_share(start, thread, records);
        std::thread::scope(|scope| {
            let others: Vec<_> =
                (1..self.threads).map(|thread| scope.spawn(share(thread))).collect();
            let mut result = share(0)();
            for other in others {
                // A panic of theirs is ours.
                let theirs = other.join().unwrap_or_else(|panic| resume_unwind(panic));
                result = result.and(theirs);
            }
            result
        })
    }

    fn send_share(&self, start: u64, thread: u64, records: u64) -> Result<(), Refused> {
        if self.rate.is_some() {
            schedule::sleep_exactly();
        }
        // Of the first `all` records, how many are ours, and the number of ours.
        let ours = |all: u64| all.saturating_sub(thread).div_ceil(self.threads);
        let number = |nth: u64| thread + nth * self.threads;
        let total = ours(records);
        let (mut sent, mut notes) = (0, self.stamps.notes());
        while sent < total && !self.stops() {
            let now = self.stamps.now();
            let due = self.rate.map_or(total, |rate| ours(rate.due(now - start)).min(total));
            if due == sent {
                let next = self.rate.map_or(0, |rate| start + rate.at(number(sent)));
                schedule::nap(next.saturating_sub(now));
                continue;
            }
            let group = (sent..due.min(sent + GROUP)).map(number);
            // They are accepted in their order.
            let mut stamps = group.clone().map(|record| match self.rate {
                Some(rate) => start + rate.at(record),
                None => now,
            });
            let taken = self.topic.post_all_with(
                None,
                group.map(|record| self.payload.record(record)),
                |id| notes.note(id, stamps.next().unwrap_or(now)),
            );
            let (Ok(accepted) | Err((accepted, _))) = taken;
            sent += accepted;
            self.sent.fetch_add(accepted, Ordering::Relaxed);
            match taken {
                Ok(_) => {}
                // Closed by Ctrl-C.
                Err(_) if self.stops() => {}
                Err((_, error)) => return Err(Refused { record: number(sent) + 1, error }),
            }
        }
        Ok(())
    }

    fn flush(&self) {
        // It always ends: every record has an outcome by its delivery timeout.
        self.topic.producer().flush(None);
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn outcome(args: &args::Perf, end: End<Refused>, tally: &Tally) -> Result<(), Failure> {
    let cause = end.cause();
    not_acknowledged(&args.topic, tally, &cause)?;
    match end.cut {
        None => Ok(()),
        Some(Cut::Interrupted) => Err(Failure::Run(format!(
            "interrupted: fewer than {} records were sent{cause}",
            args.records
        ))),
        Some(Cut::Failed(refused)) => {
            Err(Failure::Run(format!("{refused} (topic {}){cause}", args.topic)))
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} not sent: {}", self.record, self.error)
    }
}
