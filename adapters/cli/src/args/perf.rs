//! `klamm perf`.

use super::Producing;

#[derive(Debug, clap::Args)]
pub(crate) struct Perf {
    #[command(flatten)]
    pub(crate) producing: Producing,
    /// The topic
    #[arg(short, long)]
    pub(crate) topic: String,
    /// How many records to send
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) records: u64,
    /// Bytes of a record's value
    #[arg(short, long, value_name = "BYTES", default_value_t = 100)]
    pub(crate) size: u32,
    /// Give each record one of K keys of 8 bytes; without it, none has a key
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) keys: Option<u32>,
    /// Records a second; without it, as many as the producer takes
    ///
    /// With a rate, a record's latency counts from the moment at which it was due, not from when
    /// its turn came: what waits behind a stall is part of the stall.
    #[arg(short, long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) rate: Option<u64>,
    /// Threads that send: they share the records and the rate
    #[arg(long, value_name = "T", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: u64,
    /// Records to send, and have acknowledged, before the measurement begins
    ///
    /// Without them, connecting is part of what is measured.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) warmup: u64,
    /// What the values are made of
    #[arg(long, value_enum, value_name = "KIND", default_value_t = Payload::Letters)]
    pub(crate) payload: Payload,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is in a value. The same values come in every run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Payload {
    /// Random capital letters, as Java's perf tool sends: they compress to about 60 %
    Letters,
    /// Random bytes, which do not compress
    Random,
    /// Readings as JSON, which compress as real records do
    Json,
}
