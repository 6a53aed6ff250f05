//! Options as pairs of numbers: `js/options.ts` has the same ones with names.

use klamm::partitioner::{self, Partitioner};
use klamm::{Acks, Compression, Config, Idempotence, Limits};

/// By number; `js/options.ts` has their names in this order. The plain module has the first two.
#[cfg(not(feature = "codecs"))]
static PARTITIONERS: [&dyn Partitioner; 2] = [&partitioner::java, &partitioner::java_adaptive];
#[cfg(feature = "codecs")]
static PARTITIONERS: [&dyn Partitioner; 14] = [
    &partitioner::java,
    &partitioner::java_adaptive,
    &partitioner::sticky,
    &partitioner::adaptive,
    &partitioner::few_connections,
    &partitioner::murmur2,
    &partitioner::murmur2_random,
    &partitioner::consistent,
    &partitioner::consistent_random,
    &partitioner::crc32,
    &partitioner::fnv1a,
    &partitioner::fnv1a_random,
    &partitioner::random,
    &partitioner::round_robin,
];

/// Codecs that a record may ask for.
#[cfg(feature = "codecs")]
pub(crate) const CODECS: &[Compression] =
    &[Compression::Gzip { level: 6 }, Compression::Snappy, Compression::Lz4 { level: 1 }];

/// The codec with this number in Kafka's attributes. None for what this module has not.
pub(crate) const fn codec(number: u32) -> Option<Compression> {
    let codec = match number {
        0 => Compression::None,
        1 => Compression::Gzip { level: 6 },
        2 => Compression::Snappy,
        3 => Compression::Lz4 { level: 1 },
        _ => return None,
    };
    if codec.is_built_in() { Some(codec) } else { None }
}

/// What a producer begins with.
pub(crate) struct Draft<'c> {
    pub(crate) config: Config<'c>,
    pub(crate) limits: Limits,
    /// Bytes of a snapshot to start from, behind the texts.
    #[cfg(feature = "codecs")]
    pub(crate) snapshot: usize,
}

impl<'c> Draft<'c> {
    pub(crate) fn new(servers: &'c str, client_id: &'c str) -> Self {
        let mut config = Config::new(servers);
        config.client_id = client_id;
        config.crc32c = crate::crc::crc32c;
        config.partitioner = &partitioner::java_adaptive;
        let mut limits = Limits::default();
        limits.buffer_memory = 16 << 20;
        #[cfg(feature = "codecs")]
        {
            limits.codecs = CODECS;
        }
        Self {
            config,
            limits,
            #[cfg(feature = "codecs")]
            snapshot: 0,
        }
    }

    /// Sets an option by its number. False for a number that means nothing, or a value out of the option's type.
    pub(crate) fn set(&mut self, option: u32, value: u32) -> bool {
        let Self { config, limits, .. } = self;
        let narrow = u8::try_from(value);
        let short = u16::try_from(value);
        match (option, narrow, short) {
            (0, ..) => {
                config.acks = match value {
                    #[cfg(feature = "codecs")]
                    0 => Acks::None,
                    1 => Acks::Leader,
                    _ => Acks::All,
                };
            }
            (1, ..) => {
                config.enable_idempotence = match value {
                    0 => Idempotence::Off,
                    1 => Idempotence::Required,
                    _ => Idempotence::Preferred,
                };
            }
            (2, ..) => config.linger_ms = value,
            (3, ..) => config.batch_size = value,
            (4, _, Ok(value)) => config.batch_records = value,
            (5, ..) => config.max_request_size = value,
            (6, Ok(value), _) => config.max_in_flight_requests_per_connection = value,
            (7, ..) => config.retries = value,
            (8, ..) => config.retry_backoff_ms = value,
            (9, ..) => config.retry_backoff_max_ms = value,
            (10, ..) => config.reconnect_backoff_ms = value,
            (11, ..) => config.reconnect_backoff_max_ms = value,
            (12, ..) => config.request_timeout_ms = value,
            (13, ..) => config.delivery_timeout_ms = value,
            (14, ..) => config.socket_connection_setup_timeout_ms = value,
            (15, ..) => config.socket_connection_setup_timeout_max_ms = value,
            (16, ..) => config.connections_max_idle_ms = value,
            (17, ..) => config.metadata_max_age_ms = value,
            (18, ..) => config.allow_auto_create_topics = value != 0,
            (19, ..) => {
                let Some(chosen) = PARTITIONERS.get(value as usize) else { return false };
                config.partitioner = *chosen;
            }
            (20, ..) => config.partitioner_availability_timeout_ms = value,
            (21, ..) => config.single_address = value != 0,
            (22, ..) => config.stop_on_data_loss = value != 0,
            (23, ..) => {
                let Some(chosen) = codec(value) else { return false };
                config.compression_type = chosen;
            }
            (24, ..) => limits.buffer_memory = value,
            (25, _, Ok(value)) => limits.topics = value,
            (26, _, Ok(value)) => limits.partitions = value,
            (27, Ok(value), _) => limits.brokers = value,
            (28, Ok(value), _) => limits.connections = value,
            (29, ..) => config.compress_outside = value != 0,
            #[cfg(feature = "codecs")]
            (30, ..) => config.hold_stamped = value != 0,
            #[cfg(feature = "codecs")]
            (31, ..) => self.snapshot = value as usize,
            _ => return false,
        }
        true
    }
}
