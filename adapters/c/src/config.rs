//! Options and limits.

use core::ffi::c_char;
use core::mem::size_of;
use core::ptr;

use klamm::{Acks, Config, ConfigError, Idempotence, Limits};

use crate::pointer;
use crate::status::klamm_status;

/// `partitioner`: keys by murmur2, as Java's producer; records without a key stick to a partition for about a batch.
pub const KLAMM_PARTITIONER_JAVA: u8 = 0;
/// `partitioner`: keys by CRC-32, as librdkafka's default `consistent_random`.
pub const KLAMM_PARTITIONER_LIBRDKAFKA: u8 = 1;
/// `partitioner`: keys are ignored, partitions take turns.
pub const KLAMM_PARTITIONER_ROUND_ROBIN: u8 = 2;

/// `enable_idempotence`: where the broker offers it and `acks` is -1.
pub const KLAMM_IDEMPOTENCE_PREFERRED: u8 = 0;
/// `enable_idempotence`: always; a broker that does not offer it gets nothing.
pub const KLAMM_IDEMPOTENCE_REQUIRED: u8 = 1;
/// `enable_idempotence`: never. A retry may write a record twice.
pub const KLAMM_IDEMPOTENCE_OFF: u8 = 2;

/// How much of everything a producer has memory for. Begin with klamm_limits_init.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct klamm_limits {
    /// Set by klamm_limits_init.
    pub struct_size: u32,
    /// Bytes of record memory, 175 for each batch included. At least two batches. Default 6,300: four of 1,400.
    pub buffer_memory: u32,
    /// Bytes of a batch: header of 61, then records. The memory is cut into pieces of this and 175 bytes more. Larger
    /// records take several pieces. Default 1,400: with the request's head a TCP segment.
    pub batch_size: u32,
    /// Partitions that are written to, over all topics. Default 4.
    pub partitions: u16,
    /// Topics. Default 2.
    pub topics: u16,
    /// Brokers that can be known at once, bootstrap servers included. Default 8.
    pub brokers: u8,
    /// Connections that are open at once. Default 2: leaders of more brokers take turns.
    pub connections: u8,
}

/// Options, named as Java's properties with `_` for `.`. Begin with klamm_config_init. klamm_init copies what it needs.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct klamm_config {
    /// Set by klamm_config_init.
    pub struct_size: u32,
    /// Where to ask for the cluster first: `host:port`, separated by commas; `[::1]:9092` for IPv6. No default.
    pub bootstrap_servers: *const c_char,
    /// The name that brokers log; at most 64 bytes. Default `klamm`.
    pub client_id: *const c_char,
    /// -1: all in-sync replicas have the record before it counts as delivered; 1: the leader has it; 0: it was written
    /// to the socket (feature `full`). Default -1.
    pub acks: i8,
    /// KLAMM_IDEMPOTENCE_*. Default KLAMM_IDEMPOTENCE_PREFERRED: exactly once and in order.
    pub enable_idempotence: u8,
    /// KLAMM_PARTITIONER_*. Default KLAMM_PARTITIONER_JAVA; others need the feature `full`.
    pub partitioner: u8,
    /// Requests in flight to a broker, 1 to 5. Default 5.
    pub max_in_flight_requests_per_connection: u8,
    /// Not 0: asking for a topic may create it. Default 1.
    pub allow_auto_create_topics: u8,
    /// Not 0: after a broker lost data no record is accepted any more. Default 0.
    pub stop_on_data_loss: u8,
    /// Not 0: all brokers are reached through the bootstrap servers, over one connection. Default 0.
    pub single_address: u8,
    /// Records at which a batch is full, 1 to 65,535. Default 65,535.
    pub batch_records: u16,
    /// How long a batch waits for more records; UINT32_MAX: until it is full or flushed. Default 5 ms.
    pub linger_ms: u32,
    /// Bytes at which a batch is full. Default 16,384; never more than klamm_limits' `batch_size`.
    pub batch_size: u32,
    /// The largest batch and request, in bytes. Default 1,048,576.
    pub max_request_size: u32,
    /// How often a batch is sent again after an error. Default UINT32_MAX: until `delivery_timeout_ms`.
    pub retries: u32,
    /// Before the first retry, then doubled. Default 100 ms.
    pub retry_backoff_ms: u32,
    /// At most. Default 1,000 ms.
    pub retry_backoff_max_ms: u32,
    /// Before a broker is dialed again, then doubled. Default 50 ms.
    pub reconnect_backoff_ms: u32,
    /// At most. Default 1,000 ms.
    pub reconnect_backoff_max_ms: u32,
    /// From a request to its answer; longer closes the connection. Default 30,000 ms.
    pub request_timeout_ms: u32,
    /// From a batch's first record to its report. At least `linger_ms` + `request_timeout_ms`; UINT32_MAX: for ever.
    /// Default 120,000 ms.
    pub delivery_timeout_ms: u32,
    /// From dialing to an open connection, doubled on failures. Default 10,000 ms.
    pub socket_connection_setup_timeout_ms: u32,
    /// At most. Default 30,000 ms.
    pub socket_connection_setup_timeout_max_ms: u32,
    /// An idle connection is closed after this. Default 540,000 ms.
    pub connections_max_idle_ms: u32,
    /// Metadata is asked for again after this. Default 300,000 ms.
    pub metadata_max_age_ms: u32,
    /// How long records without a timestamp wait for klamm_set_clock before they go out with the time since start.
    /// Default UINT32_MAX: until the clock is set, or `delivery_timeout_ms`.
    pub clock_wait_ms: u32,
}

