//! Which properties there are, what each may say, and what it sets.

use core::time::Duration;

use klamm::partitioner::{self, Partitioner};
use klamm::{Acks, Compression};

use crate::builder::Options;

/// A property: its name, its other names, what a value looks like, and what it does.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) expected: &'static str,
    pub(crate) set: fn(&mut Draft, &str) -> Option<()>,
}

/// What is collected before it can be checked together.
pub(crate) struct Draft {
    pub(crate) builder: Options,
    pub(crate) idempotence: Option<bool>,
    pub(crate) compression: Compression,
    pub(crate) levels: Levels,
    pub(crate) in_flight: u32,
    /// Named by `partitioner`; else Java's, of which the other two say more.
    pub(crate) partitioner: Option<&'static dyn Partitioner>,
    pub(crate) ignores_keys: bool,
    pub(crate) adaptive: bool,
}

/// By codec; `any` is librdkafka's, for whichever codec it is.
pub(crate) struct Levels {
    pub(crate) any: Option<i32>,
    pub(crate) gzip: u8,
    pub(crate) lz4: u8,
    pub(crate) zstd: i32,
}

impl Draft {
    pub(crate) fn new() -> Self {
        Self {
            builder: Options::new(""),
            idempotence: None,
            compression: Compression::None,
            levels: Levels {
                any: None,
                gzip: DEFAULT_GZIP_LEVEL,
                lz4: DEFAULT_LZ4_LEVEL,
                zstd: DEFAULT_ZSTD_LEVEL,
            },
            in_flight: 5,
            partitioner: None,
            ignores_keys: false,
            adaptive: false,
        }
    }
}

/// Zlib's and Java's.
const DEFAULT_GZIP_LEVEL: u8 = 6;
/// Java's 9 is a name for its fastest encoder.
pub(crate) const DEFAULT_LZ4_LEVEL: u8 = 1;
/// The library's and Java's.
pub(crate) const DEFAULT_ZSTD_LEVEL: i32 = 3;

const MS: &str = "a whole number of milliseconds, 0 to 4294967295";
const POSITIVE_MS: &str = "a whole number of milliseconds, 1 to 4294967295";
const BYTES: &str = "a whole number of bytes, 1 to 4294967295";
pub(crate) const BOOL: &str = "true or false";

/// Adds a property of milliseconds that is a field of `Config`.
macro_rules! ms {
    ($name:literal, $field:ident $(, $alias:literal)*) => {
        Property {
            name: $name,
            aliases: &[$($alias),*],
            expected: MS,
            set: |draft, text| put(&mut draft.builder.config.$field, number(text)),
        }
    };
}

