//! From the command line to a producer: properties, and the broker that they name or one of our
//! own.

use klamm_sim::dev_broker::DevBroker;
use klamm_std::Builder;

use crate::args::Producing;
use crate::broker;
use crate::failure::Failure;

/// Where records go.
pub(crate) struct Target {
    /// With the servers set.
    pub(crate) builder: Builder,
    /// What is asked first: `host:port`, separated by commas.
    pub(crate) servers: String,
    /// The broker that was started, if none was named. It ends when this is dropped.
    pub(crate) own: Option<DevBroker>,
}

impl Target {
    pub(crate) fn new(args: &Producing, topic: &str) -> Result<Self, Failure> {
        let mut properties = properties(args)?;
        let named = named_servers(&properties).map(str::to_owned);
        if named.is_none() {
            properties.push(("bootstrap.servers".into(), "to be known soon".into()));
        }
        let builder = Builder::from_properties(properties).map_err(usage)?;
        // Not before the command line is known to be right.
        let (servers, own) = servers(named, topic)?;
        Ok(Self { builder: builder.servers(&servers), servers, own })
    }
}

/// The servers named, or those of a dev broker that is started now.
pub(crate) fn servers(
    named: Option<String>,
    topic: &str,
) -> Result<(String, Option<DevBroker>), Failure> {
    match named {
        Some(named) => Ok((named, None)),
        None => {
            let own = broker::start_own(topic)?;
            Ok((own.address().to_string(), Some(own)))
        }
    }
}

/// The properties that the command line amounts to.
fn properties(args: &Producing) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::Usage(format!("-X {text}: expected NAME=VALUE, as linger.ms=20"))),
    };
    let mut properties = args.properties.iter().map(split).collect::<Result<Vec<_>, _>>()?;
    let named = [("bootstrap.servers", &args.broker), ("compression.type", &args.compression)];
    for (name, value) in named {
        properties.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    Ok(properties)
}

fn named_servers(properties: &[(String, String)]) -> Option<&str> {
    let named = |(name, _): &&(String, String)| {
        matches!(name.as_str(), "bootstrap.servers" | "metadata.broker.list")
    };
    properties.iter().find(named).map(|(_, servers)| servers.as_str())
}

/// Is there such a partition? If not, a line that says which there are.
pub(crate) fn check_partition(topic: &str, partition: i32, count: i32) -> Result<(), String> {
    if partition < count {
        return Ok(());
    }
    let has = match count {
        1 => "1 partition, 0".into(),
        _ => format!("{count} partitions, 0 to {}", count - 1),
    };
    Err(format!("topic {topic} has no partition {partition}: it has {has}"))
}

pub(crate) fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}
