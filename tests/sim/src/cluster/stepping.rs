//! Manual driving: the caller decides when a request is processed, a follower copies, an answer
//! leaves.

use super::PeerId;
use super::state::Cluster;

impl Cluster {
    /// Complete requests of this connection that wait to be processed.
    pub fn pending(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.inbox.len())
    }

    /// Processes the oldest waiting request. False if there is none, or the request before it is
    /// not yet answered (a produce that waits for followers), or the connection is throttled.
    pub fn process(&mut self, peer: PeerId, now: u64) -> bool {
        let done = self.step(peer, now);
        self.settle(now);
        done
    }

    /// Answers of this connection that are ready and held back.
    pub fn held(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.held.len())
    }

    /// Makes the oldest held answer readable. False if there is none.
    pub fn release(&mut self, peer: PeerId) -> bool {
        let Some(state) = self.peers.get_mut(&peer) else {
            return false;
        };
        let Some(frame) = state.held.pop_front() else {
            return false;
        };
        state.send(frame);
        self.woken.insert(peer);
        true
    }

    /// The follower copies at most `batches` batches from the leader after dropping what diverges
    /// (by leader epoch, KIP-101). It joins the in-sync set when it has caught up. Returns the
    /// number copied; 0 if either node is down or there is no leader.
    pub fn replicate(
        &mut self,
        topic: &str,
        partition: i32,
        follower: i32,
        batches: usize,
        now: u64,
    ) -> usize {
        let copied = self.copy(topic, partition, follower, batches);
        self.settle(now);
        copied
    }

    /// Dead connections that still have requests to process.
    pub fn zombies(&self) -> usize {
        self.zombies.len()
    }

    /// Processes the oldest request of the `index`-th dead connection; its answer is dropped. False
    /// if there is none. A connection whose last request was processed leaves the list.
    pub fn process_zombie(&mut self, index: usize, now: u64) -> bool {
        let Some((node, requests)) = self.zombies.get_mut(index) else {
            return false;
        };
        let node = *node;
        let request = requests.pop_front();
        if requests.is_empty() {
            self.zombies.remove(index);
        }
        let Some(request) = request else {
            return false;
        };
        self.serve(node, None, request, now);
        self.settle(now);
        true
    }

    /// Lets the remaining dead connections go, their requests with them.
    pub fn drop_zombies(&mut self) {
        self.zombies.clear();
    }

    pub(super) fn copy(
        &mut self,
        topic: &str,
        partition: i32,
        follower: i32,
        batches: usize,
    ) -> usize {
        let up = |node: i32| self.nodes.get(&node).is_some_and(|node| node.up);
        let leader = self.partition(topic, partition).and_then(|partition| partition.leader);
        if !up(follower) || !leader.is_some_and(up) {
            return 0;
        }
        let Ok(state) = self.partition_mut(topic, partition) else {
            return 0;
        };
        let copied = state.replicate(follower, batches);
        self.commit(topic, partition);
        copied
    }

    /// All followers that are up and not paused catch up.
    pub(super) fn copy_to_all(&mut self, topic: &str, partition: i32) {
        let Some(state) = self.partition(topic, partition) else {
            return;
        };
        if state.replicas.len() == 1 {
            return;
        }
        let followers: Vec<i32> =
            state.replicas.iter().copied().filter(|node| !state.paused.contains(node)).collect();
        for follower in followers {
            self.copy(topic, partition, follower, usize::MAX);
        }
    }

    pub(super) fn commit(&mut self, topic: &str, partition: i32) {
        if let Ok(partition) = self.partition_mut(topic, partition) {
            let committed = partition.commit();
            self.dirty |= committed;
        }
    }
}
