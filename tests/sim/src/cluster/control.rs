//! Nodes, leaders, in-sync sets and disks change.

use super::partition::Partition;
use super::state::{Cluster, Node};
use super::{ApiVersions, ControlError, PeerId, Processing, Rule};

/// Nodes. Every change is at once known to all nodes that are up.
impl Cluster {
    /// The node stops: its connections close, with them unread answers and requests. With
    /// [`Config::automatic_election`](super::Config::automatic_election) the cluster notices at
    /// once, else at [`fence`](Self::fence): until then metadata names the dead node.
    ///
    /// # Errors
    /// `UnknownNode`, or `NodeDown` if it is down already.
    pub fn kill(&mut self, node: i32, now: u64) -> Result<(), ControlError> {
        let state = self.nodes.get_mut(&node).ok_or(ControlError::UnknownNode)?;
        if !state.up {
            return Err(ControlError::NodeDown);
        }
        state.up = false;
        self.zombies.retain(|(of, _)| *of != node);
        let peers = self.peers.iter().filter(|(_, peer)| peer.node == node);
        for id in peers.map(|(id, _)| *id).collect::<Vec<PeerId>>() {
            self.close(id);
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.output.clear();
                peer.held.clear();
            }
        }
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                if let Some(log) = partition.log_mut(node) {
                    log.producers.keep_last();
                }
            }
        }
        if self.config.automatic_election {
            self.fence(node, now)?;
        }
        Ok(())
    }

    /// The cluster notices that a node is down: it leaves metadata and the in-sync sets (unless it
    /// is the last of one), and what it led is led by the first in-sync replica that is up, if any.
    ///
    /// # Errors
    /// `UnknownNode`, or `Invalid` if the node is up.
    pub fn fence(&mut self, node: i32, now: u64) -> Result<(), ControlError> {
        let state = self.nodes.get_mut(&node).ok_or(ControlError::UnknownNode)?;
        if state.up {
            return Err(ControlError::Invalid);
        }
        state.registered = false;
        self.each_partition(|nodes, partition| {
            if partition.in_sync.len() > 1 {
                partition.in_sync.remove(&node);
            }
            if partition.leader == Some(node) {
                partition.elect(first_in_sync(nodes, partition));
            }
        });
        self.after_elections(now);
        Ok(())
    }

    /// The node starts with the logs it had; of every producer it knows only the last batch. It
    /// leads again what has no other leader, if it was in sync.
    ///
    /// # Errors
    /// `UnknownNode`, or `Invalid` if it is up already.
    pub fn start(&mut self, node: i32, now: u64) -> Result<(), ControlError> {
        let delay = self.config.producer_id_delay;
        let state = self.nodes.get_mut(&node).ok_or(ControlError::UnknownNode)?;
        if state.up {
            return Err(ControlError::Invalid);
        }
        (state.up, state.registered, state.ready_at) = (true, true, now.saturating_add(delay));
        let automatic = self.config.automatic_election;
        self.each_partition(|nodes, partition| {
            let leaderless = partition.leader.is_none() && automatic;
            if leaderless || partition.leader == Some(node) {
                partition.elect(first_in_sync(nodes, partition));
            }
        });
        self.after_elections(now);
        Ok(())
    }

    /// [`kill`](Self::kill) and [`start`](Self::start) in one.
    ///
    /// # Errors
    /// As these two.
    pub fn restart(&mut self, node: i32, now: u64) -> Result<(), ControlError> {
        self.kill(node, now)?;
        self.start(node, now)
    }

    /// Is the node up?
    pub fn is_up(&self, node: i32) -> bool {
        self.nodes.get(&node).is_some_and(|node| node.up)
    }

    /// The node's connections break; requests and answers on them are lost. The node stays up.
    pub fn cut(&mut self, node: i32) {
        let peers = self.peers.iter().filter(|(_, peer)| peer.node == node);
        for id in peers.map(|(id, _)| *id).collect::<Vec<PeerId>>() {
            self.close(id);
        }
    }

    /// Changes which API versions a node offers, from the next request on.
    pub fn set_versions(&mut self, node: i32, versions: ApiVersions) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.versions = versions;
        }
    }

    /// Puts a rule behind the others; the first that matches decides. See [`Rule`].
    pub fn inject(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// Removes all rules.
    pub fn clear_faults(&mut self) {
        self.rules.clear();
    }
}

/// Leaders and replicas.
impl Cluster {
    /// Makes an in-sync replica the leader, under the next leader epoch. Produce requests that wait
    /// at the old leader are answered with 6 and keep their base offset.
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`, `NodeDown`, `NotInSync`.
    pub fn elect(
        &mut self,
        topic: &str,
        partition: i32,
        node: i32,
        now: u64,
    ) -> Result<(), ControlError> {
        let state = self.replica(topic, partition, node)?;
        if !state.in_sync.contains(&node) {
            return Err(ControlError::NotInSync);
        }
        self.require_up(node)?;
        self.partition_mut(topic, partition)?.elect(Some(node));
        self.after_elections(now);
        Ok(())
    }

    /// Makes any replica the leader, in sync or not: what only others have is lost. The in-sync set
    /// is then the new leader alone.
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`, `NodeDown`.
    pub fn elect_unclean(
        &mut self,
        topic: &str,
        partition: i32,
        node: i32,
        now: u64,
    ) -> Result<(), ControlError> {
        self.replica(topic, partition, node)?;
        self.require_up(node)?;
        let state = self.partition_mut(topic, partition)?;
        state.in_sync = [node].into();
        state.elect(Some(node));
        self.after_elections(now);
        Ok(())
    }