/// Which option klamm_init refused.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct klamm_fault {
    /// The option's name, `option_len` bytes without a zero byte: print it with `%.*s`. Never freed.
    pub option: *const c_char,
    /// Bytes of the name.
    pub option_len: usize,
    /// The least value allowed; 0 where that is not the fault.
    pub min: u32,
    /// The largest value or length allowed; 0 where that is not the fault.
    pub max: u32,
}

/// Sets all limits to their defaults, which suit a device of 64 KiB. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_limits_init(limits: *mut klamm_limits) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    unsafe { pointer::put(limits, klamm_limits::DEFAULT) }
}

/// Sets all options to their defaults, and `bootstrap_servers` to null. Null is ignored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_config_init(config: *mut klamm_config) {
    // SAFETY: the program vouches for its pointers, as the header asks.
    unsafe { pointer::put(config, klamm_config::of(&Config::new(""))) }
}

#[allow(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
impl klamm_limits {
    const SIZE: u32 = size_of::<Self>() as u32;
    const DEFAULT: Self = Self {
        struct_size: Self::SIZE,
        buffer_memory: 4 * (1_400 + 175),
        batch_size: 1_400,
        partitions: 4,
        topics: 2,
        brokers: 8,
        connections: 2,
    };

    pub(crate) fn limits(&self) -> Result<Limits, klamm_status> {
        if self.struct_size != Self::SIZE {
            return Err(klamm_status::Version);
        }
        let mut limits = Limits::new();
        limits.buffer_memory = self.buffer_memory;
        limits.batch_size = self.batch_size;
        limits.partitions = self.partitions.max(1);
        limits.topics = self.topics.max(1);
        limits.brokers = self.brokers.max(2);
        limits.connections = self.connections.max(1);
        Ok(limits)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a few hundred bytes")]
impl klamm_config {
    const SIZE: u32 = size_of::<Self>() as u32;

    fn of(config: &Config<'_>) -> Self {
        Self {
            struct_size: Self::SIZE,
            bootstrap_servers: ptr::null(),
            client_id: c"klamm".as_ptr(),
            acks: -1,
            enable_idempotence: KLAMM_IDEMPOTENCE_PREFERRED,
            partitioner: KLAMM_PARTITIONER_JAVA,
            max_in_flight_requests_per_connection: config.max_in_flight_requests_per_connection,
            allow_auto_create_topics: u8::from(config.allow_auto_create_topics),
            stop_on_data_loss: u8::from(config.stop_on_data_loss),
            single_address: u8::from(config.single_address),
            batch_records: config.batch_records,
            linger_ms: config.linger_ms,
            batch_size: config.batch_size,
            max_request_size: config.max_request_size,
            retries: config.retries,
            retry_backoff_ms: config.retry_backoff_ms,
            retry_backoff_max_ms: config.retry_backoff_max_ms,
            reconnect_backoff_ms: config.reconnect_backoff_ms,
            reconnect_backoff_max_ms: config.reconnect_backoff_max_ms,
            request_timeout_ms: config.request_timeout_ms,
            delivery_timeout_ms: config.delivery_timeout_ms,
            socket_connection_setup_timeout_ms: config.socket_connection_setup_timeout_ms,
            socket_connection_setup_timeout_max_ms: config.socket_connection_setup_timeout_max_ms,
            connections_max_idle_ms: config.connections_max_idle_ms,
            metadata_max_age_ms: config.metadata_max_age_ms,
            clock_wait_ms: config.clock_wait_ms,
        }
    }

    /// As klamm has it.
    ///
    /// # Errors
    /// `Version`, `Argument`, or `Config` with the option that has no such value.
    ///
    /// # Safety
    /// The texts are null, or end with a zero byte and stay for `'a`.
    pub(crate) unsafe fn config<'a>(&self) -> Result<Config<'a>, (klamm_status, klamm_fault)> {
        if self.struct_size != Self::SIZE {
            return Err((klamm_status::Version, klamm_fault::NONE));
        }
        let refused = |option| (klamm_status::Config, klamm_fault::of(option, 0, 0));
        let no_text = |status| (status, klamm_fault::NONE);
        // SAFETY: as this function's caller vouches.
        let mut config =
            Config::new(unsafe { pointer::text(self.bootstrap_servers) }.map_err(no_text)?);
        // SAFETY: the same.
        config.client_id = unsafe { pointer::text(self.client_id) }.map_err(no_text)?;
        config.acks = acks(self.acks).ok_or_else(|| refused("acks"))?;
        config.enable_idempotence = match self.enable_idempotence {
            KLAMM_IDEMPOTENCE_PREFERRED => Idempotence::Preferred,
            KLAMM_IDEMPOTENCE_REQUIRED => Idempotence::Required,
            KLAMM_IDEMPOTENCE_OFF => Idempotence::Off,
            _ => return Err(refused("enable_idempotence")),
        };
        match self.partitioner {
            KLAMM_PARTITIONER_JAVA => {}
            #[cfg(feature = "full")]
            KLAMM_PARTITIONER_LIBRDKAFKA => {
                config.partitioner = &klamm::partitioner::consistent_random;
            }
            #[cfg(feature = "full")]
            KLAMM_PARTITIONER_ROUND_ROBIN => config.partitioner = &klamm::partitioner::round_robin,
            _ => return Err(refused("partitioner")),
        }
        config.max_in_flight_requests_per_connection = self.max_in_flight_requests_per_connection;
        config.allow_auto_create_topics = self.allow_auto_create_topics != 0;
        config.stop_on_data_loss = self.stop_on_data_loss != 0;
        config.single_address = self.single_address != 0;
        config.batch_records = self.batch_records;
        config.linger_ms = self.linger_ms;
        config.batch_size = self.batch_size;
        config.max_request_size = self.max_request_size;
        config.retries = self.retries;
        config.retry_backoff_ms = self.retry_backoff_ms;
        config.retry_backoff_max_ms = self.retry_backoff_max_ms;
        config.reconnect_backoff_ms = self.reconnect_backoff_ms;
        config.reconnect_backoff_max_ms = self.reconnect_backoff_max_ms;
        config.request_timeout_ms = self.request_timeout_ms;
        config.delivery_timeout_ms = self.delivery_timeout_ms;
        config.socket_connection_setup_timeout_ms = self.socket_connection_setup_timeout_ms;
        config.socket_connection_setup_timeout_max_ms = self.socket_connection_setup_timeout_max_ms;
        config.connections_max_idle_ms = self.connections_max_idle_ms;
        config.metadata_max_age_ms = self.metadata_max_age_ms;
        config.clock_wait_ms = self.clock_wait_ms;
        Ok(config)
    }
}

const fn acks(acks: i8) -> Option<Acks> {
    match acks {
        -1 => Some(Acks::All),
        1 => Some(Acks::Leader),
        #[cfg(feature = "full")]
        0 => Some(Acks::None),
        _ => None,
    }
}

impl klamm_fault {
    pub(crate) const NONE: Self = Self::of("", 0, 0);

    const fn of(option: &'static str, min: u32, max: u32) -> Self {
        Self { option: option.as_ptr().cast(), option_len: option.len(), min, max }
    }
}

impl From<ConfigError> for klamm_fault {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::BootstrapServers => Self::of("bootstrap_servers", 0, 0),
            ConfigError::TextTooLong { option, max } => Self::of(option, 0, u32::from(max)),
            ConfigError::OutOfRange { option, min, max } => Self::of(option, min, max),
            ConfigError::Conflict { option, .. } => Self::of(option, 0, 0),
            ConfigError::StorageTooSmall { what, min } => Self::of(what, min, 0),
            _ => Self::NONE,
        }
    }
}
