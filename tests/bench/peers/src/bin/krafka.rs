//! krafka: a handle a record, and each is waited for.

use anyhow::{Result, bail};
use bytes::Bytes;
use core::time::Duration;
use klamm_bench_peers::{Client, Group, Out, Params, Tally, measure};
use krafka::prelude::Compression;
use krafka::producer::{Acks, DeliveryHandle, Producer};
use krafka::{Kafka, Record};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;

/// Handles kept before the oldest is waited for.
const HANDLES: usize = 20_000;

struct Krafka {
    runtime: Runtime,
    producer: Producer,
    topic: String,
    handles: Mutex<VecDeque<DeliveryHandle>>,
    tally: Arc<Tally>,
}

fn main() -> Result<()> {
    measure("0.28.1", Krafka::start)
}

impl Krafka {
    fn start(params: &Params, tally: &Arc<Tally>) -> Result<Self> {
        let runtime = Runtime::new()?;
        let compression = match params.compression.as_str() {
            "none" => Compression::None,
            "lz4" => Compression::Lz4,
            other => bail!("no codec is called {other}"),
        };
        let producer = runtime.block_on(async {
            let kafka = Kafka::builder(params.bootstrap.as_str()).client_id(params.id.as_str());
            let kafka = kafka.connect().await?;
            let mut builder = kafka
                .producer()
                .acks(Acks::All)
                .idempotent(true)
                .linger(Duration::from_millis(params.linger))
                .compression(compression)
                // As the others: they wait for room.
                .max_block(Duration::from_secs(300));
            match params.batch {
                0 => {}
                // Full by bytes: no second record fits.
                1 => builder = builder.batch_size(params.size + 100),
                bytes => builder = builder.batch_size(bytes as usize),
            }
            if params.buffer > 0 {
                builder = builder.buffer_memory(params.buffer as usize);
            }
            anyhow::Ok(builder.build().await?)
        })?;
        Ok(Self {
            runtime,
            producer,
            topic: params.topic.clone(),
            handles: Mutex::new(VecDeque::new()),
            tally: Arc::clone(tally),
        })
    }

    async fn wait(&self, handle: DeliveryHandle) {
        match handle.await {
            Ok(_) => self.tally.acked(1),
            Err(_) => self.tally.failed(1),
        }
    }
}

impl Client for Krafka {
    fn send(&self, group: Group<'_>) -> Result<()> {
        self.runtime.block_on(async {
            for Out { value, key, .. } in group {
                let mut record = Record::new(self.topic.as_str(), Bytes::copy_from_slice(value));
                if let Some(key) = key {
                    record = record.key(Bytes::copy_from_slice(key));
                }
                let handle = self.producer.enqueue(record).await?;
                let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
                handles.push_back(handle);
                let oldest = if handles.len() > HANDLES { handles.pop_front() } else { None };
                drop(handles);
                if let Some(oldest) = oldest {
                    self.wait(oldest).await;
                }
            }
            Ok(())
        })
    }

    fn flush(&self) -> Result<()> {
        self.runtime.block_on(async {
            self.producer.flush().await?;
            let rest =
                core::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
            for handle in rest {
                self.wait(handle).await;
            }
            Ok(())
        })
    }
}
