//! Typed options, and how a producer is made of them.

use core::fmt;
use core::hash::{BuildHasher, Hasher};
use core::marker::PhantomData;
use core::time::Duration;
use std::hash::RandomState;
use std::path::Path;
use std::process;

use klamm::{Config, ConfigError, Limits, Profile, Record, Storage};

use crate::error::{BuildError, PropertyError};
use crate::hooks::{BatchReport, Hooks};
use crate::instrument::{self, Instruments, ProducerEvent, Statistics};
use crate::interceptor::Interceptor;
use crate::properties;
use crate::properties_file;

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

/// What a producer is made of. It is kept, for it may have to be made again: after a fork, or when
/// its driver died.
pub struct Options {
    pub(crate) servers: String,
    pub(crate) client_id: String,
    pub(crate) config: Config<'static>,
    pub(crate) limits: Limits,
    /// `max.request.size` was given, by name or by a profile, be it the default: no request is larger.
    pub(crate) bounded: bool,
    pub(crate) max_block: Duration,
    pub(crate) keep: KeepRecords,
    pub(crate) hooks: Hooks,
    pub(crate) instruments: Instruments,
}

/// What a [`Builder`] builds: an adapter's producer.
pub trait Start: Sized {
    /// Allocates the memory and starts a driver.
    ///
    /// # Errors
    /// An option is out of range, options conflict, or the system refuses what a driver needs.
    fn start(options: Options) -> Result<Self, BuildError>;
}

/// Options of a producer, `P`.
///
/// ```
/// # fn example<P: klamm_host::Start>() -> Result<P, Box<dyn core::error::Error>> {
/// # use klamm_host::Builder;
/// # use klamm::Compression;
/// let producer = Builder::new("localhost:9092")
///     .configure(|config| {
///         config.linger_ms = 20;
///         config.compression_type = Compression::Gzip { level: 6 };
///     })
///     .limits(|limits| limits.buffer_memory = 8 << 20)
///     .on_report(|batch| println!("{}: {:?}", batch.topic, batch.report.outcome))
///     .build()?;
/// # Ok(producer) }
/// ```
pub struct Builder<P> {
    options: Options,
    producer: PhantomData<fn() -> P>,
}

impl<P: Start> Builder<P> {
    /// All defaults; `servers` are `host:port`, separated by commas.
    #[must_use]
    pub fn new(servers: &str) -> Self {
        Self { options: Options::new(servers), producer: PhantomData }
    }

    /// The options that Java's producer and librdkafka know by these names; more can be set then.
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
        Ok(Self { options: properties::options(properties)?, producer: PhantomData })
    }

    /// The same from a `.properties` file, in Java's syntax: comments, escapes, continued lines.
    ///
    /// # Errors
    /// The file cannot be read, or as [`from_properties`](Self::from_properties).
    pub fn from_properties_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Ok(Self::from_properties(properties_file::read(path.as_ref())?)?)
    }

    /// Where to ask for the cluster first: `host:port`, separated by commas.
    #[must_use]
    pub fn servers(mut self, servers: &str) -> Self {
        servers.clone_into(&mut self.options.servers);
        self
    }

    /// The name that brokers log and apply quotas to. Default `klamm`.
    #[must_use]
    pub fn client_id(mut self, name: &str) -> Self {
        name.clone_into(&mut self.options.client_id);
        self
    }

    /// The defaults of another producer: replaces all options but the servers, the client id and
    /// what becomes of reports.
    #[must_use]
    pub fn profile(mut self, profile: &Profile) -> Self {
        let crc32c = self.options.config.crc32c;
        self.options.config = profile.config;
        self.options.config.crc32c = crc32c;
        self.options.bounded = true;
        self.options.limits = profile.limits;
        self.options.max_block = match profile.max_block_ms {
            u32::MAX => Duration::MAX,
            limit => Duration::from_millis(u64::from(limit)),
        };
        self
    }

    /// Changes the core's options. `bootstrap_servers` and `client_id` are set by the builder's own
    /// methods, not here. `batch_size` is 1 MiB by default: batches take memory as they grow.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Config<'static>)) -> Self {
        change(&mut self.options.config);
        self
    }

    /// Changes the bounds of the memory. Chunks are of 4 KiB, or as small as `batch_size`;
    /// `batch_size` and `max_request_size` follow the options of
    /// these names.
    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.options.limits);
        self
    }

    /// How long `send` waits for memory or metadata (`max.block.ms`). Default 60 s.
    #[must_use]
    pub fn max_block(mut self, limit: Duration) -> Self {
        self.options.max_block = limit;
        self
    }

    /// Calls `callback` with the outcome of every batch, on the driver: while it runs, nothing is
    /// sent, so it should be short. It may send; there, nothing waits. A panic in it ends that call
    /// only.
    ///
    /// A callback that owns a clone of the producer keeps it open: end such a producer by `close`.
    #[must_use]
    pub fn on_report(mut self, callback: impl Fn(&BatchReport) + Send + Sync + 'static) -> Self {
        self.options.hooks.report = Some(Box::new(callback));
        self
    }

    /// Whose records are copied for the callback and the interceptors. Default nobody's.
    #[must_use]
    pub fn keep_records(mut self, keep: KeepRecords) -> Self {
        self.options.keep = keep;
        self
    }

    /// Adds an interceptor, behind those added before.
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.options.hooks.interceptors.push(Box::new(interceptor));
        self
    }

    /// Makes the key of a record that has none, from its topic and the record, before the
    /// interceptors see it; `None` leaves it without. A panic in it is the sender's: the record is
    /// not accepted.
    #[must_use]
    pub fn key_maker(
        mut self,
        make: impl Fn(&str, &Record<'_>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        self.options.hooks.key_maker = Some(Box::new(make));
        self
    }

    /// Calls `callback` with everything that happens: records accepted or refused on the sender's thread, the rest on
    /// the driver, never under a lock. It should be short, and a panic in it ends that call only.
    #[must_use]
    pub fn on_event(
        mut self,
        callback: impl Fn(&ProducerEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.options.instruments.event = Some(Box::new(callback));
        self
    }

    /// Calls `callback` with the producer's figures every [`statistics_interval`](Self::statistics_interval), on the
    /// driver.
    #[must_use]
    pub fn on_statistics(mut self, callback: impl Fn(&Statistics) + Send + Sync + 'static) -> Self {
        self.options.instruments.statistics = Some(Box::new(callback));
        self
    }

    /// From one call of [`on_statistics`](Self::on_statistics) to the next (`statistics.interval.ms`). Default zero:
    /// never.
    #[must_use]
    pub fn statistics_interval(mut self, interval: Duration) -> Self {
        self.options.instruments.interval = interval;
        self
    }

    /// The core's options as they are now.
    #[must_use]
    pub fn config(&self) -> &Config<'static> {
        &self.options.config
    }

    /// Allocates the memory and starts the driver. It connects when there is something to ask for.
    ///
    /// # Errors
    /// An option is out of range, options conflict, or the system refuses what a driver needs.
    pub fn build(self) -> Result<P, BuildError> {
        P::start(self.options)
    }
}

