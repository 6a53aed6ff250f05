//! Typed options, and how a producer is made of them.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;

use klamm::{Config, Limits, Storage};

use crate::callback::{BatchReport, Callback};
use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::{BuildError, PropertyError};
use crate::producer::Producer;
use crate::properties;
use crate::shared::Shared;

/// Whose records the report callback gets to see. They are copied, which costs an allocation each.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeepRecords {
    /// Nobody's.
    #[default]
    Never,
    /// Those of batches that were not delivered.
    Undelivered,
    /// Everybody's; of a compressed batch that was delivered they are not there any more.
    Always,
}

/// Options of a [`Producer`].
///
/// ```no_run
/// use klamm_std::{Compression, Producer};
///
/// let producer = Producer::builder("localhost:9092")
///     .configure(|config| {
///         config.linger_ms = 20;
///         config.compression_type = Compression::Gzip { level: 6 };
///     })
///     .limits(|limits| limits.buffer_memory = 8 << 20)
///     .on_report(|batch| println!("{}: {:?}", batch.topic, batch.report.outcome))
///     .build()?;
/// # Ok::<(), klamm_std::BuildError>(())
/// ```
pub struct Builder {
    pub(crate) servers: String,
    pub(crate) client_id: String,
    pub(crate) config: Config<'static>,
    pub(crate) limits: Limits,
    pub(crate) max_block: Duration,
    keep: KeepRecords,
    callback: Option<Callback>,
}

impl Builder {
    /// All defaults; `servers` are `host:port`, separated by commas.
    #[must_use]
    pub fn new(servers: &str) -> Self {
        let mut config = Config::new("");
        config.crc32c = crc32c::crc32c;
        Self {
            servers: servers.to_owned(),
            client_id: config.client_id.to_owned(),
            config,
            limits: Limits::new(),
            max_block: Duration::from_secs(60),
            keep: KeepRecords::Never,
            callback: None,
        }
    }

    /// The options of properties, as [`Producer::from_properties`] takes them; more can be set
    /// then.
    ///
    /// # Errors
    /// A property is unknown, cannot be read, or conflicts with another one.
    pub fn from_properties<N, V>(
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, PropertyError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        properties::builder(properties)
    }

    /// Where to ask for the cluster first: `host:port`, separated by commas.
    #[must_use]
    pub fn servers(mut self, servers: &str) -> Self {
        servers.clone_into(&mut self.servers);
        self
    }

    /// The name that brokers log and apply quotas to. Default `klamm`.
    #[must_use]
    pub fn client_id(mut self, name: &str) -> Self {
        name.clone_into(&mut self.client_id);
        self
    }

    /// Changes the core's options. `bootstrap_servers` and `client_id` are set by the builder's own
    /// methods, not here.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config<'static>)) -> Self {
        change(&mut self.config);
        self
    }

    /// Changes the bounds of the memory. `batch_size` and `max_request_size` follow the options of
    /// these names.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// How long `send` waits for memory or metadata (`max.block.ms`). Default 60 s.
    #[must_use]
    pub fn max_block(mut self, limit: Duration) -> Self {
        self.max_block = limit;
        self
    }

    /// Calls `callback` with the outcome of every batch, on the driver's thread: while it runs,
    /// nothing is sent, so it should be short. It may send; there, nothing waits. A panic in it
    /// ends that call only.
    ///
    /// A callback that owns a clone of the producer keeps it open: end such a producer by `close`.
    #[must_use]
    pub fn on_report(mut self, callback: impl FnMut(&BatchReport) + Send + 'static) -> Self {
        self.callback = Some(Callback::new(callback));
        self
    }

    /// Whose records are copied for the callback. Default nobody's.
    #[must_use]
    pub fn keep_records(mut self, keep: KeepRecords) -> Self {
        self.keep = keep;
        self
    }

    /// The core's options as they are now.
    #[must_use]
    pub fn config(&self) -> &Config<'static> {
        &self.config
    }

    /// Allocates the memory and starts the driver. It connects when there is something to ask for.
    ///
    /// # Errors
    /// An option is out of range, options conflict, or the system has no thread to give.
    pub fn build(mut self) -> Result<Producer, BuildError> {
        self.limits.batch_size = self.config.batch_size;
        self.limits.max_request_size = self.config.max_request_size;
        let mut config: Config<'_> = self.config;
        config.bootstrap_servers = &self.servers;
        config.client_id = &self.client_id;
        // By the driver, which does it without the lock.
        config.compress_outside = true;

        let clock = Clock::start();
        let storage = Storage::boxed(&self.limits);
        let core = klamm::Producer::new(&config, storage, seed(), clock.now())?;
        let poll = mio::Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), Driver::WAKE)?);
        let shared = Arc::new(Shared::new(core, waker, clock, self.max_block));
        let driver = Driver::new(Arc::clone(&shared), poll, self.callback, self.keep);
        Ok(Producer::new(shared, driver.spawn()?))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("servers", &self.servers)
            .field("client_id", &self.client_id)
            .field("config", &self.config)
            .field("limits", &self.limits)
            .field("max_block", &self.max_block)
            .finish_non_exhaustive()
    }
}

/// For jitter and sticky partitions, which need to differ between processes and no more than that:
/// the hash maps' random keys do.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
