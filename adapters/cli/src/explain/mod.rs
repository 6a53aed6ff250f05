//! `klamm explain`: where a record goes, why, and what would hold it back now. Nothing is sent.

mod choice;
mod show;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::args;
use crate::args::Producing;
use crate::connect::{Target, check_partition};
use crate::failure::Failure;
use crate::metadata::ask::{self, Broker, Cluster, Partition, Topic};
use crate::metadata::check;
use crate::output::print;
use choice::{Choice, Hash};

/// Partitions that a line names.
const NAMED: usize = 10;

pub(crate) fn run(args: args::Explain) -> Result<(), Failure> {
    let producing =
        Producing { broker: args.broker, compression: None, properties: args.properties };
    let Target { builder, servers, own } = Target::new(&producing, &args.topic)?;
    let cluster = ask::ask(&ask::servers(&servers)?, Some(&args.topic))?;
    let topic = check(&cluster, &args.topic)?;
    // A topic has far fewer partitions than fit.
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let choice = match args.partition {
        Some(partition) => {
            check_partition(&args.topic, partition, count).map_err(Failure::Run)?;
            Choice::named(partition)
        }
        None => {
            let key = args.key.as_deref().map(str::as_bytes);
            Choice::new(builder.config().partitioner, key, count)
        }
    };
    let answer = Answer::new(&cluster, topic, args.key.as_deref(), count, choice);
    drop(own);
    print(&if args.json { show::json(&answer) } else { show::text(&answer) })
}

/// Everything that is shown.
#[derive(Serialize)]
struct Answer<'a> {
    topic: &'a str,
    key: Option<&'a str>,
    /// How many there are.
    partitions: i32,
    /// `None`: any of them.
    partition: Option<i32>,
    partitioner: Option<&'static str>,
    hash: Option<Hash>,
    why: String,
    leader: Option<&'a Broker>,
    replicas: Option<&'a [i32]>,
    in_sync: Option<&'a [i32]>,
    held_back: Vec<String>,
}

impl<'a> Answer<'a> {
    fn new(
        cluster: &'a Cluster,
        topic: &'a Topic,
        key: Option<&'a str>,
        partitions: i32,
        choice: Choice,
    ) -> Self {
        let Choice { partition, partitioner, hash, why } = choice;
        let one = topic.partitions.iter().find(|known| Some(known.partition) == partition);
        let leader = one.and_then(|one| leader(cluster, one));
        Self {
            topic: &topic.name,
            key,
            partitions,
            partition,
            partitioner,
            hash,
            why,
            leader,
            replicas: one.map(|one| &one.replicas[..]),
            in_sync: one.map(|one| &one.in_sync[..]),
            held_back: match one {
                Some(one) => held_back(cluster, &[one]),
                None => held_back(cluster, &topic.partitions.iter().collect::<Vec<_>>()),
            },
        }
    }
}

fn leader<'a>(cluster: &'a Cluster, partition: &Partition) -> Option<&'a Broker> {
    cluster.brokers.iter().find(|broker| Some(broker.id) == partition.leader)
}

/// What a record for one of these partitions would wait for.
fn held_back(cluster: &Cluster, partitions: &[&Partition]) -> Vec<String> {
    let mut reasons = Vec::new();
    let leaderless: Vec<_> = partitions.iter().filter(|one| one.leader.is_none()).collect();
    if let Some(first) = leaderless.first() {
        let mut numbers: Vec<_> =
            leaderless.iter().take(NAMED).map(|one| one.partition.to_string()).collect();
        if leaderless.len() > NAMED {
            numbers.push("...".into());
        }
        let error = first.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        reasons.push(match &leaderless[..] {
            [one] => format!("partition {} has no leader{error}", one.partition),
            all => {
                format!("{} partitions have no leader: {}{error}", all.len(), numbers.join(", "))
            }
        });
    }
    let led = partitions.iter().filter_map(|one| one.leader);
    for id in led.collect::<BTreeSet<_>>() {
        let Some(broker) = cluster.brokers.iter().find(|broker| broker.id == id) else {
            reasons.push(format!("broker {id}, a leader, has no address yet"));
            continue;
        };
        if let Err(error) = ask::reach(&broker.address()) {
            let address = broker.address();
            reasons.push(format!("broker {id} at {address} cannot be reached: {error}"));
        }
    }
    reasons
}
