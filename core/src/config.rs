//! Every option: its name (Java's property with `_` for `.`), unit, default. Checked once, in `Producer::new`.

use crate::error::ConfigError;
use crate::partition::partitioner::{self, Partitioner};

/// May producers be without idempotence? Firmware that always has it leaves that code out.
pub(crate) const RELAXED: bool = cfg!(any(feature = "relaxed", test));

/// How many replicas must have a batch before it counts as delivered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Acks {
    /// All in-sync replicas (-1). Needed for idempotence.
    #[default]
    All,
    /// The leader alone (1). Cargo feature `relaxed`.
    Leader,
    /// Nobody (0): delivered means written to the socket, with no offset. Cargo feature `acks-0`.
    #[cfg(feature = "acks-0")]
    None,
}

/// Exactly once and in order by producer id and sequence numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Idempotence {
    /// On, if `acks` is `All`; where the broker offers no `InitProducerId`, go on without, one batch in flight per
    /// partition. Without the Cargo feature `relaxed` the same as `Required`.
    #[default]
    Preferred,
    /// On; where the broker offers no `InitProducerId`, nothing is sent and records time out.
    Required,
    /// Off: a retry may duplicate a record. Order is kept by one batch in flight per partition. Cargo feature
    /// `relaxed`.
    Off,
}

/// The codec of batches. Each needs its Cargo feature.
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// As they are.
    #[default]
    None,
    /// Gzip; Java's default level is 6. Cargo feature `gzip`, or `gzip-tight` without an allocator.
    Gzip {
        /// 1 (fast) to 9 (small).
        level: u8,
    },
    /// Snappy. Cargo feature `snappy`.
    Snappy,
    /// LZ4. Cargo feature `lz4`.
    Lz4 {
        /// 1 (fast) to 17 (small); from 9 on all are the same.
        level: u8,
    },
    /// Zstandard; Java's default level is 3. Cargo feature `zstd`. Needs Kafka 2.1: to an older broker batches go out as
    /// they are (and one that was sent to a newer leader before is rejected there, error 76).
    Zstd {
        /// -131,072 (fast) to 22 (small); 0 is 3.
        level: i32,
    },
}

impl Compression {
    /// As in the attributes of a batch.
    #[cfg(feature = "compression")]
    pub(crate) const fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Gzip { .. } => 1,
            Self::Snappy => 2,
            Self::Lz4 { .. } => 3,
            Self::Zstd { .. } => 4,
        }
    }

    /// With the default level.
    #[cfg(all(feature = "compression", feature = "snapshot"))]
    pub(crate) const fn of_id(id: u8) -> Self {
        match id {
            1 => Self::Gzip { level: 6 },
            2 => Self::Snappy,
            3 => Self::Lz4 { level: 1 },
            4 => Self::Zstd { level: 3 },
            _ => Self::None,
        }
    }

    /// Is its Cargo feature on?
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip { .. } => cfg!(any(feature = "gzip", feature = "gzip-tight")),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 { .. } => cfg!(feature = "lz4"),
            Self::Zstd { .. } => cfg!(feature = "zstd"),
        }
    }

    /// Is the level in its range?
    pub(crate) const fn check(self) -> Result<(), ConfigError> {
        let (legal, option, min, max) = match self {
            Self::None | Self::Snappy => return Ok(()),
            Self::Gzip { level } => {
                (1 <= level && level <= 9, "compression_type: gzip level", 1, 9)
            }
            Self::Lz4 { level } => {
                (1 <= level && level <= 17, "compression_type: lz4 level", 1, 17)
            }
            // As much of the range as can be said: what is below 0 is legal too.
            Self::Zstd { level } => {
                (-131_072 <= level && level <= 22, "compression_type: zstd level", 0, 22)
            }
        };
        if legal { Ok(()) } else { Err(ConfigError::OutOfRange { option, min, max }) }
    }
}

