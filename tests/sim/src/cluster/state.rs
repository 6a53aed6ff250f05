//! What a cluster consists of inside.

use super::config::{ApiVersions, Config, NodeConfig, TopicConfig};
use super::fault::Rule;
use super::inspect::{Appended, Produced, Stats};
use super::partition::Partition;
use super::peer::Peer;
use super::wire::Arrived;
use super::{ControlError, PeerId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use uuid::Uuid;

/// A cluster of nodes with their logs, connections and faults.
#[derive(Debug)]
pub struct Cluster {
    pub(super) config: Config,
    pub(super) nodes: BTreeMap<i32, Node>,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) names: BTreeMap<Uuid, String>,
    pub(super) peers: BTreeMap<PeerId, Peer>,
    pub(super) next_peer: u64,
    /// Connections with a request that waits for followers or for records.
    pub(super) waiting: BTreeSet<PeerId>,
    /// Connections with something new to read, or closed.
    pub(super) woken: BTreeSet<PeerId>,
    /// Requests of dead connections, with the node they were sent to.
    pub(super) zombies: Vec<(i32, VecDeque<Arrived>)>,
    pub(super) rng: oorandom::Rand64,
    pub(super) next_producer_id: i64,
    pub(super) rules: Vec<Rule>,
    pub(super) stats: Stats,
    pub(super) produced: Vec<Produced>,
    pub(super) appended: Vec<Appended>,
    /// Something was committed or deposed: requests that wait may be finished.
    pub(super) dirty: bool,
}

/// A broker.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) rack: Option<String>,
    pub(super) versions: ApiVersions,
    pub(super) up: bool,
    /// The cluster takes it for alive: it is in metadata.
    pub(super) registered: bool,
    /// From when on it hands out producer ids.
    pub(super) ready_at: u64,
}

impl From<&NodeConfig> for Node {
    fn from(config: &NodeConfig) -> Self {
        Self {
            host: config.host.clone(),
            port: config.port,
            rack: config.rack.clone(),
            versions: config.versions,
            up: true,
            registered: true,
            ready_at: 0,
        }
    }
}

/// A topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    pub(super) config: TopicConfig,
    pub(super) partitions: Vec<Partition>,
}

impl Cluster {
    pub(super) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(super) fn partition_mut(
        &mut self,
        topic: &str,
        partition: i32,
    ) -> Result<&mut Partition, ControlError> {
        let index = usize::try_from(partition).map_err(|_| ControlError::UnknownPartition)?;
        let topic = self.topics.get_mut(topic).ok_or(ControlError::UnknownPartition)?;
        topic.partitions.get_mut(index).ok_or(ControlError::UnknownPartition)
    }

    /// Unix time in milliseconds at `now`.
    pub(super) fn unix_ms(&self, now: u64) -> i64 {
        let since = i64::try_from(now / 1_000).unwrap_or(i64::MAX);
        self.config.unix_ms_at_zero.saturating_add(since)
    }

    pub(super) fn random_id(&mut self) -> Uuid {
        loop {
            let high = u128::from(self.rng.rand_u64());
            let id = Uuid::from_u128(high << 64 | u128::from(self.rng.rand_u64()));
            if !id.is_nil() && !self.names.contains_key(&id) {
                return id;
            }
        }
    }
}
