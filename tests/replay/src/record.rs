//! A run against the model cluster with faults, and the trace of it.

extern crate std;

use std::vec::Vec;

use klamm::{Demand, Stats};
use klamm_sim::cluster::{Api, Cluster, Config, Fault, PeerId, Pending, Rule, TopicConfig};
use klamm_sim::dice::Dice;

use crate::session::{Memory, Output, Session, TOPIC};
use crate::trace::{Call, Codec};

const CONNECTIONS: u8 = 3;

/// A recorded run.
#[derive(Debug)]
pub struct Recorded {
    /// The calls.
    pub trace: Vec<u8>,
    /// What the producer gave back.
    pub output: Vec<u8>,
    /// The producer's counters at the end.
    pub stats: Stats,
}

impl Output for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

struct Run<'m> {
    session: Session<'m>,
    cluster: Cluster,
    peers: [Option<PeerId>; CONNECTIONS as usize],
    trace: Vec<u8>,
    output: Vec<u8>,
    dice: Dice,
    now: u64,
}

/// Runs so many turns; `None` if the codec is not built in.
pub fn record(codec: Codec, seed: u64, turns: u32) -> Option<Recorded> {
    let mut memory = Memory::new();
    let mut cluster = Cluster::new(Config::new(2));
    cluster.create_topic(TOPIC, TopicConfig::new(4, 2)).ok()?;
    let mut run = Run {
        session: Session::new(codec, &mut memory)?,
        cluster,
        peers: [None; CONNECTIONS as usize],
        trace: Vec::from([codec as u8]),
        output: Vec::new(),
        dice: Dice::new(seed),
        now: 1_000,
    };
    for turn in 0..turns {
        run.send_some();
        // Enough for some of them at once, and for all to be over before the end.
        if turn % 10 == 0 && turn < turns - turns / 10 {
            run.fault();
        }
        run.turn(5_000);
    }
    run.call(&Call::Flush);
    run.call(&Call::Close);
    for _ in 0..1_000 {
        run.turn(50_000);
    }
    let stats = run.session.producer.stats();
    Some(Recorded { trace: run.trace, output: run.output, stats })
}

impl Run<'_> {
    fn call(&mut self, call: &Call<'_>) {
        call.write(self.now, |bytes| self.trace.extend_from_slice(bytes));
        self.session.call(self.now, call, &mut self.output);
    }

    fn send_some(&mut self) {
        for _ in 0..self.dice.below(4) {
            let dice = &mut self.dice;
            let key = std::format!("sensor-{}", dice.below(20));
            let value = std::format!("{:>1$}", dice.any(), 8 + dice.below(200));
            let call = Call::Send {
                partition: dice.chance(300).then_some(1),
                key: dice.chance(700).then_some(key.as_bytes()),
                value: dice.chance(950).then_some(value.as_bytes()),
                header: dice.chance(200).then_some(&b"celsius"[..]),
                timestamp: dice.chance(200).then_some(1_699_999_999_000),
            };
            self.call(&call);
        }
    }

    fn fault(&mut self) {
        let (node, now) = (1 + i32::from(self.dice.chance(500)), self.now);
        let fault = match self.dice.below(20) {
            // A node that is not in sync cannot lead; then nothing happens.
            0 => return self.cluster.restart(node, now).unwrap_or_default(),
            1 => return self.cluster.elect(TOPIC, 0, node, now).unwrap_or_default(),
            2 => Fault::CloseAfter,
            3 => Fault::Error(10),
            4 => Fault::Error(6),
            5 => Fault::Throttle(50),
            6 => Fault::Garbage(Vec::from([0, 0, 0, 9, 1, 2, 3])),
            _ => return,
        };
        self.cluster.inject(Rule::once(Api::Produce, fault));
    }

    fn turn(&mut self, pause: u64) {
        self.cluster.handle_timeout(self.now);
        self.call(&Call::Timeout);
        for conn in 0..CONNECTIONS {
            self.serve(conn);
        }
        while self.session.producer.peek_report().is_some() {
            self.call(&Call::Report);
        }
        self.now += 100 + self.dice.range(0, pause);
    }

    fn serve(&mut self, conn: u8) {
        let slot = usize::from(conn);
        if self.session.demand(conn) == Demand::Connect {
            let id = self.session.conn(conn);
            let address = id.and_then(|id| self.session.producer.address(id));
            let node = address.and_then(|at| self.cluster.node_at(at.host, at.port));
            self.peers[slot] = node.and_then(|node| self.cluster.accept(node, self.now));
            self.call(&Call::Dialing(conn));
            let answer = match self.peers[slot] {
                Some(_) => Call::Connected(conn),
                None => Call::Disconnected(conn),
            };
            self.call(&answer);
        }
        while self.session.demand(conn) == Demand::Transmit {
            let room = 1 + u32::try_from(self.dice.below(2_000)).unwrap_or_default();
            let before = self.output.len();
            self.call(&Call::Transmit(conn, room));
            // Behind the bytes stands what every call tells.
            let written = self.output.get(before..).unwrap_or_default();
            let told = std::format!("{:?};", self.session.producer.next_deadline());
            let sent = written.strip_suffix(told.as_bytes()).unwrap_or_default();
            if let Some(peer) = self.peers[slot] {
                self.cluster.receive(peer, sent, self.now);
            }
        }
        let Some(peer) = self.peers[slot] else { return };
        let ready = self.cluster.readable(peer).to_vec();
        self.cluster.consume(peer, ready.len());
        for piece in ready.chunks(1 + self.dice.below(300)) {
            self.call(&Call::Received(conn, piece));
        }
        let lost = self.cluster.wants_close(peer) || self.dice.chance(3);
        if lost || self.session.demand(conn) == Demand::Close {
            self.cluster.disconnect(peer, Pending::Drop);
            self.peers[slot] = None;
            self.call(&Call::Disconnected(conn));
        }
    }
}