/// Options of a producer. The texts are copied by `Producer::new`; nothing of it needs to live longer.
///
/// ```
/// let mut config = klamm::Config::new("localhost:9092");
/// config.linger_ms = 20;
/// config.client_id = "greenhouse-3";
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Config<'c> {
    /// Where to ask for the cluster first: `host:port`, separated by commas; `[::1]:9092` for IPv6.
    pub bootstrap_servers: &'c str,
    /// The name that brokers log and apply quotas to. Default `klamm`.
    pub client_id: &'c str,
    /// Default `All`.
    pub acks: Acks,
    /// Default `Preferred`.
    pub enable_idempotence: Idempotence,
    /// Default `None`.
    pub compression_type: Compression,
    /// Batches are compressed by the adapter (`Producer::take_uncompressed`), so
    /// that it may take its time or do so outside of a lock. Cargo feature `compression`. Default false: within
    /// `transmit_with`.
    pub compress_outside: bool,
    /// How long an open batch waits for more records; `u32::MAX`: until it is full or flushed. Default 5 ms.
    pub linger_ms: u32,
    /// Bytes at which a batch is full, with its header of 61, before compression. Default 16,384 (on hosts 1,048,576);
    /// never more than a chunk of the storage holds, or, on a heap, a quarter of it. A larger record makes a batch of
    /// its own.
    pub batch_size: u32,
    /// Records at which a batch is full, 1 to 65,535. Default 65,535.
    pub batch_records: u16,
    /// The largest batch and the largest request, in bytes. Default 1,048,576.
    pub max_request_size: u32,
    /// The largest request of several batches, in bytes, where that is more than `max_request_size`: a broker works on one
    /// request of a connection at a time, and gets more through with larger ones. Default 0; hosts make that 4,194,304
    /// where nothing bounds requests: a `max_request_size` other than its default, a property of that name, a profile.
    /// Of use with the Cargo feature `grow`.
    pub max_write_bytes: u32,
    /// Requests in flight to a broker, 1 to 5. Default 5.
    pub max_in_flight_requests_per_connection: u8,
    /// How often a batch is sent again after an error. Default `u32::MAX`: `delivery_timeout_ms` is the bound. A
    /// batch that may be in the log is retried until then in any case.
    pub retries: u32,
    /// Backoff before the first retry, then doubled up to the maximum. Default 100 ms.
    pub retry_backoff_ms: u32,
    /// Default 1,000 ms.
    pub retry_backoff_max_ms: u32,
    /// Backoff before a broker is dialed again, then doubled up to the maximum. Default 50 ms.
    pub reconnect_backoff_ms: u32,
    /// Default 1,000 ms.
    pub reconnect_backoff_max_ms: u32,
    /// From a request's start to its answer; longer closes the connection. With the Cargo feature `grow` the time that
    /// the link takes for its bytes does not count, up to a second for each 32 KiB. It is also how long the broker may
    /// wait for replication. Default 30,000 ms.
    pub request_timeout_ms: u32,
    /// From a batch's first record to its outcome. At least `linger_ms` + `request_timeout_ms`; `u32::MAX`: for ever.
    /// Default 120,000 ms. After a jump in time (no call for longer than `request_timeout_ms`, and past a deadline: a
    /// device has slept) a batch that had less than `request_timeout_ms` before gets that once more.
    pub delivery_timeout_ms: u32,
    /// From dialing to an open connection, doubled on failures up to the maximum (KIP-601). Default 10,000 ms.
    pub socket_connection_setup_timeout_ms: u32,
    /// Default 30,000 ms.
    pub socket_connection_setup_timeout_max_ms: u32,
    /// An idle connection is closed after this. Default 540,000 ms.
    pub connections_max_idle_ms: u32,
    /// Metadata is asked for again after this. Default 300,000 ms.
    pub metadata_max_age_ms: u32,
    /// May asking for a topic create it? Default true, as Java's producer.
    pub allow_auto_create_topics: bool,
    /// How long records without a timestamp wait for [`Producer::set_clock`](crate::Producer::set_clock), from the start
    /// of the producer on. Then they go out with the time since [`Instant::ZERO`](crate::Instant::ZERO) as if that were
    /// 1970, which is of use on topics with `LogAppendTime` only: others delete what is that old. Default `u32::MAX`:
    /// until the clock is set, or the delivery timeout.
    pub clock_wait_ms: u32,
    /// Stop (no further record is accepted) when a broker lost data or state. Default false: report and go on.
    pub stop_on_data_loss: bool,
    /// Options of batching, of the queue and of retries.
    #[cfg(feature = "policies")]
    pub policies: crate::Policies,
    /// Sequence and epoch that every partition begins with: for tests of the wrap.
    #[doc(hidden)]
    pub start_sequence: i32,
    #[doc(hidden)]
    pub start_epoch: i16,
    /// Chooses partitions. Default [`partitioner::java`].
    pub partitioner: &'static dyn Partitioner,
    /// An adaptive partitioner leaves out leaders that have taken nothing for so long (KIP-794). Default 0: none.
    pub partitioner_availability_timeout_ms: u32,
    /// All leaders are reached through the bootstrap servers, whatever address metadata names: for proxies that know
    /// the way to each leader, or networks that show one address. One connection then serves them all. Default false;
    /// without the Cargo feature `cluster` always so.
    pub single_address: bool,
    /// Batches that got a producer id, epoch and sequence wait for `Producer::release_batch` before their first byte is
    /// sent. Default false.
    #[cfg(feature = "snapshot")]
    pub hold_stamped: bool,
    /// CRC-32C of a slice; hosts hand in a hardware one. Default: klamm's own, by table.
    pub crc32c: fn(&[u8]) -> u32,
}

