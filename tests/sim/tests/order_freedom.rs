//! Any order of calls is valid, and where calls are independent it makes no difference: the same
//! bytes go out to each broker at the same time, and the same reports come.
//!
//! Which calls commute, at one instant and between two facts (what the adapter tells: connected,
//! received, disconnected, and the first `handle_timeout` of the instant):
//! - questions (`demand`, `next_deadline`, `peek_report`, `stats`, ...) with everything;
//! - `handle_timeout` while `next_deadline` is not reached with everything: it changes nothing;
//! - `poll_report` with every `send`, while memory is not short;
//! - a `send` with another one to a partition of another leader;
//! - `transmit_with` on one connection with that on another, each frame taken in any pieces.
//!
//! What does not commute, because the order says something: two records for one leader (their
//! order is that of the records), a `send` or a `flush` with a `transmit_with` to that leader (a
//! request is made of what is there when it is made), and a `handle_timeout` that is due with either
//! (what comes due gets in line, and a control request takes the idlest connection).

use std::collections::{BTreeMap, HashMap};

use klamm::{BatchId, ConnId, Demand, Destination, Instant, Outcome, Producer, Record, Storage};
use klamm::{Timestamp, TopicId};
use klamm_sim::cluster::{Api, Cluster, Config, Fault, PeerId, Pending, Rule, TopicConfig};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::Setup;

const NODES: i32 = 3;
const PARTITIONS: i32 = 7;
const TURNS: u64 = 120;

/// A broker's address and when bytes went there.
type Written = BTreeMap<(String, u64), Vec<u8>>;
/// When, for which partition, about which records, and what.
type Reported = Vec<(u64, i32, Vec<u64>, Outcome)>;

struct Run {
    producer: Producer<'static>,
    topic: TopicId,
    cluster: Cluster,
    peers: HashMap<ConnId, PeerId>,
    /// What was written in this turn; the cluster gets it at the turn's end.
    out: BTreeMap<(String, ConnId), Vec<u8>>,
    /// Draws the order of calls; `None`: as they come.
    order: Option<Dice>,
    now: u64,
    sent: u64,
    ids: HashMap<BatchId, Vec<u64>>,
    written: Written,
    reported: Reported,
}

impl Run {
    fn new(seed: u64, order: Option<Dice>) -> Self {
        let mut setup = Setup::quiet(NODES);
        setup.config.linger_ms = if seed.is_multiple_of(2) { 0 } else { 4 };
        setup.config.batch_size = 400;
        setup.limits.batch_size = 400;
        let mut cluster = Cluster::new(Config { seed, ..Config::new(NODES) });
        cluster.create_topic("t", TopicConfig::new(PARTITIONS, 1)).expect("a new topic");
        let mut config: klamm::Config<'_> = setup.config;
        config.bootstrap_servers = &setup.bootstrap;
        let (now, storage) = (1_000, Storage::boxed(&setup.limits));
        let producer = Producer::new(&config, storage, seed, Instant::from_micros(now));
        let mut producer = producer.expect("the options are legal");
        producer.set_clock(Timestamp::from_millis(1_700_000_000_000), Instant::from_micros(now));
        let topic = producer.topic("t").expect("there is room for it");
        Self {
            producer,
            topic,
            cluster,
            peers: HashMap::new(),
            out: BTreeMap::new(),
            order,
            now,
            sent: 0,
            ids: HashMap::new(),
            written: Written::new(),
            reported: Reported::new(),
        }
    }

    fn turn(&mut self, script: &mut Dice) {
        self.fault(script);
        self.cluster.handle_timeout(self.now);
        self.hear();
        self.call(script);
        self.drive();
        for ((address, conn), bytes) in core::mem::take(&mut self.out) {
            if let Some(peer) = self.peers.get(&conn) {
                self.cluster.receive(*peer, &bytes, self.now);
            }
            self.written.entry((address, self.now)).or_default().extend(bytes);
        }
        self.now += 1 + script.range(0, 3_000) + if script.chance(50) { 1_000_000 } else { 0 };
    }

