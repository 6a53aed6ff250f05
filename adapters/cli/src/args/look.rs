//! Commands that send nothing: `klamm metadata`, `completions`, `man`.

#[derive(Debug, clap::Args)]
pub(crate) struct Metadata {
    /// Brokers to ask, separated by commas: the first that answers; without it, a dev broker of our
    /// own is started
    #[arg(short = 'b', long = "broker", value_name = "HOST:PORT,...")]
    pub(crate) broker: Option<String>,
    /// Show this topic's partitions; without it, all topics
    #[arg(short, long)]
    pub(crate) topic: Option<String>,
    /// Print everything as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell that is to complete
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The page of this command, as perf; without it, klamm's own
    pub(crate) command: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// Brokers to ask, separated by commas: the first that answers; without it, a dev broker of our
    /// own is started
    #[arg(short = 'b', long = "broker", value_name = "HOST:PORT,...")]
    pub(crate) broker: Option<String>,
    /// The topic
    #[arg(short, long)]
    pub(crate) topic: String,
    /// The record's key; without it, a record without a key
    #[arg(short, long)]
    pub(crate) key: Option<String>,
    /// A record for this partition, whatever the key
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,
    /// Set a property by the name that Java's producer or librdkafka knows, as partitioner=crc32
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<String>,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
