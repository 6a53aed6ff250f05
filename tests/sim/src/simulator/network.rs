//! The network between the producer and the cluster: connections made of two byte pipes, each with
//! delays, splits, stalls and ends of its own. A connection that the producer has given up may go
//! on carrying what it had written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cluster::{Cluster, PeerId, Pending};
use crate::dice::Dice;

/// How well bytes travel.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// One way, in microseconds.
    pub latency: u64,
    /// At most this much more, drawn for each piece.
    pub jitter: u64,
    /// The most bytes that a write takes or a read gives.
    pub piece: usize,
    /// Bytes that a connection holds in each direction.
    pub window: usize,
    /// Chance of 1,000 that a dead connection still carries what was written to it.
    pub late_requests: u32,
    /// How much later such bytes arrive, at most, in microseconds.
    pub late_by: u64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: 500,
            jitter: 0,
            piece: usize::MAX,
            window: 1 << 20,
            late_requests: 0,
            late_by: 0,
        }
    }
}

/// What the producer's end of a connection hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The connection is open.
    Connected,
    /// Bytes to read.
    Bytes(Vec<u8>),
    /// Refused, reset, or the end of the stream.
    Closed,
}

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the producer.
    Up,
    /// To the producer.
    Down,
}

#[derive(Debug, Default)]
struct Pipe {
    pieces: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
    stalled_until: u64,
    last: u64,
}

impl Pipe {
    fn push(&mut self, at: u64, bytes: Vec<u8>) {
        self.last = self.last.max(at);
        self.bytes += bytes.len();
        self.pieces.push_back((self.last, bytes));
    }

    fn next(&self) -> Option<u64> {
        self.pieces.front().map(|(at, _)| (*at).max(self.stalled_until))
    }

    fn pop(&mut self, now: u64) -> Option<Vec<u8>> {
        if self.next()? > now {
            return None;
        }
        let (_, bytes) = self.pieces.pop_front()?;
        self.bytes -= bytes.len();
        Some(bytes)
    }
}

#[derive(Debug)]
enum State {
    /// The answer to the dial comes then; `None`: never.
    Dialing(Option<u64>),
    Open(PeerId),
    /// The far end is gone, and nobody told this one.
    HalfOpen,
}

#[derive(Debug)]
struct Link {
    node: Option<i32>,
    state: State,
    up: Pipe,
    down: Pipe,
    /// When the end of the stream arrives.
    end: Option<u64>,
}

/// All connections.
#[derive(Debug)]
pub struct Network {
    links: Vec<Option<Link>>,
    /// Connections that the producer has left and that still carry bytes.
    late: Vec<(PeerId, Pipe)>,
    aliases: BTreeMap<String, i32>,
    unreachable: BTreeSet<i32>,
    /// How well bytes travel from now on.
    pub conditions: Conditions,
    dice: Dice,
}

impl Network {
    /// Room for the producer's connection slots.
    pub fn new(slots: usize, conditions: Conditions, seed: u64) -> Self {
        Self {
            links: (0..slots).map(|_| None).collect(),
            late: Vec::new(),
            aliases: BTreeMap::new(),
            unreachable: BTreeSet::new(),
            conditions,
            dice: Dice::new(seed),
        }
    }

    /// Connections to `host` reach this node from now on (a load balancer, a changed address).
    pub fn alias(&mut self, host: &str, node: i32) {
        self.aliases.insert(host.to_owned(), node);
    }

    /// Dials to this node are neither accepted nor refused.
    pub fn set_reachable(&mut self, node: i32, reachable: bool) {
        if reachable {
            self.unreachable.remove(&node);
        } else {
            self.unreachable.insert(node);
        }
    }

    /// The node at the other end of a slot's connection.
    pub fn node(&self, slot: usize) -> Option<i32> {
        self.links[slot].as_ref()?.node
    }

