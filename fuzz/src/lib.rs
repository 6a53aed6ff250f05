//! What the fuzz targets share: a broker that only knows how to answer, and a harness that drives a producer.

pub mod answer;
pub mod harness;
