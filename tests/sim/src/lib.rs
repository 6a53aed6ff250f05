//! A sans-IO model of a Kafka cluster, and a seeded simulator that runs klamm against it.

pub mod cluster;
#[cfg(feature = "dev-broker")]
pub mod dev_broker;
pub mod dice;
pub mod model;
pub mod replay;
pub mod simulator;
