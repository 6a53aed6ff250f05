//! The cluster, the producer and the network of the playground: slow enough to be looked at.

use klamm::Idempotence;
use klamm_sim::simulator::Setup;

/// The one topic.
pub(crate) const TOPIC: &str = "readings";
/// Its partitions.
pub(crate) const PARTITIONS: i32 = 3;
/// Brokers, with ids from 1 on.
pub(crate) const NODES: i32 = 3;
/// Bytes of a batch: some four records.
pub(crate) const BATCH_SIZE: u32 = 512;
/// Bytes for all of them.
pub(crate) const MEMORY: u32 = 48 << 10;

/// Everything that is random follows from `seed`. Without idempotence brokers cannot tell what is sent again.
pub(crate) fn setup(seed: u64, idempotent: bool) -> Setup {
    let mut setup = Setup::quiet(NODES).with_topic(TOPIC, PARTITIONS, 3);
    (setup.seed, setup.cluster.seed, setup.start) = (seed, seed, 0);

    let config = &mut setup.config;
    if !idempotent {
        config.enable_idempotence = Idempotence::Off;
    }
    config.linger_ms = 300;
    config.batch_size = BATCH_SIZE;
    config.max_request_size = 4_096;
    config.request_timeout_ms = 2_500;
    config.delivery_timeout_ms = 60_000;
    config.retry_backoff_ms = 250;
    config.retry_backoff_max_ms = 1_500;
    config.reconnect_backoff_ms = 200;
    config.reconnect_backoff_max_ms = 1_000;
    config.socket_connection_setup_timeout_ms = 1_500;
    config.socket_connection_setup_timeout_max_ms = 3_000;

    setup.limits.batch_size = BATCH_SIZE;
    setup.limits.max_request_size = 4_096;
    setup.limits.buffer_memory = MEMORY;
    setup.limits.partitions = 8;

    // Requests that were under way when their connection died arrive all the same, later: what
    // sequence numbers are for.
    setup.network.latency = 110_000;
    setup.network.jitter = 50_000;
    setup.network.late_requests = 500;
    setup.network.late_by = 3_000_000;
    setup
}