pub(crate) static PROPERTIES: &[Property] = &[
    Property {
        name: "bootstrap.servers",
        aliases: &["metadata.broker.list"],
        expected: "host:port, separated by commas",
        set: |draft, text| put(&mut draft.builder.servers, Some(text.to_owned())),
    },
    Property {
        name: "client.id",
        aliases: &[],
        expected: "a name",
        set: |draft, text| put(&mut draft.builder.client_id, Some(text.to_owned())),
    },
    Property {
        name: "acks",
        aliases: &["request.required.acks"],
        expected: "all, -1, 1 or 0",
        set: |draft, text| {
            let acks = match text {
                "all" | "-1" => Some(Acks::All),
                "1" => Some(Acks::Leader),
                "0" => Some(Acks::None),
                _ => None,
            };
            put(&mut draft.builder.config.acks, acks)
        },
    },
    Property {
        name: "enable.idempotence",
        aliases: &[],
        expected: BOOL,
        set: |draft, text| put(&mut draft.idempotence, text.parse().ok().map(Some)),
    },
    ms!("linger.ms", linger_ms, "queue.buffering.max.ms"),
    Property {
        name: "batch.size",
        aliases: &[],
        expected: BYTES,
        set: |draft, text| put(&mut draft.builder.config.batch_size, positive(text)),
    },
    Property {
        name: "compression.type",
        aliases: &["compression.codec"],
        expected: "none, gzip, snappy, lz4 or zstd (if built in)",
        set: |draft, text| {
            // The level is looked at when all properties are known.
            let codec = match text {
                "none" => Some(Compression::None),
                "gzip" => Some(Compression::Gzip { level: DEFAULT_GZIP_LEVEL }),
                "snappy" => Some(Compression::Snappy),
                "lz4" => Some(Compression::Lz4 { level: DEFAULT_LZ4_LEVEL }),
                "zstd" => Some(Compression::Zstd { level: DEFAULT_ZSTD_LEVEL }),
                _ => None,
            };
            put(&mut draft.compression, codec.filter(|codec| codec.is_built_in()))
        },
    },
    Property {
        name: "compression.gzip.level",
        aliases: &[],
        expected: "1 (fast) to 9 (small), or -1 for the default",
        set: |draft, text| {
            let level = match text {
                "-1" => Some(DEFAULT_GZIP_LEVEL),
                _ => text.parse().ok().filter(|level| (1..=9).contains(level)),
            };
            put(&mut draft.levels.gzip, level)
        },
    },
    Property {
        name: "compression.lz4.level",
        aliases: &[],
        expected: "1 (fast) to 17 (small)",
        set: |draft, text| {
            let level = text.parse().ok().filter(|level| (1..=17).contains(level));
            put(&mut draft.levels.lz4, level)
        },
    },
    Property {
        name: "compression.zstd.level",
        aliases: &[],
        expected: "-131072 (fast) to 22 (small)",
        set: |draft, text| {
            let level = text.parse().ok().filter(|level| (-131_072..=22).contains(level));
            put(&mut draft.levels.zstd, level)
        },
    },
    Property {
        name: "compression.level",
        aliases: &[],
        expected: "-1 for the default, or gzip: 1 to 9, lz4: 1 to 17, zstd: 1 to 22",
        set: |draft, text| {
            let level = match text.parse().ok()? {
                -1 => None,
                level @ 1..=22 => Some(level),
                _ => return None,
            };
            put(&mut draft.levels.any, Some(level))
        },
    },
    Property {
        name: "buffer.memory",
        aliases: &[],
        expected: BYTES,
        set: |draft, text| put(&mut draft.builder.limits.buffer_memory, positive(text)),
    },
    Property {
        name: "queue.buffering.max.kbytes",
        aliases: &[],
        expected: "a whole number of KiB, 1 to 4194303",
        set: |draft, text| {
            let bytes = positive(text).and_then(|kbytes| kbytes.checked_mul(1024));
            put(&mut draft.builder.limits.buffer_memory, bytes)
        },
    },
    Property {
        name: "max.block.ms",
        aliases: &[],
        expected: MS,
        set: |draft, text| {
            let limit = number(text).map(|ms| Duration::from_millis(u64::from(ms)));
            put(&mut draft.builder.max_block, limit)
        },
    },
    Property {
        name: "statistics.interval.ms",
        aliases: &[],
        expected: MS,
        set: |draft, text| {
            let interval = number(text).map(|ms| Duration::from_millis(u64::from(ms)));
            put(&mut draft.builder.instruments.interval, interval)
        },
    },
    Property {
        name: "max.request.size",
        aliases: &["message.max.bytes"],
        expected: BYTES,
        set: |draft, text| {
            draft.builder.bounded = true;
            put(&mut draft.builder.config.max_request_size, positive(text))
        },
    },
    Property {
        name: "max.in.flight.requests.per.connection",
        aliases: &["max.in.flight"],
        expected: "a whole number, 1 to 5",
        set: |draft, text| put(&mut draft.in_flight, positive(text)),
    },
    Property {
        name: "delivery.timeout.ms",
        aliases: &["message.timeout.ms"],
        expected: POSITIVE_MS,
        set: |draft, text| put(&mut draft.builder.config.delivery_timeout_ms, positive(text)),
    },
    ms!("request.timeout.ms", request_timeout_ms),
    Property {
        name: "retries",
        aliases: &["message.send.max.retries"],
        expected: "a whole number, 0 to 4294967295",
        set: |draft, text| {
            // Java's default, 2147483647, says "as often as the delivery timeout allows".
            let unlimited = i32::MAX.unsigned_abs();
            let retries = number(text).map(|n| if n >= unlimited { u32::MAX } else { n });
            put(&mut draft.builder.config.retries, retries)
        },
    },
    ms!("retry.backoff.ms", retry_backoff_ms),
    ms!("retry.backoff.max.ms", retry_backoff_max_ms),
    ms!("reconnect.backoff.ms", reconnect_backoff_ms),
    ms!("reconnect.backoff.max.ms", reconnect_backoff_max_ms),
    ms!("connections.max.idle.ms", connections_max_idle_ms),
    ms!("metadata.max.age.ms", metadata_max_age_ms, "topic.metadata.refresh.interval.ms"),
    ms!("socket.connection.setup.timeout.ms", socket_connection_setup_timeout_ms),
    ms!("socket.connection.setup.timeout.max.ms", socket_connection_setup_timeout_max_ms),
    Property {
        name: "allow.auto.create.topics",
        aliases: &[],
        expected: BOOL,
        set: |draft, text| {
            put(&mut draft.builder.config.allow_auto_create_topics, text.parse().ok())
        },
    },
    Property {
        name: "partitioner",
        aliases: &["partitioner.class"],
        expected: "java, consistent, consistent_random, crc32, murmur2, murmur2_random, fnv1a, \
                   fnv1a_random, random, round_robin, sticky or few_connections",
        set: |draft, text| {
            // Java's classes by their last name.
            let name = text.rsplit('.').next().unwrap_or_default();
            let known = PARTITIONERS.iter().find(|(known, _)| *known == name);
            put(&mut draft.partitioner, known.map(|(_, partitioner)| Some(*partitioner)))
        },
    },
    Property {
        name: IGNORE_KEYS,
        aliases: &[],
        expected: BOOL,
        set: |draft, text| put(&mut draft.ignores_keys, text.parse().ok()),
    },
    Property {
        name: ADAPTIVE,
        aliases: &[],
        expected: BOOL,
        set: |draft, text| put(&mut draft.adaptive, text.parse().ok()),
    },
    ms!("partitioner.availability.timeout.ms", partitioner_availability_timeout_ms),
];

/// What `partitioner` may say.
static PARTITIONERS: &[(&str, &dyn Partitioner)] = &[
    ("java", &partitioner::java),
    ("consistent", &partitioner::consistent),
    ("consistent_random", &partitioner::consistent_random),
    ("crc32", &partitioner::crc32),
    ("murmur2", &partitioner::murmur2),
    ("murmur2_random", &partitioner::murmur2_random),
    ("fnv1a", &partitioner::fnv1a),
    ("fnv1a_random", &partitioner::fnv1a_random),
    ("random", &partitioner::random),
    ("round_robin", &partitioner::round_robin),
    ("RoundRobinPartitioner", &partitioner::round_robin),
    ("sticky", &partitioner::sticky),
    ("UniformStickyPartitioner", &partitioner::sticky),
    ("few_connections", &partitioner::few_connections),
];

pub(crate) const IGNORE_KEYS: &str = "partitioner.ignore.keys";
pub(crate) const ADAPTIVE: &str = "partitioner.adaptive.partitioning.enable";

pub(crate) fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

pub(crate) fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

pub(crate) fn positive(text: &str) -> Option<u32> {
    number(text).filter(|number| *number > 0)
}
