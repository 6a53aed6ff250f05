//! A model of a Kafka cluster, and a seeded simulator.

pub mod model;