impl<'c> Config<'c> {
    /// All defaults.
    pub const fn new(bootstrap_servers: &'c str) -> Self {
        Self {
            bootstrap_servers,
            client_id: "klamm",
            acks: Acks::All,
            enable_idempotence: Idempotence::Preferred,
            compression_type: Compression::None,
            compress_outside: false,
            linger_ms: 5,
            batch_size: 16_384,
            batch_records: u16::MAX,
            max_request_size: 1_048_576,
            max_write_bytes: 0,
            max_in_flight_requests_per_connection: 5,
            retries: u32::MAX,
            retry_backoff_ms: 100,
            retry_backoff_max_ms: 1_000,
            reconnect_backoff_ms: 50,
            reconnect_backoff_max_ms: 1_000,
            request_timeout_ms: 30_000,
            delivery_timeout_ms: 120_000,
            socket_connection_setup_timeout_ms: 10_000,
            socket_connection_setup_timeout_max_ms: 30_000,
            connections_max_idle_ms: 540_000,
            metadata_max_age_ms: 300_000,
            allow_auto_create_topics: true,
            clock_wait_ms: u32::MAX,
            stop_on_data_loss: false,
            #[cfg(feature = "policies")]
            policies: crate::Policies::new(),
            start_sequence: 0,
            start_epoch: 0,
            partitioner: &partitioner::java,
            partitioner_availability_timeout_ms: 0,
            single_address: false,
            #[cfg(feature = "snapshot")]
            hold_stamped: false,
            crc32c: crate::wire::crc::crc32c,
        }
    }

    /// Options out of their range, and options that contradict each other.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let range = |option, value: u32, min, max| {
            if (min..=max).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::OutOfRange { option, min, max })
            }
        };
        let in_flight = u32::from(self.max_in_flight_requests_per_connection);
        range("max_in_flight_requests_per_connection", in_flight, 1, 5)?;
        range("batch_records", u32::from(self.batch_records), 1, 65_535)?;
        range("max_request_size", self.max_request_size, 128, 1 << 30)?;
        range("max_write_bytes", self.max_write_bytes, 0, 1 << 30)?;
        range("request_timeout_ms", self.request_timeout_ms, 1, i32::MAX.cast_unsigned())?;
        range("delivery_timeout_ms", self.delivery_timeout_ms, 1, u32::MAX)?;
        range("connections_max_idle_ms", self.connections_max_idle_ms, 1, u32::MAX)?;
        range("metadata_max_age_ms", self.metadata_max_age_ms, 1, u32::MAX)?;
        #[cfg(feature = "policies")]
        self.policies.check()?;
        if !self.compression_type.is_built_in() {
            return Err(ConfigError::CodecMissing);
        }
        self.compression_type.check()?;
        if !RELAXED && (self.enable_idempotence == Idempotence::Off || self.acks != Acks::All) {
            return Err(ConfigError::Conflict {
                option: "acks, enable_idempotence",
                with: "a build without the Cargo feature `relaxed`",
            });
        }
        if self.enable_idempotence == Idempotence::Required && self.acks != Acks::All {
            return Err(ConfigError::Conflict { option: "enable_idempotence", with: "acks" });
        }
        if self.enable_idempotence == Idempotence::Required && self.retries == 0 {
            return Err(ConfigError::Conflict {
                option: "enable_idempotence",
                with: "retries = 0",
            });
        }
        if self.delivery_timeout_ms < self.linger_ms.saturating_add(self.request_timeout_ms) {
            return Err(ConfigError::Conflict {
                option: "delivery_timeout_ms",
                with: "linger_ms + request_timeout_ms",
            });
        }
        Ok(())
    }
}
