//! `LocalProducer`: the sending thread moves the bytes, too.

use anyhow::{Result, bail, ensure};
use core::time::Duration;
use klamm_bench_peers::{Client, Group, Params, Tally};
use klamm_std::{Config, Destination, Limits, LocalProducer, Outcome, Refusal, TopicId};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Local {
    /// The bench's own, for its threads: there is one.
    producer: Mutex<(LocalProducer, TopicId)>,
    tally: Arc<Tally>,
}

impl Local {
    pub(crate) fn start(params: &Params, tally: &Arc<Tally>) -> Result<Self> {
        let plain = params.compression == "none" && params.batch == 0 && params.buffer == 0;
        ensure!(plain && params.rate.is_none(), "mode=local has no such option here");
        let mut config = Config::new(&params.bootstrap);
        config.linger_ms = u32::try_from(params.linger)?;
        config.batch_size = 1_048_576;
        let mut producer = LocalProducer::new(&config, &Limits::default())?;
        let topic = producer.topic(&params.topic)?;
        Ok(Self { producer: Mutex::new((producer, topic)), tally: Arc::clone(tally) })
    }

    fn count(&self, producer: &mut LocalProducer) {
        while let Some(report) = producer.poll_report() {
            let records = u64::from(report.records);
            match report.outcome {
                Outcome::Delivered { .. } => self.tally.acked(records),
                _ => self.tally.failed(records),
            }
        }
    }
}

impl Client for Local {
    /// About two batches between two polls.
    fn group(&self) -> u64 {
        256
    }

    fn send(&self, group: Group<'_>) -> Result<()> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let (producer, topic) = &mut *producer;
        let to = Destination::topic(*topic);
        for out in group {
            let record = crate::record(out);
            loop {
                match producer.send(to, &record) {
                    Ok(_) => break,
                    Err(Refusal::Full | Refusal::TopicPending) => {
                        producer.poll(Duration::from_millis(1))?;
                        self.count(producer);
                    }
                    Err(error) => bail!("refused: {error}"),
                }
            }
        }
        producer.poll(Duration::ZERO)?;
        self.count(producer);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let (producer, _) = &mut *producer;
        ensure!(producer.flush(Duration::from_secs(300))?, "flush takes too long");
        self.count(producer);
        Ok(())
    }
}
