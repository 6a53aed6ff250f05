//! Arguments: `name=value`, the same for every producer.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a producer is told.
#[derive(Debug)]
pub struct Params {
    /// `host:port,...`
    pub bootstrap: String,
    /// The topic, which exists.
    pub topic: String,
    /// Its partitions; only clients without a partitioner look at it.
    pub partitions: i32,
    /// The client's name for the brokers.
    pub id: String,
    /// Records to send.
    pub records: u64,
    /// Records to send before the measurement.
    pub warmup: u64,
    /// Sending ends after so many seconds, even if there are records left. 0: no such end.
    pub seconds: u64,
    /// Bytes of a value.
    pub size: usize,
    /// The file that the values are taken from, one behind the other.
    pub values: PathBuf,
    /// How many different keys; 0: no keys.
    pub keys: u64,
    /// In milliseconds.
    pub linger: u64,
    /// Bytes of a batch; 0: the client's own default; 1: no second record in a batch.
    pub batch: u32,
    /// Bytes that the client may buffer; 0: the client's own default.
    pub buffer: u32,
    /// `none` or `lz4`.
    pub compression: String,
    /// Records a second; without it, as many as the client takes.
    pub rate: Option<u64>,
    /// Threads that send.
    pub threads: u64,
    /// Every value begins with its record's number, ten digits.
    pub numbered: bool,
    /// Seconds to stay idle at the end.
    pub idle: u64,
    /// A way of sending that is the client's own.
    pub mode: String,
}

impl Params {
    pub(crate) fn from_arguments() -> Result<Self> {
        let mut words = BTreeMap::new();
        for argument in std::env::args().skip(1) {
            let (name, value) = argument.split_once('=').context("arguments are name=value")?;
            words.insert(name.to_owned(), value.to_owned());
        }
        let mut text = |name: &str| words.remove(name);
        let mut number = |name: &str, default: u64| -> Result<u64> {
            let value = text(name).map(|value| value.parse()).transpose();
            Ok(value.with_context(|| format!("{name} is no number"))?.unwrap_or(default))
        };
        let params = Self {
            records: number("records", 1_000_000)?,
            warmup: number("warmup", 0)?,
            seconds: number("seconds", 0)?,
            size: usize::try_from(number("size", 100)?)?,
            keys: number("keys", 0)?,
            linger: number("linger", 5)?,
            batch: u32::try_from(number("batch", 0)?)?,
            buffer: u32::try_from(number("buffer", 0)?)?,
            rate: Some(number("rate", 0)?).filter(|&rate| rate > 0),
            threads: number("threads", 1)?,
            numbered: number("numbered", 0)? > 0,
            idle: number("idle", 0)?,
            partitions: i32::try_from(number("partitions", 1)?)?,
            bootstrap: text("bootstrap").context("bootstrap= is missing")?,
            topic: text("topic").context("topic= is missing")?,
            id: text("id").unwrap_or_else(|| "bench".into()),
            values: text("values").context("values= is missing")?.into(),
            compression: text("compression").unwrap_or_else(|| "none".into()),
            mode: text("mode").unwrap_or_default(),
        };
        if let Some(name) = words.keys().next() {
            bail!("no argument is called {name}");
        }
        Ok(params)
    }

    pub(crate) fn micros(&self) -> u64 {
        if self.seconds == 0 { u64::MAX } else { self.seconds * 1_000_000 }
    }
}