    fn fault(&mut self, script: &mut Dice) {
        let (node, now) = (1 + i32::try_from(script.below(3)).expect("few"), self.now);
        let fault = script.pick(&[6, 19, 7, 10, 87]);
        match script.below(30) {
            // No leader ever moves: partitions that meet on one leader stand in the order in which
            // their batches were begun.
            0 | 1 => _ = self.cluster.restart(node, now),
            2 => self.cluster.inject(Rule::once(Api::Produce, Fault::Error(fault))),
            3 => self.cluster.inject(Rule::once(Api::Produce, Fault::CloseAfter)),
            4 => self.cluster.inject(Rule::once(Api::Produce, Fault::Throttle(2))),
            _ => {}
        }
    }

    /// The facts, in the order of the brokers' addresses.
    fn hear(&mut self) {
        let now = Instant::from_micros(self.now);
        for (_, conn) in self.by_address() {
            let Some(peer) = self.peers.get(&conn).copied() else { continue };
            let bytes = self.cluster.readable(peer).to_vec();
            self.cluster.consume(peer, bytes.len());
            self.ask();
            // A broken answer is answered by `Demand::Close`.
            let _ = self.producer.handle_received(conn, &bytes, now);
            if self.cluster.wants_close(peer) {
                self.disconnect(conn);
            }
        }
    }