impl<P> fmt::Debug for Builder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.fmt(f)
    }
}

impl Options {
    pub(crate) fn new(servers: &str) -> Self {
        let mut config = Config::new("");
        config.crc32c = crc32c::crc32c;
        config.batch_size = 1_048_576;
        Self {
            servers: servers.to_owned(),
            client_id: config.client_id.to_owned(),
            config,
            limits: Limits::new(),
            bounded: false,
            max_block: Duration::from_secs(60),
            keep: KeepRecords::Never,
            hooks: Hooks::default(),
            instruments: Instruments::default(),
        }
    }

    /// A core with these options.
    pub(crate) fn core(
        &self,
        now: klamm::Instant,
    ) -> Result<klamm::Producer<'static>, ConfigError> {
        let mut limits = self.limits.for_batches(self.config.batch_size);
        limits.max_request_size = self.config.max_request_size;
        limits.events = limits.events.max(instrument::EVENTS);
        klamm::Producer::new(&self.core_config(), Storage::boxed(&limits), seed(), now)
    }

    fn core_config(&self) -> Config<'_> {
        let mut config: Config<'_> = self.config;
        if !self.bounded {
            enlarge_requests(&mut config);
        }
        config.bootstrap_servers = &self.servers;
        config.client_id = &self.client_id;
        // By the driver, which does it without the lock.
        config.compress_outside = true;
        config
    }
}

/// Larger requests than others send, but not where the user bounds them (Event Hubs closes at 1 MB).
pub(crate) const fn enlarge_requests(config: &mut Config<'_>) {
    if config.max_request_size == Config::new("").max_request_size && config.max_write_bytes == 0 {
        config.max_write_bytes = 4 << 20;
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("servers", &self.servers)
            .field("client_id", &self.client_id)
            .field("config", &self.config)
            .field("limits", &self.limits)
            .field("max_block", &self.max_block)
            .finish_non_exhaustive()
    }
}

/// For jitter and sticky partitions, which need to differ between processes and no more than that:
/// the hash maps' random keys do, and the process's number where a fork copied those.
pub(crate) fn seed() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(process::id());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use klamm::Profile;

    use super::*;
    use crate::properties;

    #[test]
    fn requests_are_as_large_as_whoever_bounds_them_says() {
        const LARGE: u32 = 4 << 20;
        let servers = ("bootstrap.servers", "localhost:9092");
        let named = |name, value| {
            let options = properties::options([servers, (name, value)]).expect("legal");
            options.core_config().max_write_bytes
        };
        assert_eq!(Options::new("localhost:9092").core_config().max_write_bytes, LARGE);
        assert_eq!(named("linger.ms", "7"), LARGE);
        for value in ["1048576", "1000000", "2097152"] {
            assert_eq!(named("max.request.size", value), 0, "{value}");
            assert_eq!(named("message.max.bytes", value), 0, "{value}");
        }
        struct Made(Options);
        impl Start for Made {
            fn start(options: Options) -> Result<Self, BuildError> {
                Ok(Self(options))
            }
        }
        let builder = || Builder::<Made>::new("localhost:9092");
        let bytes = |builder: Builder<Made>| {
            builder.build().expect("legal").0.core_config().max_write_bytes
        };
        assert_eq!(bytes(builder().profile(&Profile::aiokafka())), 0);
        assert_eq!(bytes(builder().configure(|config| config.max_request_size = 1_000_000)), 0);
        assert_eq!(bytes(builder().configure(|config| config.max_write_bytes = 1)), 1);
    }
}
