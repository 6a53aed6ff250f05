//! A producer in this process under a steady load, while a test does something to the brokers.

use crate::ledger::Ledger;
use anyhow::{Context, Result, anyhow, ensure};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use klamm_std::{Producer, Record, SendError};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Records between two pauses.
const BURST: u64 = 20;
/// About 4,000 records a second, several batches in flight at most moments.
const PAUSE: Duration = Duration::from_millis(5);

/// Writes numbered records to a topic until it is told to stop.
#[derive(Debug)]
pub struct Load {
    producer: Producer,
    stop: Arc<AtomicBool>,
    writer: JoinHandle<Result<Ledger, SendError>>,
}

impl Load {
    /// Starts with the number 0. The keys are `key-0 … key-(keys-1)` in turn.
    pub fn start(producer: Producer, topic: &str, keys: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (producer, topic, stop) = (producer.clone(), topic.to_owned(), Arc::clone(&stop));
            thread::spawn(move || write(&producer, &topic, keys, &stop))
        };
        Self { producer, stop, writer }
    }

    /// The producer, to look at.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Waits until so many more records have been delivered.
    ///
    /// # Errors
    /// If they are not in [`crate::PATIENCE`], or a record was refused.
    pub fn wait_for(&self, more: u64) -> Result<()> {
        let goal = self.producer.stats().delivered + more;
        self.wait_until(&format!("{more} more records to be delivered"), |producer| {
            producer.stats().delivered >= goal
        })
    }

    /// Waits until the producer is in a state.
    ///
    /// # Errors
    /// If it is not in [`crate::PATIENCE`], or a record was refused.
    pub fn wait_until(&self, what: &str, done: impl Fn(&Producer) -> bool) -> Result<()> {
        crate::wait_until(what, || {
            ensure!(!self.writer.is_finished(), "a record was refused while waiting for {what}");
            Ok(done(&self.producer))
        })
    }

    /// Stops, sends what there is, and closes the producer.
    ///
    /// # Errors
    /// If a record was refused.
    pub fn finish(self) -> Result<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        let ledger = self.writer.join().map_err(|_| anyhow!("the writer panicked"))?;
        self.producer.close(crate::PATIENCE);
        ledger.context("a record was refused")
    }
}

fn write(
    producer: &Producer,
    topic: &str,
    keys: u64,
    stop: &AtomicBool,
) -> Result<Ledger, SendError> {
    let topic = producer.topic(topic)?;
    let mut ledger = Ledger::default();
    for number in 0.. {
        let (key, value) = (format!("key-{}", number % keys), number.to_string());
        let record = Record::value(value.as_bytes()).with_key(key.as_bytes());
        ledger.push(number, topic.send(&record)?);
        if number % BURST == 0 {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            thread::sleep(PAUSE);
        }
    }
    Ok(ledger)
}
