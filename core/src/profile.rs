//! The defaults of other producers, next to each other.

use crate::config::{Acks, Config, Idempotence};
use crate::limits::Limits;
use crate::partition::partitioner;
use crate::policy::Policies;

/// The defaults of another producer, for those who come from there: the same behaviour under klamm's names.
///
/// | | [`pykafka`](Self::pykafka) | [`kiel`](Self::kiel) | [`aiokafka`](Self::aiokafka) | [`ruby_kafka`](Self::ruby_kafka) | [`confluent`](Self::confluent) | klamm |
/// |---|---|---|---|---|---|---|
/// | `acks` | 1 | all | 1 | all | all | all |
/// | `enable_idempotence` | off | off | off | off | preferred | preferred |
/// | `partitioner` | random | random | murmur2, random without a key | crc32 | murmur2, sticky without a key | murmur2, sticky without a key |
/// | `max_in_flight_requests_per_connection` | 1 | 1 | 1 | 1 | 5 | 5 |
/// | `linger_ms` | 5,000 | until flushed | 0 | until flushed | 5 | 5 |
/// | `batch_size` | 65,536 | 65,536 | 16,384 | 65,536 | 1,000,000 | 16,384 |
/// | `batch_records` | 65,535 | 65,535 | 65,535 | 65,535 | 10,000 | 65,535 |
/// | `hold_full_batches` | yes | yes | no | yes | no | no |
/// | `send_at_records` | 70,000 | 1 | - | - | - | - |
/// | `delivery_interval_ms` | - | - | - | - | - | - |
/// | `queue_records_max` | - | - | - | 1,000 | 100,000 | - |
/// | `broker_queue_records_max` | 100,000 | - | - | - | - | - |
/// | `max_request_size` | 1,000,012 | 1,048,576 | 1,048,576 | 1,048,576 | 1,000,000 | 1,048,576 |
/// | `buffer_memory` | 32 MiB | 32 MiB | 32 MiB | 10,000,000 | 1 GiB | 32 MiB |
/// | `retries` | 2 | for ever | for ever | for ever | for ever | for ever |
/// | `retry_backoff_ms` to `_max_ms` | 100 to 100 | 100 to 1,000 | 100 to 100 | 1,000 to 1,000 | 100 to 1,000 | 100 to 1,000 |
/// | `final_errors` | none | none | 19, 20 | none | none | none |
/// | `ack_timeout_ms` | 10,000 | 500 | 40,000 | 5,000 | 30,000 | 30,000 |
/// | `request_timeout_ms` | 30,000 | 30,000 | 40,000 | 30,000 | 30,000 | 30,000 |
/// | `delivery_timeout_ms` | 120,000 | for ever | 40,000 | for ever | 300,000 | 120,000 |
/// | a full queue | blocks | - | blocks | is an error | is an error | blocks for 60 s |
///
/// Where an original is bounded by something that klamm counts otherwise:
///
/// - pykafka counts `min_queued_messages` (`send_at_records`) per broker, klamm in all. Its `max_retries` = 3 is a number
///   of attempts.
/// - ruby-kafka's worker retries deliveries for ever without a pause, and each of them backs off for a second.
/// - aiokafka's one `request_timeout_ms` is both klamm's timeout of a request and that of the delivery. It has no bound on
///   memory, nor on the wait for it: klamm's are added.
/// - confluent stands for what its guide says: librdkafka's own default is without idempotence, and crc32
///   ([`partitioner::consistent_random`]).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// Its options; `bootstrap_servers` is empty.
    pub config: Config<'static>,
    /// Its bounds.
    pub limits: Limits,
    /// How long an adapter that can wait waits for room, in milliseconds; `u32::MAX` for ever.
    pub max_block_ms: u32,
}

impl Profile {
    /// klamm's own defaults.
    pub const fn klamm() -> Self {
        Self { config: Config::new(""), limits: Limits::new(), max_block_ms: 60_000 }
    }

    /// pykafka's `Producer`.
    pub const fn pykafka() -> Self {
        let mut profile = Self::one_at_a_time(&partitioner::random);
        let config = &mut profile.config;
        config.acks = Acks::Leader;
        config.linger_ms = 5_000;
        config.max_request_size = 1_000_012;
        config.retries = 2;
        config.retry_backoff_max_ms = 100;
        let policies = &mut config.policies;
        policies.hold_full_batches = true;
        policies.send_at_records = 70_000;
        policies.broker_queue_records_max = 100_000;
        policies.ack_timeout_ms = 10_000;
        profile.max_block_ms = u32::MAX;
        profile.sized(65_536)
    }

    /// kiel's `Producer`.
    pub const fn kiel() -> Self {
        let mut profile = Self::one_at_a_time(&partitioner::random).by_hand();
        let policies = &mut profile.config.policies;
        policies.send_at_records = 1;
        policies.ack_timeout_ms = 500;
        profile.sized(65_536)
    }

    /// aiokafka's `AIOKafkaProducer`.
    pub const fn aiokafka() -> Self {
        let mut profile = Self::one_at_a_time(&partitioner::murmur2_random);
        let config = &mut profile.config;
        config.acks = Acks::Leader;
        config.linger_ms = 0;
        config.request_timeout_ms = 40_000;
        config.delivery_timeout_ms = 40_000;
        config.retry_backoff_max_ms = 100;
        config.policies.final_errors = Policies::NOT_ENOUGH_REPLICAS;
        profile.max_block_ms = u32::MAX;
        profile.sized(16_384)
    }

    /// ruby-kafka's `AsyncProducer`.
    pub const fn ruby_kafka() -> Self {
        let mut profile = Self::one_at_a_time(&partitioner::crc32).by_hand();
        let config = &mut profile.config;
        config.retry_backoff_ms = 1_000;
        config.policies.queue_records_max = 1_000;
        config.policies.ack_timeout_ms = 5_000;
        profile.limits.buffer_memory = 10_000_000;
        profile.max_block_ms = 0;
        profile.sized(65_536)
    }

    /// confluent-kafka's `Producer`.
    pub const fn confluent() -> Self {
        let mut profile = Self::klamm();
        let config = &mut profile.config;
        config.max_request_size = 1_000_000;
        config.batch_records = 10_000;
        config.delivery_timeout_ms = 300_000;
        config.reconnect_backoff_ms = 100;
        config.reconnect_backoff_max_ms = 10_000;
        config.socket_connection_setup_timeout_ms = 30_000;
        config.connections_max_idle_ms = u32::MAX;
        config.policies.queue_records_max = 100_000;
        profile.limits.buffer_memory = 1 << 30;
        profile.max_block_ms = 0;
        profile.sized(1_000_000)
    }

    /// Those before idempotence.
    const fn one_at_a_time(partitioner: &'static dyn partitioner::Partitioner) -> Self {
        let mut profile = Self::klamm();
        profile.config.enable_idempotence = Idempotence::Off;
        profile.config.max_in_flight_requests_per_connection = 1;
        profile.config.partitioner = partitioner;
        profile
    }

    /// Nothing goes by itself.
    const fn by_hand(mut self) -> Self {
        self.config.linger_ms = u32::MAX;
        self.config.delivery_timeout_ms = u32::MAX;
        self.config.policies.hold_full_batches = true;
        self
    }

    const fn sized(mut self, batch_size: u32) -> Self {
        self.config.batch_size = batch_size;
        self.limits.batch_size = batch_size;
        self.limits.max_request_size = self.config.max_request_size;
        self
    }
}
