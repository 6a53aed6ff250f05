//! A model of a Kafka cluster, without I/O and without a clock.

pub mod cluster;
#[cfg(feature = "dev-broker")]
pub mod dev_broker;
