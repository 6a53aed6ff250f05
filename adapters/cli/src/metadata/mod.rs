//! `klamm metadata`: what brokers say of the cluster and its topics.

pub(crate) mod ask;
mod show;

use crate::args;
use crate::connect;
use crate::failure::Failure;
use crate::output::print;
use ask::{Cluster, Topic};

pub(crate) fn run(args: args::Metadata) -> Result<(), Failure> {
    let servers = args.broker.as_deref().map(ask::servers).transpose()?;
    // Nobody's topics but the one that is asked for: the broker is new.
    let topic = args.topic.as_deref().unwrap_or("readings");
    let (named, own) = connect::servers(args.broker, topic)?;
    let servers = match servers {
        Some(servers) => servers,
        None => ask::servers(&named)?,
    };
    let cluster = ask::ask(&servers, args.topic.as_deref())?;
    if let Some(topic) = &args.topic {
        check(&cluster, topic)?;
    }
    let text = match (args.json, args.topic) {
        (true, _) => show::json(&cluster),
        (false, Some(_)) => show::partitions(&cluster),
        (false, None) => show::topics(&cluster),
    };
    drop(own);
    print(&text)
}

/// A topic that was asked for by its name: that the brokers do not tell about it is a failure.
pub(crate) fn check<'c>(cluster: &'c Cluster, topic: &str) -> Result<&'c Topic, Failure> {
    let found = cluster.topics.iter().find(|known| known.name == topic);
    match found.map(|known| (known, &known.error)) {
        Some((known, None)) => Ok(known),
        Some((_, Some(error))) => Err(Failure::Run(format!("topic {topic}: {error}"))),
        None => Err(Failure::Run(format!("topic {topic}: the broker did not mention it"))),
    }
}
