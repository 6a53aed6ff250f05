//! A model of a Kafka cluster.
