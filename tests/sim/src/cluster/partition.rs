//! A partition: its replicas, who leads, who is in sync, what is committed.

use super::log::{Entry, ReplicaLog};
use std::collections::{BTreeMap, BTreeSet};

/// One partition of a topic.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// Nodes with a replica, in order of preference.
    pub(super) replicas: Vec<i32>,
    pub(super) leader: Option<i32>,
    pub(super) leader_epoch: i32,
    /// Leader and epoch before the last election, for metadata that lags.
    pub(super) before: (Option<i32>, i32),
    last_leader: i32,
    pub(super) in_sync: BTreeSet<i32>,
    /// Followers that do not copy of their own accord.
    pub(super) paused: BTreeSet<i32>,
    pub(super) high_watermark: i64,
    logs: BTreeMap<i32, ReplicaLog>,
    /// How far each follower has come, as far as this leader has seen.
    copied: BTreeMap<i32, i64>,
}

impl Partition {
    /// An empty partition, led by the first of `replicas`.
    pub(super) fn new(replicas: Vec<i32>) -> Self {
        let leader = replicas.first().copied();
        Self {
            leader,
            leader_epoch: 0,
            before: (leader, 0),
            last_leader: leader.unwrap_or(-1),
            in_sync: replicas.iter().copied().collect(),
            paused: BTreeSet::new(),
            high_watermark: 0,
            logs: replicas.iter().map(|node| (*node, ReplicaLog::default())).collect(),
            copied: BTreeMap::new(),
            replicas,
        }
    }

    pub(super) fn log(&self, node: i32) -> Option<&ReplicaLog> {
        self.logs.get(&node)
    }

    pub(super) fn log_mut(&mut self, node: i32) -> Option<&mut ReplicaLog> {
        self.logs.get_mut(&node)
    }

    pub(super) fn logs_mut(&mut self) -> impl Iterator<Item = &mut ReplicaLog> {
        self.logs.values_mut()
    }

    /// The log of the leader, or of the last one.
    pub(super) fn leader_log(&self) -> Option<&ReplicaLog> {
        self.logs.get(&self.leader.unwrap_or(self.last_leader))
    }

    /// The leader appends.
    pub(super) fn append(&mut self, entry: Entry) {
        if let Some(log) = self.leader.and_then(|leader| self.logs.get_mut(&leader)) {
            log.push(entry);
        }
    }

    /// `follower` copies from the leader; returns how many batches.
    pub(super) fn replicate(&mut self, follower: i32, batches: usize) -> usize {
        let Some(leader) = self.leader.filter(|leader| *leader != follower) else {
            return 0;
        };
        let Some(mut log) = self.logs.remove(&follower) else {
            return 0;
        };
        let mut copied = 0;
        if let Some(leader_log) = self.logs.get(&leader) {
            copied = log.copy(leader_log, batches);
            self.copied.insert(follower, log.end());
            if log.end() == leader_log.end() && !self.paused.contains(&follower) {
                self.in_sync.insert(follower);
            }
        }
        self.logs.insert(follower, log);
        copied
    }

    /// Commits what all in-sync replicas have. True if something was committed.
    pub(super) fn commit(&mut self) -> bool {
        let Some((leader, log)) = self.leader.and_then(|l| Some((l, self.logs.get(&l)?))) else {
            return false;
        };
        let followers = self.in_sync.iter().filter(|node| **node != leader);
        let slowest = followers
            .map(|node| self.copied.get(node).copied().unwrap_or(self.high_watermark))
            .fold(log.end(), i64::min);
        let more = slowest > self.high_watermark;
        self.high_watermark = self.high_watermark.max(slowest);
        more
    }

    /// Has the follower everything that is committed?
    pub(super) fn has_caught_up(&self, node: i32) -> bool {
        self.logs.get(&node).is_some_and(|log| log.end() >= self.high_watermark)
    }

    /// The next leader epoch begins, with or without a leader.
    pub(super) fn elect(&mut self, leader: Option<i32>) {
        self.before = (self.leader, self.leader_epoch);
        self.leader = leader;
        self.leader_epoch += 1;
        self.copied.clear();
        if let Some(leader) = leader {
            self.last_leader = leader;
            let end = self.logs.get(&leader).map_or(0, ReplicaLog::end);
            // Lower only after an unclean election, or when the disk of a replica lost its tail.
            self.high_watermark = self.high_watermark.min(end);
        }
    }
}
