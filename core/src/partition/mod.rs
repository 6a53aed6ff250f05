//! Partitions and how a record finds one.

pub(crate) mod partitioner;
