//! The command line.

mod look;
mod perf;

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::failure::Failure;
pub(crate) use look::{Completions, Explain, Man, Metadata};
pub(crate) use perf::{Payload, Perf};

/// A Kafka producer for tight places, from the shell.
#[derive(Debug, Parser)]
#[command(name = "klamm", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Send lines to a topic, each as a record
    ///
    /// Exit code 0: every record was acknowledged; 1: not so; 2: the command line is wrong.
    /// Ctrl-C stops reading, sends what was read, and reports; a second one gives up the rest.
    Produce(Produce),
    /// Measure: records a second, latency, processor time, memory
    ///
    /// Sends records that it makes up, and says what that took. MB are millions of bytes of values;
    /// latency ends when the producer reports the batch; processor time is that of the whole process
    /// from the first record to the last acknowledgment. Exit code as of produce.
    Perf(Perf),
    /// Show brokers, topics, partitions, leaders, replicas
    Metadata(Metadata),
    /// Say where a record would go, why, and what would hold it back now
    Explain(Explain),
    /// Run a broker for development: any Kafka producer writes to it, kcat reads it back
    DevBroker(DevBroker),
    /// Print what makes a shell complete klamm's command line
    ///
    /// As in: klamm completions bash > ~/.klamm-completions
    Completions(Completions),
    /// Print the manual page, as in: klamm man > klamm.1
    Man(Man),
}

/// What every command that sends records understands.
#[derive(Debug, clap::Args)]
pub(crate) struct Producing {
    /// Brokers to ask first, separated by commas; without it, a dev broker of our own is started
    #[arg(short = 'b', long = "broker", value_name = "HOST:PORT,...")]
    pub(crate) broker: Option<String>,
    /// Compress: none, gzip, snappy, lz4 or zstd (the same as -X compression.type=CODEC)
    #[arg(short = 'z', long, value_name = "CODEC")]
    pub(crate) compression: Option<String>,
    /// Set a property by the name that Java's producer or librdkafka knows, as linger.ms=20
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Produce {
    #[command(flatten)]
    pub(crate) producing: Producing,
    /// The topic
    #[arg(short, long)]
    pub(crate) topic: String,
    /// Split a line at the first DELIM into key and value; a line without it has no key
    #[arg(short = 'K', long = "key-delimiter", value_name = "DELIM", value_parser = delimiter)]
    pub(crate) delimiter: Option<Bytes>,
    /// Send to this partition, whatever the key
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,
    /// Add a header to every record; without '=' its value is null
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub(crate) headers: Vec<String>,
    /// Give every record this key
    #[arg(short, long, conflicts_with = "delimiter")]
    pub(crate) key: Option<String>,
    /// Send empty values and empty keys as null
    #[arg(short = 'Z', long = "null")]
    pub(crate) null: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Files with one record a line; standard input without any, or for '-'
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DevBroker {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    pub(crate) listen: SocketAddr,
    /// Create a topic; others are created when first asked for, with 6 partitions
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    pub(crate) topics: Vec<(String, i32)>,
    /// Keep the records here; without it, in memory
    #[arg(long, value_name = "PATH")]
    pub(crate) dir: Option<PathBuf>,
}

/// Bytes from the command line. (`Vec` would tell clap that the option may be repeated.)
#[derive(Clone, Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// Reads the command line. Help and version are printed here, which ends the process.
pub(crate) fn parse() -> Result<Command, Failure> {
    match Args::try_parse() {
        Ok(args) => Ok(args.command),
        Err(error) if error.use_stderr() => Err(Failure::Usage(one_line(&error.to_string()))),
        Err(help) => help.exit(),
    }
}

/// Clap's message without its hints: everything up to the first empty line, in one.
fn one_line(message: &str) -> String {
    let text = message.strip_prefix("error: ").unwrap_or(message);
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join(" ");
    // Without a subcommand, clap's message is the help itself.
    match text.starts_with("A Kafka producer") {
        true => "say what to do, as klamm produce or klamm dev-broker (see klamm --help)".into(),
        false => format!("{text} (see klamm --help)"),
    }
}

fn delimiter(text: &str) -> Result<Bytes, String> {
    // A tab is hard to type; no other escape has been missed in kcat.
    match text {
        "" => Err("a delimiter has at least one character".into()),
        _ => Ok(Bytes(text.replace("\\t", "\t").into_bytes())),
    }
}

fn topic(text: &str) -> Result<(String, i32), String> {
    let parsed = text.rsplit_once(':').and_then(|(name, partitions)| {
        Some((name.to_owned(), partitions.parse().ok().filter(|count| *count > 0)?))
    });
    parsed.ok_or_else(|| "expected NAME:PARTITIONS, as readings:6".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_usage_error_takes_one_line() {
        let error = Args::try_parse_from(["klamm", "produce"]).expect_err("-t is missing");
        let line = one_line(&error.to_string());
        assert!(!line.contains('\n'), "{line}");
        assert!(line.contains("--topic"), "{line}");
    }

    #[test]
    fn topics_have_partitions() {
        assert_eq!(topic("readings:6"), Ok(("readings".into(), 6)));
        assert!(topic("readings").is_err());
        assert!(topic("readings:0").is_err());
    }
}
