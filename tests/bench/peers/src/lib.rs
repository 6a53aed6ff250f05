//! What the Rust producers under measurement share: arguments, records, the loop that sends them,
//! and the answer. `go/main.go` and `java/Peer.java` do the same in their languages.

mod params;
mod usage;
mod values;

pub use params::Params;
pub use values::{Group, Out, Values};

use anyhow::Result;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use hdrhistogram::Histogram;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// What has become of the records, told by the client's callbacks.
#[derive(Debug)]
pub struct Tally {
    start: Instant,
    acked: AtomicU64,
    failed: AtomicU64,
    /// In microseconds, of records that carry the time at which they were due.
    latencies: Mutex<Histogram<u64>>,
}

impl Tally {
    /// So many records were acknowledged.
    pub fn acked(&self, records: u64) {
        self.acked.fetch_add(records, Ordering::Relaxed);
    }

    /// So many records were not, and will not be.
    pub fn failed(&self, records: u64) {
        self.failed.fetch_add(records, Ordering::Relaxed);
    }

    /// A record that was due then, in microseconds of [`Out::due`], is acknowledged now.
    pub fn acked_due(&self, due: u64) {
        let took = self.now().saturating_sub(due);
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        latencies.saturating_record(took);
        self.acked(1);
    }

    /// Microseconds since the program began.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A producer as the loop needs it. Several threads call it.
pub trait Client: Sync {
    /// How many records it takes at once.
    fn group(&self) -> u64 {
        64
    }

    /// Hands records over; waits while there is no room.
    ///
    /// # Errors
    /// A record was refused for good.
    fn send(&self, group: Group<'_>) -> Result<()>;

    /// Waits until every record has its outcome.
    ///
    /// # Errors
    /// If that is not to be had.
    fn flush(&self) -> Result<()>;
}

/// Measures a client: `start` makes it. Prints the answer, one line of JSON.
///
/// # Errors
/// What the client says, or a wrong argument.
pub fn measure<C: Client>(
    version: &str,
    start: impl FnOnce(&Params, &Arc<Tally>) -> Result<C>,
) -> Result<()> {
    let params = Params::from_arguments()?;
    let values = Values::load(&params)?;
    let tally = Arc::new(Tally {
        start: Instant::now(),
        acked: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        latencies: Mutex::new(Histogram::new_with_bounds(1, 3_600_000_000, 3)?),
    });
    let client = start(&params, &tally)?;
    let load = Load { params: &params, values: &values, tally: &tally, client: &client };
    // Connections, producer id, metadata, and what the system gives lazily.
    if params.warmup > 0 {
        load.send(params.warmup, None)?;
        client.flush()?;
    }
    let warm = tally.acked.swap(0, Ordering::Relaxed);
    tally.latencies.lock().unwrap_or_else(PoisonError::into_inner).reset();

    let (cpu, begin) = (usage::cpu()?, Instant::now());
    load.send(params.records, params.rate)?;
    client.flush()?;
    let seconds = begin.elapsed().as_secs_f64();
    let (user, system) = usage::since(cpu)?;

    let idle = match params.idle {
        0 => None,
        seconds => {
            let cpu = usage::cpu()?;
            thread::sleep(Duration::from_secs(seconds));
            let (user, system) = usage::since(cpu)?;
            Some(user + system)
        }
    };
    let latencies = tally.latencies.lock().unwrap_or_else(PoisonError::into_inner);
    let percentiles = [50.0, 99.0, 99.9, 100.0].map(|p| latencies.value_at_percentile(p));
    println!(
        "{}",
        json!({
            "version": version,
            "warmup": warm,
            "acked": tally.acked.load(Ordering::Relaxed),
            "failed": tally.failed.load(Ordering::Relaxed),
            "seconds": seconds,
            "cpu_user": user,
            "cpu_system": system,
            "peak_rss": usage::peak_rss()?,
            "latency_us": percentiles,
            "idle_cpu": idle,
        })
    );
    Ok(())
}

struct Load<'l, C> {
    params: &'l Params,
    values: &'l Values,
    tally: &'l Tally,
    client: &'l C,
}

impl<C: Client> Load<'_, C> {
    /// Sends so many records, or for as long as the parameters say. Thread t of T takes the
    /// numbers t, t + T, t + 2T ...
    fn send(&self, records: u64, rate: Option<u64>) -> Result<()> {
        let start = self.tally.now();
        let share = |thread| move || self.send_share(thread, start, records, rate);
        thread::scope(|scope| {
            let others: Vec<_> =
                (1..self.params.threads).map(|thread| scope.spawn(share(thread))).collect();
            let mut result = share(0)();
            for other in others {
                let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                result = result.and(theirs);
            }
            result
        })
    }

    fn send_share(&self, thread: u64, start: u64, records: u64, rate: Option<u64>) -> Result<()> {
        let threads = self.params.threads;
        let ours = |all: u64| all.saturating_sub(thread).div_ceil(threads);
        let at_once = if self.params.numbered { 1 } else { self.client.group() };
        let end = start.saturating_add(self.params.micros());
        let total = ours(records);
        let mut scratch = Vec::new();
        let mut sent = 0;
        while sent < total {
            let now = self.tally.now();
            if now >= end {
                break;
            }
            // Open loop: what a stall keeps back was due all the same, and its latency counts.
            let due = match rate {
                Some(rate) => ours((now - start) * rate / 1_000_000 + 1).min(total),
                None => total,
            };
            if due <= sent {
                let next = (thread + sent * threads) * 1_000_000 / rate.unwrap_or(1);
                let wait = (start + next).saturating_sub(now);
                thread::sleep(Duration::from_micros(wait.clamp(1, 100_000)));
                continue;
            }
            let until = due.min(sent + at_once);
            let first = thread + sent * threads;
            if self.params.numbered {
                self.values.number(first, &mut scratch);
            }
            self.client.send(Group {
                values: self.values,
                numbered: self.params.numbered.then_some(&scratch[..]),
                next: first,
                left: until - sent,
                step: threads,
                start,
                rate,
            })?;
            sent = until;
        }
        Ok(())
    }
}
