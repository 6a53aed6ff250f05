//! A cluster as tables, or as JSON.

use super::ask::{Cluster, Partition};
use crate::output::Rows;

pub(super) fn json(cluster: &Cluster) -> String {
    // Texts and numbers always serialize.
    serde_json::to_string_pretty(cluster).unwrap_or_default()
}

/// The brokers, and a line per topic.
pub(super) fn topics(cluster: &Cluster) -> String {
    let mut rows =
        Rows::new(&["topic", "partitions", "replicas", "without leader", "not in sync", "error"]);
    for topic in &cluster.topics {
        let partitions = &topic.partitions;
        let count = |is: fn(&Partition) -> bool| partitions.iter().filter(|p| is(p)).count();
        let replicas = partitions.iter().map(|partition| partition.replicas.len()).max();
        rows.add([
            topic.name.clone(),
            partitions.len().to_string(),
            replicas.unwrap_or(0).to_string(),
            some(count(|partition| partition.leader.is_none())),
            some(count(|partition| partition.in_sync.len() < partition.replicas.len())),
            topic.error.clone().unwrap_or_default(),
        ]);
    }
    let topics = match cluster.topics.len() {
        0 => "no topics".into(),
        _ => rows.text(&[2, 4]),
    };
    format!("{}\n\n{topics}", brokers(cluster))
}

/// The brokers, and a line per partition of the topics.
pub(super) fn partitions(cluster: &Cluster) -> String {
    let mut text = brokers(cluster);
    for topic in &cluster.topics {
        let mut rows =
            Rows::new(&["partition", "leader", "replicas", "in sync", "offline", "error"]);
        for partition in &topic.partitions {
            rows.add([
                partition.partition.to_string(),
                partition.leader.map_or_else(|| "none".into(), |leader| leader.to_string()),
                list(&partition.replicas),
                list(&partition.in_sync),
                list(&partition.offline),
                partition.error.clone().unwrap_or_default(),
            ]);
        }
        let s = if topic.partitions.len() == 1 { "" } else { "s" };
        text.push_str(&format!(
            "\n\ntopic {}, {} partition{s}\n{}",
            topic.name,
            topic.partitions.len(),
            rows.text(&[4, 3, 2])
        ));
    }
    text
}

fn brokers(cluster: &Cluster) -> String {
    let mut rows = Rows::new(&["broker", "address", "rack", ""]);
    for broker in &cluster.brokers {
        rows.add([
            broker.id.to_string(),
            broker.address(),
            broker.rack.clone().unwrap_or_default(),
            if cluster.controller == Some(broker.id) { "controller" } else { "" }.into(),
        ]);
    }
    let name = cluster.cluster.as_deref().unwrap_or("without a name");
    format!("cluster {name}\n{}", rows.text(&[3, 2]))
}

fn list(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Nothing is best said by nothing: what is there stands out.
fn some(count: usize) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}