    /// The cluster's name of a slot's connection.
    pub fn peer(&self, slot: usize) -> Option<PeerId> {
        match self.links[slot].as_ref()?.state {
            State::Open(peer) => Some(peer),
            State::Dialing(_) | State::HalfOpen => None,
        }
    }

    /// Slots with an open connection.
    pub fn open(&self) -> Vec<usize> {
        (0..self.links.len()).filter(|slot| self.peer(*slot).is_some()).collect()
    }

    /// The slot that is connected to this node.
    pub fn slot_of(&self, node: i32) -> Option<usize> {
        self.open().into_iter().find(|slot| self.node(*slot) == Some(node))
    }

    /// The producer dials.
    pub fn dial(&mut self, slot: usize, host: &str, port: u16, cluster: &Cluster, now: u64) {
        let node = self.aliases.get(host).copied().or_else(|| cluster.node_at(host, port));
        let lost = node.is_some_and(|node| self.unreachable.contains(&node));
        let at = if lost { None } else { Some(now + 2 * self.delay()) };
        let (up, down) = (Pipe::default(), Pipe::default());
        self.links[slot] = Some(Link { node, state: State::Dialing(at), up, down, end: None });
    }

    /// How many bytes the producer may write now: none, if the connection's buffer is full.
    pub fn room(&mut self, slot: usize) -> usize {
        let Some(link) = &self.links[slot] else { return 0 };
        let free = self.conditions.window.saturating_sub(link.up.bytes);
        free.min(self.piece())
    }

    /// The producer writes.
    pub fn write(&mut self, slot: usize, bytes: Vec<u8>, now: u64) {
        let at = now + self.delay();
        let Some(link) = &mut self.links[slot] else { return };
        if !matches!(link.state, State::HalfOpen) {
            link.up.push(at, bytes);
        }
    }

    /// The producer closes: what it wrote may arrive late, or never.
    pub fn close(&mut self, slot: usize, cluster: &mut Cluster, now: u64) {
        let Some(link) = self.links[slot].take() else { return };
        let State::Open(peer) = link.state else { return };
        if !self.dice.chance(self.conditions.late_requests) {
            cluster.disconnect(peer, Pending::Drop);
            return;
        }
        let mut up = link.up;
        up.stalled_until = now + self.dice.range(0, self.conditions.late_by);
        self.late.push((peer, up));
    }

    /// Both ends are reset now; the producer hears of it at once.
    pub fn reset(&mut self, slot: usize, now: u64) {
        if let Some(link) = &mut self.links[slot] {
            link.down.pieces.clear();
            link.end = Some(now);
        }
    }

    /// The far end is gone, and the producer is not told.
    pub fn half_open(&mut self, slot: usize, cluster: &mut Cluster) {
        let Some(link) = &mut self.links[slot] else { return };
        if let State::Open(peer) = link.state {
            cluster.disconnect(peer, Pending::Drop);
            link.state = State::HalfOpen;
            link.down.pieces.clear();
        }
    }

    /// Nothing arrives in this direction until then.
    pub fn stall(&mut self, slot: usize, way: Way, until: u64) {
        let Some(link) = &mut self.links[slot] else { return };
        let pipe = match way {
            Way::Up => &mut link.up,
            Way::Down => &mut link.down,
        };
        pipe.stalled_until = pipe.stalled_until.max(until);
    }

    /// Ends all stalls and makes every node reachable; half-open connections stay.
    pub fn heal(&mut self, now: u64) {
        self.unreachable.clear();
        for link in self.links.iter_mut().flatten() {
            link.up.stalled_until = link.up.stalled_until.min(now);
            link.down.stalled_until = link.down.stalled_until.min(now);
            if matches!(link.state, State::Dialing(None)) {
                link.state = State::Dialing(Some(now));
            }
        }
        self.late.iter_mut().for_each(|(_, up)| up.stalled_until = up.stalled_until.min(now));
    }

