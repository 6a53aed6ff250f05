//! rskafka: no idempotence, no partitioner, no buffer. It is given ready-made arrays of records,
//! for each partition in turn, the next one when the last is acknowledged.

use anyhow::{Result, bail, ensure};
use chrono::Utc;
use klamm_bench_peers::{Client, Group, Params, Tally, measure};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// Bytes of an array of records, unless the parameters say.
const BATCH: usize = 128 * 1024;

struct Rskafka {
    runtime: Runtime,
    partitions: Vec<Partition>,
    next: AtomicUsize,
    compression: Compression,
    group: u64,
    tally: Arc<Tally>,
}

struct Partition {
    client: Arc<PartitionClient>,
    free: Arc<Semaphore>,
}

fn main() -> Result<()> {
    measure("0.6.0", Rskafka::start)
}

impl Rskafka {
    fn start(params: &Params, tally: &Arc<Tally>) -> Result<Self> {
        ensure!(params.keys == 0 && params.rate.is_none(), "rskafka has no partitioner, no linger");
        let runtime = Runtime::new()?;
        let servers = params.bootstrap.split(',').map(str::to_owned).collect();
        let partitions = runtime.block_on(async {
            let client = ClientBuilder::new(servers).client_id(params.id.as_str()).build().await?;
            let mut partitions = Vec::new();
            for index in 0..params.partitions {
                let topic = params.topic.clone();
                let retry = UnknownTopicHandling::Retry;
                let client = Arc::new(client.partition_client(topic, index, retry).await?);
                partitions.push(Partition { client, free: Arc::new(Semaphore::new(1)) });
            }
            anyhow::Ok(partitions)
        })?;
        let compression = match params.compression.as_str() {
            "none" => Compression::NoCompression,
            "lz4" => Compression::Lz4,
            other => bail!("no codec is called {other}"),
        };
        let bytes = if params.batch == 0 { BATCH } else { params.batch as usize };
        // A record has about ten bytes of its own.
        let group = (bytes / (params.size + 10)).max(1) as u64;
        let tally = Arc::clone(tally);
        Ok(Self { runtime, partitions, next: AtomicUsize::new(0), compression, group, tally })
    }
}

impl Client for Rskafka {
    fn group(&self) -> u64 {
        self.group
    }

    fn send(&self, group: Group<'_>) -> Result<()> {
        let timestamp = Utc::now();
        let records: Vec<_> = group
            .map(|out| Record {
                key: None,
                value: Some(out.value.to_vec()),
                headers: BTreeMap::new(),
                timestamp,
            })
            .collect();
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.partitions.len();
        let partition = &self.partitions[turn];
        let permit = self.runtime.block_on(Arc::clone(&partition.free).acquire_owned())?;
        let (client, tally) = (Arc::clone(&partition.client), Arc::clone(&self.tally));
        let compression = self.compression;
        self.runtime.spawn(async move {
            let count = records.len() as u64;
            match client.produce(records, compression).await {
                Ok(_) => tally.acked(count),
                Err(_) => tally.failed(count),
            }
            drop(permit);
        });
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        for partition in &self.partitions {
            drop(self.runtime.block_on(partition.free.acquire())?);
        }
        Ok(())
    }
}
