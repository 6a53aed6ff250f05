//! Feeds a producer's standard input: keyed, numbered records at a steady pace, up to barriers that
//! the test moves. The pace keeps records arriving throughout a fault; the barriers tie the faults
//! to numbers of records rather than to seconds.

use anyhow::{Context, Result, anyhow};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, BufWriter, Write};
use std::process::ChildStdin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Records written between two pauses.
const BURST: u64 = 50;

/// Writes the lines `key:number` for the numbers from 0 in a thread of its own.
#[derive(Debug)]
pub struct Feeder {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    barrier: AtomicU64,
    written: AtomicU64,
    finish: AtomicBool,
}

impl Feeder {
    /// Starts with the barrier at 0. The keys are `key-0 … key-(keys-1)` in turn; `pause` is the time
    /// between two bursts of 50 records.
    pub fn start(input: ChildStdin, keys: u64, pause: Duration) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || feed(&shared, input, keys, pause))
        };
        Self { shared, writer: Some(writer) }
    }

    /// Lets all numbers below `barrier` be written, and returns at once.
    pub fn open_to(&self, barrier: u64) {
        self.shared.barrier.store(barrier, Ordering::Relaxed);
    }

    /// How many numbers have been written.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    /// Waits until all numbers below `count` have been written.
    ///
    /// # Errors
    /// If the producer does not take them in [`crate::PATIENCE`], or is gone.
    pub fn wait_for(&self, count: u64) -> Result<()> {
        crate::wait_until(&format!("{count} records to be taken"), || {
            if self.writer.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(anyhow!("the producer stopped reading: see its messages"));
            }
            Ok(self.written() >= count)
        })
    }

    /// Writes what is below the barrier and closes the producer's standard input.
    ///
    /// # Errors
    /// If the producer stopped reading.
    pub fn finish(mut self) -> Result<()> {
        self.shared.finish.store(true, Ordering::Relaxed);
        let writer = self.writer.take().context("finished twice")?;
        let result = writer.join().map_err(|_| anyhow!("the feeder panicked"))?;
        result.context("the producer stopped reading: see its messages")
    }
}

fn feed(shared: &Shared, input: ChildStdin, keys: u64, pause: Duration) -> io::Result<()> {
    let mut input = BufWriter::new(input);
    let mut next = 0;
    loop {
        let finish = shared.finish.load(Ordering::Relaxed);
        let end = (next + BURST).min(shared.barrier.load(Ordering::Relaxed));
        if finish && next >= end {
            return input.flush();
        }
        for number in next..end {
            writeln!(input, "key-{}:{number}", number % keys)?;
        }
        input.flush()?;
        next = next.max(end);
        shared.written.store(next, Ordering::Relaxed);
        thread::sleep(pause);
    }
}
