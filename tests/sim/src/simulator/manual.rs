//! What a caller of a cluster in manual mode decides, and changes to the cluster with their
//! consequences for the checks.

use std::collections::BTreeSet;

use super::Simulation;
use super::record::Sample;
use crate::cluster::{Cluster, Processing};

impl Simulation {
    /// In manual mode: nodes process, copy and answer, in any order and at any pace; at once when
    /// there are no faults.
    pub(super) fn tick(&mut self) {
        if self.setup.cluster.processing != Processing::Manual {
            return;
        }
        let calm = self.next_fault.is_none();
        if !calm && self.next_tick.is_none_or(|at| at > self.now) {
            return;
        }
        let worked = self.process_some(calm) | self.copy_some(calm) | self.answer_some(calm);
        let pause = 1 + self.dice.range(0, 5_000);
        self.next_tick = if calm { worked.then_some(self.now) } else { Some(self.now + pause) };
    }

    fn process_some(&mut self, calm: bool) -> bool {
        let mut worked = false;
        for slot in self.network.open() {
            let Some(peer) = self.network.peer(slot) else { continue };
            while self.cluster.pending(peer) > 0 && (calm || self.dice.chance(700)) {
                if !self.cluster.process(peer, self.now) {
                    break;
                }
                worked = true;
            }
        }
        while self.cluster.zombies() > 0 && (calm || self.dice.chance(100)) {
            let zombie = self.dice.below(self.cluster.zombies());
            if !self.cluster.process_zombie(zombie, self.now) {
                break;
            }
            worked = true;
        }
        worked
    }

    fn copy_some(&mut self, calm: bool) -> bool {
        let mut copied = 0;
        for (topic, partition) in self.partitions() {
            for node in self.cluster.replicas(&topic, partition) {
                let batches = if calm { usize::MAX } else { self.dice.below(3) };
                if batches > 0 && self.cluster.leader(&topic, partition) != Some(node) {
                    let now = self.now;
                    copied += self.cluster.replicate(&topic, partition, node, batches, now);
                }
            }
        }
        copied > 0
    }

    fn answer_some(&mut self, calm: bool) -> bool {
        let mut worked = false;
        for slot in self.network.open() {
            let Some(peer) = self.network.peer(slot) else { continue };
            while self.cluster.held(peer) > 0 && (calm || self.dice.chance(700)) {
                if !self.cluster.release(peer) {
                    break;
                }
                worked = true;
            }
        }
        worked
    }

    /// Changes the cluster. Without acks = all, or where a replica lost its tail before, that may
    /// lose records, which is then excused.
    pub(super) fn control(&mut self, change: impl FnOnce(&mut Cluster)) {
        let sound = !self.ledger.excuses.data_loss;
        if self.setup.config.acks == klamm::Acks::All && sound {
            change(&mut self.cluster);
        } else {
            self.noting_losses(change);
        }
    }

    /// Changes the cluster in a way that loses what was acknowledged.
    pub(super) fn lossy(&mut self, change: impl FnOnce(&mut Cluster)) {
        self.ledger.excuses.data_loss = true;
        self.noting_losses(change);
    }

    fn noting_losses(&mut self, change: impl FnOnce(&mut Cluster)) {
        let before = self.logged();
        change(&mut self.cluster);
        let after = self.logged();
        for (number, offset) in before.difference(&after) {
            self.ledger.excuses.lost.entry(*number).or_default().insert(*offset);
        }
    }

    /// All records in logs, and their offsets.
    fn logged(&self) -> BTreeSet<(u64, i64)> {
        let places = self.partitions();
        let logs = places.iter().flat_map(|(topic, partition)| self.cluster.log(topic, *partition));
        logs.map(|record| (Sample::number(&record), record.offset)).collect()
    }

    /// Tells the observer the topics' ids.
    pub(super) fn learn_topics(&mut self) {
        let topics: Vec<String> = self.cluster.topics().map(str::to_owned).collect();
        for topic in topics {
            if let Some(id) = self.cluster.topic_id(&topic) {
                self.observer.learn(id, &topic);
            }
        }
    }

    pub(super) fn nodes(&self) -> Vec<i32> {
        self.setup.cluster.nodes.iter().map(|node| node.id).collect()
    }

    pub(super) fn any_node(&mut self) -> i32 {
        let nodes = self.nodes();
        self.dice.pick(&nodes)
    }

    pub(super) fn partitions(&self) -> Vec<(String, i32)> {
        let each = |topic: &str| {
            let count = self.cluster.partitions(topic);
            (0..count).map(|partition| (topic.to_owned(), partition)).collect::<Vec<_>>()
        };
        self.setup.topics.iter().flat_map(|(topic, _)| each(topic)).collect()
    }

    /// A topic, and one of the partitions it has in the setup.
    pub(super) fn any_partition(&mut self) -> (String, i32) {
        let number = self.dice.below(self.setup.topics.len());
        let (topic, config) = &self.setup.topics[number];
        let partition = self.dice.pick(&(0..config.partitions).collect::<Vec<_>>());
        (topic.clone(), partition)
    }
}