    /// Moves bytes. What the producer's ends hear is returned, in order for each.
    pub fn pump(&mut self, cluster: &mut Cluster, now: u64) -> Vec<(usize, Arrival)> {
        self.pump_late(cluster, now);
        let mut heard = Vec::new();
        for slot in 0..self.links.len() {
            let Some(mut link) = self.links[slot].take() else { continue };
            let open = self.pump_link(&mut link, cluster, now, &mut |a| heard.push((slot, a)));
            if open {
                self.links[slot] = Some(link);
            }
        }
        heard
    }

    /// False when the connection has ended.
    fn pump_link(
        &mut self,
        link: &mut Link,
        cluster: &mut Cluster,
        now: u64,
        hear: &mut dyn FnMut(Arrival),
    ) -> bool {
        if let State::Dialing(Some(at)) = link.state {
            if at > now {
                return true;
            }
            let Some(peer) = link.node.and_then(|node| cluster.accept(node, now)) else {
                hear(Arrival::Closed);
                return false;
            };
            link.state = State::Open(peer);
            hear(Arrival::Connected);
        }
        if let State::Open(peer) = link.state {
            while let Some(bytes) = link.up.pop(now) {
                cluster.receive(peer, &bytes, now);
            }
            self.fetch(link, peer, cluster, now);
        }
        while let Some(bytes) = link.down.pop(now) {
            hear(Arrival::Bytes(bytes));
        }
        if link.end.is_none_or(|at| at > now) {
            return true;
        }
        if let State::Open(peer) = link.state {
            if self.dice.chance(self.conditions.late_requests) {
                let mut up = core::mem::take(&mut link.up);
                up.stalled_until = now + self.dice.range(0, self.conditions.late_by);
                self.late.push((peer, up));
            } else {
                cluster.disconnect(peer, Pending::Drop);
            }
        }
        hear(Arrival::Closed);
        false
    }

    /// Takes what the node has written, as far as it fits on the way.
    fn fetch(&mut self, link: &mut Link, peer: PeerId, cluster: &mut Cluster, now: u64) {
        while link.down.bytes < self.conditions.window && link.end.is_none() {
            let piece = self.piece();
            let ready = cluster.readable(peer);
            if ready.is_empty() {
                break;
            }
            let bytes = ready[..ready.len().min(piece)].to_vec();
            cluster.consume(peer, bytes.len());
            let at = now + self.delay();
            link.down.push(at, bytes);
        }
        if link.end.is_none() && cluster.wants_close(peer) && cluster.readable(peer).is_empty() {
            link.end = Some(link.down.last.max(now + self.delay()).max(link.down.stalled_until));
        }
    }

    fn pump_late(&mut self, cluster: &mut Cluster, now: u64) {
        self.late.retain_mut(|(peer, up)| {
            while let Some(bytes) = up.pop(now) {
                cluster.receive(*peer, &bytes, now);
            }
            let answer = cluster.readable(*peer).len();
            cluster.consume(*peer, answer);
            let done = up.pieces.is_empty() && up.stalled_until <= now;
            if done {
                cluster.disconnect(*peer, Pending::Process);
            }
            !done
        });
    }

    /// When something arrives next.
    pub fn next_event(&self) -> Option<u64> {
        let links = self.links.iter().flatten().flat_map(|link| {
            let dial = match link.state {
                State::Dialing(at) => at,
                State::Open(_) | State::HalfOpen => None,
            };
            let up = if matches!(link.state, State::Open(_)) { link.up.next() } else { None };
            [dial, up, link.down.next(), link.end]
        });
        let late = self.late.iter().map(|(_, up)| Some(up.next().unwrap_or(up.stalled_until)));
        links.chain(late).flatten().min()
    }

    fn delay(&mut self) -> u64 {
        self.conditions.latency + self.dice.range(0, self.conditions.jitter)
    }

    fn piece(&mut self) -> usize {
        match self.conditions.piece {
            0 | 1 => 1,
            usize::MAX => usize::MAX,
            most => 1 + self.dice.below(most),
        }
    }
}
