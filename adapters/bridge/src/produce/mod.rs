//! The bridge's own producer: klamm's engine over the bridge's own connections, so that TLS, SASL and
//! the list of hosts are the same for it.

mod body;
mod driver;
mod socket;
mod window;

pub(crate) use body::{Given, lines, whole};
pub(crate) use window::Window;

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::OnceLock;

use klamm::{Compression, Header, Record, Timestamp};
use klamm_host::{
    BuildError, Builder, Delivery, Handle, Operation, Options, SendError, Start, Target,
};
use tokio::time::{Sleep, sleep};

use crate::config::Config;
use crate::upstream::Connector;
use driver::{Nobody, Tasks};

/// How long a record waits for room before it is refused.
const MAX_BLOCK: Duration = Duration::from_secs(5);
/// Topics and partitions that can be posted to.
const TOPICS: u16 = 1_000;
const PARTITIONS: u16 = 10_000;

/// A producer that begins with the first record.
pub(crate) struct Producer {
    servers: String,
    client_id: String,
    compression: Compression,
    buffer: usize,
    delivery_timeout_ms: u32,
    connector: Connector,
    handle: OnceLock<Result<Handle<Tasks>, String>>,
}

/// Options, and no producer yet.
struct Raw(Options);

impl Start for Raw {
    fn start(options: Options) -> Result<Self, BuildError> {
        Ok(Self(options))
    }
}

impl Producer {
    /// # Errors
    /// A compression that there is not, or bounds that contradict each other: not with the first record.
    pub(crate) fn new(config: &Config, connector: Connector) -> Result<Self, String> {
        let compression = match config.http.compression.as_str() {
            "none" => Compression::None,
            "gzip" => Compression::Gzip { level: 6 },
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4 { level: 1 },
            "zstd" => Compression::Zstd { level: 3 },
            other => return Err(format!("http.compression: there is no {other:?}")),
        };
        let millis = config.http.delivery_timeout_s.saturating_mul(1_000);
        let producer = Self {
            servers: config.kafka.bootstrap.join(","),
            client_id: config.kafka.client_id.clone(),
            compression,
            buffer: config.http.buffer,
            delivery_timeout_ms: u32::try_from(millis).unwrap_or(u32::MAX),
            connector,
            handle: OnceLock::new(),
        };
        let tried = producer.options().and_then(|options| Handle::new(options, Nobody));
        tried.map_err(|error| format!("http: {error}"))?;
        Ok(producer)
    }

    /// Accepts a record. What becomes of it is the answer's answer.
    pub(crate) async fn send(&self, topic: &str, given: &Given) -> Result<Delivery, String> {
        let handle = self.handle.get_or_init(|| self.start()).as_ref().map_err(Clone::clone)?;
        let headers: Vec<Header<'_>> = given
            .headers
            .iter()
            .map(|(key, value)| Header { key, value: value.as_deref() })
            .collect();
        let value = given.value.as_deref();
        let mut record = value.map_or(Record::null(), Record::value).with_headers(&headers);
        record.key = given.key.as_deref();
        record.timestamp = given.timestamp.map(Timestamp::from_millis);
        let sent = wait(handle.send(Target::Name(topic), given.partition, &record)).await;
        let sent = sent.map_err(|error: SendError| error.to_string())?;
        sent.ok_or_else(|| "the producer has ended".to_owned())
    }

    /// Lets everything accepted go out, for up to `limit`.
    pub(crate) async fn close(&self, limit: Duration) {
        if let Some(Ok(handle)) = self.handle.get()
            && let Some(ended) = handle.close(Some(limit)).signal()
        {
            poll_fn(|context| ended.poll(context.waker())).await;
        }
    }

    fn start(&self) -> Result<Handle<Tasks>, String> {
        let started =
            self.options().and_then(|options| Handle::new(options, Tasks(self.connector.clone())));
        started.map_err(|error| error.to_string())
    }

    fn options(&self) -> Result<Options, BuildError> {
        let buffer = u32::try_from(self.buffer).unwrap_or(u32::MAX);
        let options = Builder::<Raw>::new(&self.servers)
            .client_id(&self.client_id)
            .max_block(MAX_BLOCK)
            .configure(|config| {
                config.compression_type = self.compression;
                config.delivery_timeout_ms = self.delivery_timeout_ms;
                let limit = self.delivery_timeout_ms.saturating_sub(config.linger_ms);
                config.request_timeout_ms = config.request_timeout_ms.min(limit);
            })
            .limits(|limits| {
                limits.buffer_memory = buffer;
                (limits.topics, limits.partitions) = (TOPICS, PARTITIONS);
            });
        options.build().map(|Raw(options)| options)
    }
}

/// Waits for an operation.
async fn wait<O: Operation>(mut operation: O) -> Result<O::Output, O::Error> {
    let mut limit: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        loop {
            if let Poll::Ready(result) = operation.poll(Some(context.waker())) {
                return Poll::Ready(result);
            }
            let left = operation.waiting().left();
            match limit.as_mut() {
                Some(limit) if limit.is_elapsed() && !left.is_zero() => limit.set(sleep(left)),
                Some(_) => {}
                None => limit = Some(Box::pin(sleep(left))),
            }
            if limit.as_mut().is_none_or(|limit| limit.as_mut().poll(context).is_pending()) {
                return Poll::Pending;
            }
        }
    })
    .await
}