    /// The partition has no leader any more (metadata error 5, produce error 6).
    ///
    /// # Errors
    /// `UnknownPartition`.
    pub fn depose(&mut self, topic: &str, partition: i32, now: u64) -> Result<(), ControlError> {
        self.partition_mut(topic, partition)?.elect(None);
        self.after_elections(now);
        Ok(())
    }

    /// A disk that lost its tail: the replica drops its last `batches` batches. If it leads, the
    /// next leader epoch begins.
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`.
    pub fn truncate(
        &mut self,
        topic: &str,
        partition: i32,
        node: i32,
        batches: usize,
        now: u64,
    ) -> Result<(), ControlError> {
        self.replica(topic, partition, node)?;
        let state = self.partition_mut(topic, partition)?;
        if let Some(log) = state.log_mut(node) {
            log.drop_last(batches);
        }
        if state.leader == Some(node) {
            state.elect(Some(node));
        }
        self.after_elections(now);
        Ok(())
    }

    /// A follower stops copying of its own accord (or goes on); it stays in sync until
    /// [`shrink_isr`](Self::shrink_isr).
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`.
    pub fn pause_follower(
        &mut self,
        topic: &str,
        partition: i32,
        follower: i32,
        paused: bool,
        now: u64,
    ) -> Result<(), ControlError> {
        self.replica(topic, partition, follower)?;
        let state = self.partition_mut(topic, partition)?;
        if paused {
            state.paused.insert(follower);
        } else {
            state.paused.remove(&follower);
        }
        self.after_elections(now);
        Ok(())
    }

    /// Takes a follower out of the in-sync set and pauses it.
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`; `Invalid` for the leader.
    pub fn shrink_isr(
        &mut self,
        topic: &str,
        partition: i32,
        follower: i32,
        now: u64,
    ) -> Result<(), ControlError> {
        self.replica(topic, partition, follower)?;
        let state = self.partition_mut(topic, partition)?;
        if state.leader == Some(follower) {
            return Err(ControlError::Invalid);
        }
        state.in_sync.remove(&follower);
        state.paused.insert(follower);
        self.commit(topic, partition);
        self.settle(now);
        Ok(())
    }

    /// A follower is paused no more and joins the in-sync set.
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`; `NotInSync` if it has not caught up.
    pub fn grow_isr(
        &mut self,
        topic: &str,
        partition: i32,
        follower: i32,
        now: u64,
    ) -> Result<(), ControlError> {
        self.replica(topic, partition, follower)?;
        self.partition_mut(topic, partition)?.paused.remove(&follower);
        self.after_elections(now);
        let state = self.partition_mut(topic, partition)?;
        if !state.has_caught_up(follower) {
            return Err(ControlError::NotInSync);
        }
        state.in_sync.insert(follower);
        Ok(())
    }

    /// A replica forgets all producers, or one (`producer.id.expiration.ms`).
    ///
    /// # Errors
    /// `UnknownPartition`, `NotAReplica`.
    pub fn forget_producers(
        &mut self,
        topic: &str,
        partition: i32,
        node: i32,
        producer_id: Option<i64>,
    ) -> Result<(), ControlError> {
        let log = self.partition_mut(topic, partition)?.log_mut(node);
        log.ok_or(ControlError::NotAReplica)?.producers.forget(producer_id);
        Ok(())
    }

    /// Drops records before `offset` (`DeleteRecords`, retention). Producer state stays.
    ///
    /// # Errors
    /// `UnknownPartition`.
    pub fn delete_records(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), ControlError> {
        let state = self.partition_mut(topic, partition)?;
        let offset = offset.min(state.high_watermark);
        state.logs_mut().for_each(|log| log.drop_before(offset));
        Ok(())
    }

    fn replica(&self, topic: &str, partition: i32, node: i32) -> Result<&Partition, ControlError> {
        let state = self.partition(topic, partition).ok_or(ControlError::UnknownPartition)?;
        state.log(node).map(|_| state).ok_or(ControlError::NotAReplica)
    }

    fn require_up(&self, node: i32) -> Result<(), ControlError> {
        let node = self.nodes.get(&node).ok_or(ControlError::UnknownNode)?;
        if node.up { Ok(()) } else { Err(ControlError::NodeDown) }
    }

    fn each_partition(&mut self, mut act: impl FnMut(&Nodes, &mut Partition)) {
        for topic in self.topics.values_mut() {
            topic.partitions.iter_mut().for_each(|partition| act(&self.nodes, partition));
        }
    }

    /// Followers copy from the leaders there are now, requests that waited at others end.
    fn after_elections(&mut self, now: u64) {
        if self.config.processing == Processing::Automatic {
            let names: Vec<(String, usize)> =
                self.topics.iter().map(|(name, t)| (name.clone(), t.partitions.len())).collect();
            for (name, count) in names {
                for partition in (0..).take(count) {
                    self.copy_to_all(&name, partition);
                    self.commit(&name, partition);
                }
            }
        }
        self.dirty = true;
        self.settle(now);
    }
}

type Nodes = std::collections::BTreeMap<i32, Node>;

/// Who leads next: the preferred of the in-sync replicas that are up.
fn first_in_sync(nodes: &Nodes, partition: &Partition) -> Option<i32> {
    let can = |node: &&i32| {
        partition.in_sync.contains(node) && nodes.get(node).is_some_and(|node| node.up)
    };
    partition.replicas.iter().find(can).copied()
}
