//! The cluster's connections: bytes in, bytes out, time.

use super::batch::Header;
use super::peer::{Busy, Peer};
use super::state::{Cluster, Node};
use super::wire::{self, Arrived, Request};
use super::{Config, PeerId, Pending, Processing, Produced, Stats};
use bytes::Buf;
use std::collections::{BTreeMap, BTreeSet};

impl Cluster {
    /// A cluster whose nodes are all up, without topics.
    pub fn new(config: Config) -> Self {
        let nodes = config.nodes.iter().map(|node| (node.id, Node::from(node))).collect();
        Self {
            nodes,
            topics: BTreeMap::new(),
            names: BTreeMap::new(),
            peers: BTreeMap::new(),
            next_peer: 0,
            waiting: BTreeSet::new(),
            woken: BTreeSet::new(),
            zombies: Vec::new(),
            rng: oorandom::Rand64::new(u128::from(config.seed)),
            next_producer_id: config.first_producer_id,
            rules: Vec::new(),
            stats: Stats::default(),
            produced: Vec::new(),
            appended: Vec::new(),
            dirty: false,
            config,
        }
    }

    /// Opens a connection to `node`; `None` if it is down or unknown (connection refused).
    pub fn accept(&mut self, node: i32, _now: u64) -> Option<PeerId> {
        self.nodes.get(&node).filter(|node| node.up)?;
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        self.peers.insert(peer, Peer::new(node));
        self.stats.accepted += 1;
        Some(peer)
    }

    /// The node that listens on `host` and `port` (up or down).
    pub fn node_at(&self, host: &str, port: u16) -> Option<i32> {
        let here = |node: &Node| node.host == host && node.port == port;
        self.nodes.iter().find(|(_, node)| here(node)).map(|(id, _)| *id)
    }

    /// Bytes from the client. Ignored for a connection that is closed.
    pub fn receive(&mut self, peer: PeerId, bytes: &[u8], now: u64) {
        let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.closed) else {
            return;
        };
        state.input.extend_from_slice(bytes);
        self.take_frames(peer, now);
        if self.config.processing == Processing::Automatic {
            self.pump(peer, now);
        }
        self.settle(now);
    }

    /// Whether the node would read more bytes now: not while it throttles the connection, nor while
    /// requests wait behind one that is not answered. An advice; `receive` takes bytes at any time.
    pub fn wants_read(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| !peer.closed && peer.inbox.is_empty())
    }

    /// Bytes for the client that were not yet consumed, in order. Empty for an unknown connection.
    pub fn readable(&self, peer: PeerId) -> &[u8] {
        self.peers.get(&peer).map_or(&[], |peer| &peer.output)
    }

    /// Drops the first `n` bytes of [`readable`](Self::readable).
    pub fn consume(&mut self, peer: PeerId, n: usize) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.output.advance(n.min(peer.output.len()));
        }
    }

    /// The node closed this connection, or it does not exist (any more). What is still readable is
    /// delivered before the end of the stream, unless the node was killed.
    pub fn wants_close(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_none_or(|peer| peer.closed)
    }

    /// The connection is gone; forgets it. To be called for connections the node closed, too.
    pub fn disconnect(&mut self, peer: PeerId, pending: Pending) {
        self.waiting.remove(&peer);
        self.woken.remove(&peer);
        let Some(state) = self.peers.remove(&peer) else {
            return;
        };
        let requests: std::collections::VecDeque<_> = state.inbox.into_iter().flatten().collect();
        let stuck = matches!(state.busy, Busy::Forever);
        if pending == Pending::Process && !stuck && !requests.is_empty() {
            self.zombies.push((state.node, requests));
        }
    }

    /// Connections that have something new to read, or were closed, since the last call.
    pub fn take_woken(&mut self) -> BTreeSet<PeerId> {
        core::mem::take(&mut self.woken)
    }

    /// Does everything that is due at `now`. Early calls are harmless.
    pub fn handle_timeout(&mut self, now: u64) {
        let due = |peer: &Peer| peer.deadline().is_some_and(|at| at <= now);
        let due: Vec<PeerId> =
            self.peers.iter().filter(|(_, peer)| due(peer)).map(|(id, _)| *id).collect();
        for id in due {
            self.handle_peer_timeout(id, now);
            if self.config.processing == Processing::Automatic {
                self.pump(id, now);
            }
        }
        self.settle(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub fn next_deadline(&self) -> Option<u64> {
        self.peers.values().filter_map(Peer::deadline).min()
    }

    fn handle_peer_timeout(&mut self, id: PeerId, now: u64) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.muted_until.is_some_and(|at| at <= now) {
            peer.muted_until = None;
        }
        match core::mem::replace(&mut peer.busy, Busy::No) {
            Busy::Delayed(at, frame) if at <= now => self.send(id, frame),
            other => {
                peer.busy = other;
                self.finish(id, now);
            }
        }
    }

    fn take_frames(&mut self, id: PeerId, now: u64) {
        loop {
            let Some(peer) = self.peers.get_mut(&id) else {
                return;
            };
            let frame = match peer.split_frame(self.config.max_frame) {
                Ok(None) => return,
                Ok(Some(frame)) => frame.freeze(),
                Err(()) => {
                    peer.input.clear();
                    peer.inbox.push_back(None);
                    return;
                }
            };
            let Some(node) = self.nodes.get(&peer.node) else {
                return;
            };
            let arrived = wire::decode(frame, &node.versions);
            let node = peer.node;
            if let Some(arrived) = arrived.as_ref().filter(|_| self.config.trace_produced) {
                self.trace(id, node, arrived, now);
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.inbox.push_back(arrived);
            }
        }
    }

    fn trace(&mut self, peer: PeerId, node: i32, arrived: &Arrived, now: u64) {
        let Request::Produce(request) = &arrived.request else {
            return;
        };
        for topic in &request.topic_data {
            let by_id = arrived.version >= 13;
            let name = if by_id {
                self.names.get(&topic.topic_id).cloned().unwrap_or_default()
            } else {
                topic.name.to_string()
            };
            for partition in &topic.partition_data {
                let batch = partition.records.clone().unwrap_or_default();
                let header = Header::read(&batch);
                self.produced.push(Produced {
                    at: now,
                    peer,
                    node,
                    version: arrived.version,
                    correlation_id: arrived.correlation_id,
                    acks: request.acks,
                    topic: name.clone(),
                    topic_id: by_id.then(|| topic.topic_id.into_bytes()),
                    partition: partition.index,
                    producer_id: header.map_or(-1, |header| header.producer_id),
                    producer_epoch: header.map_or(-1, |header| header.producer_epoch),
                    base_sequence: header.map_or(-1, |header| header.base_sequence),
                    count: header.map_or(0, |header| header.count),
                    batch,
                });
            }
        }
    }
}
