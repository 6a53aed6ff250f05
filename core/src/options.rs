//! What a running producer needs of its configuration.

use crate::config::{Acks, Config, Idempotence};
use crate::partition::partitioner::Partitioner;

/// [`Config`] without what `Producer::new` has done with: see there.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub(crate) struct Options {
    pub(crate) acks: Acks,
    pub(crate) enable_idempotence: Idempotence,
    pub(crate) max_in_flight_requests_per_connection: u8,
    pub(crate) allow_auto_create_topics: bool,
    pub(crate) stop_on_data_loss: bool,
    pub(crate) single_address: bool,
    pub(crate) batch_records: u16,
    pub(crate) linger_ms: u32,
    pub(crate) max_request_size: u32,
    #[cfg(feature = "grow")]
    pub(crate) max_write_bytes: u32,
    pub(crate) retries: u32,
    pub(crate) retry_backoff_ms: u32,
    pub(crate) retry_backoff_max_ms: u32,
    pub(crate) reconnect_backoff_ms: u32,
    pub(crate) reconnect_backoff_max_ms: u32,
    pub(crate) request_timeout_ms: u32,
    pub(crate) delivery_timeout_ms: u32,
    pub(crate) socket_connection_setup_timeout_ms: u32,
    pub(crate) socket_connection_setup_timeout_max_ms: u32,
    pub(crate) connections_max_idle_ms: u32,
    pub(crate) metadata_max_age_ms: u32,
    pub(crate) partitioner: &'static dyn Partitioner,
    pub(crate) partitioner_availability_timeout_ms: u32,
    pub(crate) crc32c: fn(&[u8]) -> u32,
    #[cfg(feature = "compression")]
    pub(crate) compression_type: crate::Compression,
    #[cfg(feature = "compression")]
    pub(crate) compress_outside: bool,
    #[cfg(feature = "snapshot")]
    pub(crate) hold_stamped: bool,
    #[cfg(feature = "policies")]
    pub(crate) policies: crate::Policies,
}

impl Options {
    pub(crate) const fn of(config: &Config<'_>) -> Self {
        Self {
            acks: config.acks,
            enable_idempotence: config.enable_idempotence,
            max_in_flight_requests_per_connection: config.max_in_flight_requests_per_connection,
            allow_auto_create_topics: config.allow_auto_create_topics,
            stop_on_data_loss: config.stop_on_data_loss,
            single_address: config.single_address,
            batch_records: config.batch_records,
            linger_ms: config.linger_ms,
            max_request_size: config.max_request_size,
            #[cfg(feature = "grow")]
            max_write_bytes: config.max_write_bytes,
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
            partitioner: config.partitioner,
            partitioner_availability_timeout_ms: config.partitioner_availability_timeout_ms,
            crc32c: config.crc32c,
            #[cfg(feature = "compression")]
            compression_type: config.compression_type,
            #[cfg(feature = "compression")]
            compress_outside: config.compress_outside,
            #[cfg(feature = "snapshot")]
            hold_stamped: config.hold_stamped,
            #[cfg(feature = "policies")]
            policies: config.policies,
        }
    }
}