    /// The application's calls: in this test's order, or in any that is as good.
    fn call(&mut self, script: &mut Dice) {
        // The records for one leader stay in order; while nothing is known of it, all do.
        let mut groups: BTreeMap<Option<i32>, Vec<(i32, u64, usize)>> = BTreeMap::new();
        for _ in 0..script.below(8) {
            let partition = i32::try_from(script.below(7)).expect("few");
            let size = script.pick(&[10, 40, 150]);
            let known = (0..PARTITIONS).all(|p| self.producer.leader(self.topic, p).is_some());
            let leader = self.producer.leader(self.topic, partition).filter(|_| known);
            groups.entry(leader).or_default().push((partition, self.sent, size));
            self.sent += 1;
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.iter_mut().for_each(|group| group.reverse());
        let now = Instant::from_micros(self.now);
        self.producer.handle_timeout(now);
        while groups.iter().any(|group| !group.is_empty()) {
            let chosen = match &mut self.order {
                Some(order) => order.below(groups.len() + 3),
                None => groups.iter().position(|group| !group.is_empty()).unwrap_or_default(),
            };
            let leaders = groups.len();
            match groups.get_mut(chosen) {
                Some(group) => {
                    if let Some((partition, number, size)) = group.pop() {
                        self.send(partition, number, size);
                    }
                }
                None if chosen == leaders => self.ask(),
                None if chosen == leaders + 1 => self.read(),
                None => self.wait(),
            }
        }
        self.read();
        self.producer.handle_timeout(now);
    }

    fn send(&mut self, partition: i32, number: u64, size: usize) {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(size, b'.');
        let to = Destination::partition(self.topic, partition);
        let now = Instant::from_micros(self.now);
        let id = self.producer.send(to, &Record::value(&value), now).expect("memory is not short");
        let batch = self.ids.entry(id.batch).or_default();
        assert_eq!(usize::from(id.index), batch.len());
        batch.push(number);
    }

    /// Dials and writes until nothing more happens at this instant.
    fn drive(&mut self) {
        let now = Instant::from_micros(self.now);
        for round in 0.. {
            assert!(round < 100, "a busy loop");
            let mut progress = false;
            for (host, conn) in self.by_address() {
                if self.producer.demand(conn) == Demand::Connect {
                    let node = host.trim_start_matches("node").parse().expect("nodeN");
                    self.producer.handle_dialing(conn, now);
                    if let Some(peer) = self.cluster.accept(node, self.now) {
                        self.peers.insert(conn, peer);
                        self.producer.handle_connected(conn, now);
                    } else {
                        self.producer.handle_disconnected(conn, now);
                    }
                    progress = true;
                }
            }
            let mut writers = self.by_address();
            while !writers.is_empty() {
                let next = self.order.as_mut().map_or(0, |order| order.below(writers.len()));
                let (address, conn) = writers.remove(next);
                self.ask();
                if self.order.is_some() {
                    self.wait();
                }
                progress |= self.write(address, conn);
            }
            for (_, conn) in self.by_address() {
                if self.producer.demand(conn) == Demand::Close {
                    self.disconnect(conn);
                    progress = true;
                }
            }
            self.producer.handle_timeout(now);
            self.read();
            let due = self.producer.next_deadline().is_some_and(|(at, _)| at <= now);
            let wanted = self.by_address().into_iter().any(|(_, conn)| {
                !matches!(self.producer.demand(conn), Demand::Nothing | Demand::Receive)
            });
            if !progress && !due && !wanted {
                break;
            }
        }
    }

    fn write(&mut self, address: String, conn: ConnId) -> bool {
        let now = Instant::from_micros(self.now);
        let mut bytes = vec![0; 100_000];
        let mut written = 0;
        while self.producer.demand(conn) == Demand::Transmit {
            let room = self.order.as_mut().map_or(5_000, |order| 1 + order.below(200));
            let out = &mut bytes[written..written + room];
            let write =
                |t: &klamm::Transmit<'_>| Ok::<_, core::convert::Infallible>(t.copy_to(out));
            let Ok(taken) = self.producer.transmit_with(conn, now, write);
            written += taken;
        }
        self.out.entry((address, conn)).or_default().extend(&bytes[..written]);
        written > 0
    }

    fn disconnect(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.remove(&conn) {
            self.cluster.disconnect(peer, Pending::Drop);
        }
        self.producer.handle_disconnected(conn, Instant::from_micros(self.now));
    }

    fn read(&mut self) {
        while let Some(report) = self.producer.poll_report() {
            let batch = &self.ids[&report.batch];
            let first = usize::from(report.first);
            let numbers = batch[first..first + usize::from(report.records)].to_vec();
            self.reported.push((self.now, report.partition.index, numbers, report.outcome));
        }
    }

    /// Lets time pass that does not pass.
    fn wait(&mut self) {
        let now = Instant::from_micros(self.now);
        if self.producer.next_deadline().is_none_or(|(at, _)| at > now) {
            self.producer.handle_timeout(now);
        }
    }

    /// Questions, which change nothing.
    fn ask(&mut self) {
        let Some(order) = &mut self.order else { return };
        for _ in 0..order.below(3) {
            for conn in self.producer.connections() {
                let _ = (self.producer.demand(conn), self.producer.address(conn));
            }
            let _ = (self.producer.next_deadline(), self.producer.peek_report());
            let _ = (self.producer.stats(), self.producer.report_records().map(Iterator::count));
            let _ = (self.producer.partition_count(self.topic), self.producer.take_wake());
        }
    }

    /// The connection slots that have a broker. Which slot it is may depend on the order.
    fn by_address(&self) -> Vec<(String, ConnId)> {
        let host = |conn| self.producer.address(conn).map(|at| (at.host.to_owned(), conn));
        let mut conns: Vec<_> = self.producer.connections().filter_map(host).collect();
        conns.sort_by(|a, b| a.0.cmp(&b.0));
        conns
    }
}

/// The same script, with calls in the order that `order` draws.
fn run(seed: u64, order: Option<u64>) -> (Written, Reported, u64) {
    let mut run = Run::new(seed, order.map(Dice::new));
    let mut script = Dice::new(seed);
    for _ in 0..TURNS {
        run.turn(&mut script);
    }
    // Partitions are independent of each other.
    run.reported.sort_by_key(|(at, partition, numbers, _)| (*at, *partition, numbers[0]));
    let delivered = run.producer.stats().delivered;
    (run.written, run.reported, delivered)
}

#[test]
fn independent_calls_may_come_in_any_order() {
    let mut delivered = 0;
    for seed in 0..60 {
        let (bytes, reports, count) = run(seed, None);
        delivered += count;
        for order in [1, 2, 3] {
            let (other_bytes, other_reports, _) = run(seed, Some(order));
            let differs = bytes.iter().zip(&other_bytes).find(|(a, b)| a != b);
            assert!(differs.is_none(), "seed {seed}, order {order}: {differs:?}");
            assert_eq!(bytes.len(), other_bytes.len(), "seed {seed}, order {order}");
            assert_eq!(reports, other_reports, "seed {seed}, order {order}");
        }
    }
    assert!(delivered > 10_000, "{delivered}");
}
