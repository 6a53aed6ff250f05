//! klamm-std, as a program uses it. `mode`: `reports` (many records a call, outcomes by batch),
//! `post` (a call a record, outcomes by batch), `handles` (a handle a record, each waited for),
//! `callbacks` (a callback a record), `local` (no thread of klamm's: the sender polls).

mod local;

use anyhow::{Result, anyhow, bail};
use klamm_bench_peers::{Client, Group, Out, Params, Tally, measure};
use klamm_std::{Delivery, Outcome, Producer, Record, Topic};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Handles kept before the oldest is waited for.
const HANDLES: usize = 20_000;

enum Mode {
    Reports,
    Post,
    Handles(Mutex<VecDeque<Delivery>>),
    Callbacks,
}

struct Klamm {
    topic: Topic,
    mode: Mode,
    /// For callbacks: a counter of a clone each would be what is measured.
    tally: &'static Tally,
}

fn main() -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    if std::env::args().any(|argument| argument == "mode=local") {
        return measure(version, local::Local::start);
    }
    measure(version, Klamm::start)
}

impl Klamm {
    fn start(params: &Params, tally: &Arc<Tally>) -> Result<Self> {
        let mode = match params.mode.as_str() {
            // A callback a record is what tells each one's latency.
            "" if params.rate.is_some() => Mode::Callbacks,
            "" | "reports" => Mode::Reports,
            "post" => Mode::Post,
            "handles" => Mode::Handles(Mutex::new(VecDeque::new())),
            "callbacks" => Mode::Callbacks,
            other => bail!("no mode is called {other}"),
        };
        let mut properties = vec![
            ("bootstrap.servers", params.bootstrap.clone()),
            ("client.id", params.id.clone()),
            ("linger.ms", params.linger.to_string()),
            ("compression.type", params.compression.clone()),
            // As the others: they wait for room.
            ("max.block.ms", "300000".into()),
        ];
        match params.batch {
            0 => {}
            // Full by bytes: no second record fits.
            1 => properties.push(("batch.size", (params.size + 100).to_string())),
            bytes => properties.push(("batch.size", bytes.to_string())),
        }
        if params.buffer > 0 {
            properties.push(("buffer.memory", params.buffer.to_string()));
        }
        let mut builder = klamm_std::Builder::from_properties(properties)?;
        if let Mode::Reports | Mode::Post = mode {
            let tally = Arc::clone(tally);
            builder = builder.on_report(move |batch| {
                let records = u64::from(batch.report.records);
                match batch.report.outcome {
                    Outcome::Delivered { .. } => tally.acked(records),
                    _ => tally.failed(records),
                }
            });
        }
        let partitions = u16::try_from(params.partitions)?;
        let builder =
            builder.limits(|limits| limits.partitions = limits.partitions.max(partitions));
        let producer: Producer = builder.build()?;
        let topic = producer.topic(&params.topic)?;
        let tally: &'static Arc<Tally> = Box::leak(Box::new(Arc::clone(tally)));
        Ok(Self { topic, mode, tally })
    }

    /// Waits for each.
    fn resolve(&self, handles: impl Iterator<Item = Delivery>) {
        let (mut acked, mut failed) = (0, 0);
        for handle in handles {
            match handle.wait() {
                Ok(_) => acked += 1,
                Err(_) => failed += 1,
            }
        }
        self.tally.acked(acked);
        self.tally.failed(failed);
    }
}

impl Client for Klamm {
    fn send(&self, group: Group<'_>) -> Result<()> {
        match &self.mode {
            Mode::Reports => {
                let sent = self.topic.post_all(None, group.map(record));
                sent.map_err(|(accepted, error)| anyhow!("record {accepted} of a group: {error}"))?;
            }
            Mode::Post => {
                for out in group {
                    self.topic.post(&record(out))?;
                }
            }
            Mode::Handles(handles) => {
                let mut handles = handles.lock().unwrap_or_else(PoisonError::into_inner);
                for out in group {
                    handles.push_back(self.topic.send(&record(out))?);
                }
                let done = handles.len().saturating_sub(HANDLES);
                self.resolve(handles.drain(..done));
            }
            Mode::Callbacks => {
                for out in group {
                    let tally = self.tally;
                    self.topic.send_then(&record(out), move |result| match (result, out.due) {
                        (Ok(_), Some(due)) => tally.acked_due(due),
                        (Ok(_), None) => tally.acked(1),
                        (Err(_), _) => tally.failed(1),
                    })?;
                }
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        self.topic.producer().flush(None);
        if let Mode::Handles(handles) = &self.mode {
            let rest =
                core::mem::take(&mut *handles.lock().unwrap_or_else(PoisonError::into_inner));
            self.resolve(rest.into_iter());
        }
        Ok(())
    }
}

/// In klamm's words.
pub(crate) fn record(out: Out<'_>) -> Record<'_> {
    let record = Record::value(out.value);
    match out.key {
        Some(key) => record.with_key(key),
        None => record,
    }
}
