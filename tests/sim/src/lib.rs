//! A sans-IO model of a Kafka cluster, and a seeded simulator that runs klamm against it.

pub mod cluster;
pub mod dice;
pub mod model;
pub mod simulator;
