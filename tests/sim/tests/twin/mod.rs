//! klamm in the place of the model's client: the model decides what happens, klamm has to do what
//! the model's client does. Produce requests are compared and answered as the model says; all other
//! requests go to the model cluster.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceResponse, ResponseHeader, TopicName};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
use klamm::{BatchId, ConnId, Demand, Destination, Instant, Outcome, Producer, Storage, Timestamp};
use klamm_sim::cluster::{Cluster, Config, PeerId, Pending, TopicConfig};
use klamm_sim::model::state::{Fate, Sent, Span};
use klamm_sim::model::{Action, Plan, World};
use klamm_sim::simulator::wire::{self, Frames, PRODUCE, SentBatch, TopicRef};
use klamm_sim::simulator::{Sample, Setup};

const TOPIC: &str = "t";
const NOT_LEADER: i16 = 6;
const BATCH_SIZE: u32 = 300;
/// Time between two batches, so that their deadlines differ.
const HOUR_MS: u64 = 3_600_000;
const DELIVERY_MS: u32 = 1_000_000_000;

struct Socket {
    node: i32,
    peer: PeerId,
    out: Frames,
    /// Produce requests without an answer: version, correlation id, batch.
    open: VecDeque<(i16, i32, SentBatch)>,
}

/// klamm, driven by the model's actions.
pub(crate) struct Twin {
    producer: Producer<'static>,
    cluster: Cluster,
    conns: Vec<ConnId>,
    sockets: Vec<Option<Socket>>,
    now: u64,
    leader: i32,
    accepted: HashMap<(BatchId, u16), i32>,
    created: Vec<(Span, u64)>,
    old: i32,
    pub(crate) fates: BTreeMap<i32, Fate>,
}

/// Runs `world` and klamm side by side through these actions, then without faults to the end.
///
/// # Errors
/// When they differ.
pub(crate) fn side_by_side(plan: &Plan, actions: &[Action]) -> Result<World, String> {
    let mut pair = Pair::new(plan)?;
    for action in actions {
        pair.apply(*action)?;
    }
    pair.finish()
}

/// The model and klamm.
pub(crate) struct Pair {
    pub(crate) world: World,
    twin: Twin,
}

impl Pair {
    /// Both before the first action.
    ///
    /// # Errors
    /// When klamm cannot get there.
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        let world = World::new(plan);
        let twin = Twin::new(&world, plan)?;
        Ok(Self { world, twin })
    }

    /// Can both do this? A deadline passes in klamm only while nothing is in flight, and klamm
    /// splits into halves where the model splits into records.
    pub(crate) fn can(&self, action: Action) -> bool {
        match action {
            Action::Deadline => self.world.state().client.in_flight.is_empty(),
            Action::Limit => false,
            _ => true,
        }
    }

    /// Does an action in both. klamm decides at once what the model's client decides in a step of
    /// its own.
    ///
    /// # Errors
    /// When they differ.
    pub(crate) fn apply(&mut self, action: Action) -> Result<(), String> {
        self.apply_one(action)?;
        for _ in 0..20 {
            if !self.world.must_decide() {
                break;
            }
            self.apply_one(Action::Client)?;
        }
        Ok(())
    }

    fn apply_one(&mut self, action: Action) -> Result<(), String> {
        let said = |what: String| format!("{what}, after {:?}", self.world.trace());
        let was_live = self.world.state().brokers.live.is_some();
        let answer = self.world.next_answer().filter(|_| action == Action::Answer);
        let head = self.world.state().client.queue.first().map(|b| b.records);
        if let Some((code, offset)) = answer {
            self.twin.answer(code, offset).map_err(said)?;
        }
        let sent = self.world.apply(action);
        let state = self.world.state();
        if let Some(live) = state.brokers.live().filter(|_| !was_live) {
            self.twin.lead(live.to);
        }
        let said = |what: String| format!("{what}, after {:?}", self.world.trace());
        if was_live && state.brokers.live.is_none() {
            self.twin.disconnect();
        }
        if let Some(sent) = sent {
            self.twin.expect_produce(sent).map_err(said)?;
        }
        if let (Action::Deadline, Some(head)) = (action, head) {
            self.twin.pass_deadline(head).map_err(said)?;
        }
        Ok(())
    }

    /// Goes on without faults, and compares what was reported.
    ///
    /// # Errors
    /// When they differ.
    pub(crate) fn finish(mut self) -> Result<World, String> {
        for _ in 0..400 {
            let Some(action) = self.world.actions().0 else { break };
            self.apply(action)?;
        }
        self.world.check();
        let violations = self.world.violations();
        if !violations.is_empty() {
            return Err(format!("the model itself: {violations:?}, {:?}", self.world.trace()));
        }
        self.twin.expect_silence()?;
        let model = &self.world.state().fates;
        if *model != self.twin.fates {
            let trace = self.world.trace();
            return Err(format!("model {model:?}, klamm {:?}, after {trace:?}", self.twin.fates));
        }
        Ok(self.world)
    }
}

impl Twin {
    fn new(world: &World, plan: &Plan) -> Result<Self, String> {
        let nodes = i32::try_from(plan.replicas).map_err(|e| e.to_string())?;
        let mut cluster = Cluster::new(Config::new(nodes));
        cluster
            .create_topic(TOPIC, TopicConfig::new(1, plan.replicas))
            .map_err(|e| format!("{e:?}"))?;
        let mut setup = Setup::quiet(nodes);
        let config = &mut setup.config;
        config.batch_size = BATCH_SIZE;
        config.request_timeout_ms = DELIVERY_MS / 4;
        config.delivery_timeout_ms = DELIVERY_MS;
        config.metadata_max_age_ms = u32::MAX;
        config.connections_max_idle_ms = u32::MAX;
        setup.limits.batch_size = BATCH_SIZE;
        let mut config: klamm::Config<'_> = setup.config;
        config.bootstrap_servers = &setup.bootstrap;
        let now = 1_000_000;
        let storage = Storage::boxed(&setup.limits);
        let start = Instant::from_micros(now);
        let mut producer = Producer::new(&config, storage, 1, start).map_err(|e| e.to_string())?;
        producer.set_clock(Timestamp::from_millis(1_700_000_000_000), start);
        let conns: Vec<ConnId> = producer.connections().collect();
        let mut twin = Self {
            sockets: conns.iter().map(|_| None).collect(),
            producer,
            cluster,
            conns,
            now,
            leader: 1,
            accepted: HashMap::new(),
            created: Vec::new(),
            old: i32::from(plan.old),
            fates: BTreeMap::new(),
        };
        twin.lead(0);
        twin.write_the_past()?;
        for batch in &world.state().client.queue {
            twin.now += HOUR_MS * 1_000;
            twin.send(batch.records)?;
        }
        Ok(twin)
    }

    /// The records that were acknowledged before the run starts.
    fn write_the_past(&mut self) -> Result<(), String> {
        for n in 0..self.old {
            let records = Span { first: n - self.old, count: 1 };
            self.send(records)?;
            self.expect_produce(Sent { epoch: 0, sequence: n, records })?;
            self.answer(0, Some(n))?;
        }
        self.disconnect();
        self.fates.clear();
        self.created.clear();
        Ok(())
    }

    fn send(&mut self, records: Span) -> Result<(), String> {
        let now = Instant::from_micros(self.now);
        let topic = self.producer.topic(TOPIC).map_err(|e| e.to_string())?;
        let size = (BATCH_SIZE as usize - 61) / usize::try_from(records.count).unwrap_or(1) - 10;
        for record in records.records() {
            let number = u64::try_from(record + self.old).map_err(|e| e.to_string())?;
            let to = Destination::partition(topic, 0);
            let id = Sample::plain(number, size)
                .with(|r| self.producer.send(to, r, now))
                .map_err(|e| format!("send: {e}"))?;
            self.accepted.insert((id.batch, id.index), record);
        }
        self.created.push((records, self.now));
        Ok(())
    }

    /// The model's client connects to this replica.
    fn lead(&mut self, replica: usize) {
        let node = i32::try_from(replica).unwrap_or(0) + 1;
        self.leader = node;
        if self.cluster.leader(TOPIC, 0) != Some(node) {
            let elected = self.cluster.elect(TOPIC, 0, node, self.now);
            assert!(elected.is_ok(), "{elected:?}");
        }
    }

    /// Lets klamm go on until it sends this.
    fn expect_produce(&mut self, expected: Sent) -> Result<(), String> {
        for _ in 0..2_000 {
            self.turn();
            for slot in 0..self.conns.len() {
                let Some(frame) = self.transmit(slot) else { continue };
                let sent = wire::request(frame.clone())?;
                if sent.api != PRODUCE {
                    self.ask_cluster(slot, &frame);
                    continue;
                }
                let socket = self.sockets[slot].as_mut().ok_or("a frame without a socket")?;
                let wrong = socket.node != self.leader;
                let batch = sent.batches.into_iter().next().ok_or("a request without batch")?;
                socket.open.push_back((sent.version, sent.correlation, batch.clone()));
                self.compare(&expected, &batch)?;
                if !wrong {
                    return Ok(());
                }
                // klamm does not know of the new leader yet; the old one says so and appends
                // nothing.
                self.answer(NOT_LEADER, None)?;
            }
            let idle = self
                .conns
                .iter()
                .all(|c| !matches!(self.producer.demand(*c), Demand::Transmit | Demand::Connect));
            if idle {
                let Some((at, _)) = self.producer.next_deadline() else {
                    return Err(format!("klamm waits for ever, the model sends {expected:?}"));
                };
                self.now = self.now.max(at.as_micros());
            }
        }
        Err(format!("klamm does not send {expected:?}"))
    }

    fn compare(&self, expected: &Sent, batch: &SentBatch) -> Result<(), String> {
        let record = |n: &u64| i32::try_from(*n).unwrap_or(i32::MAX) - self.old;
        let count = i32::try_from(batch.numbers.len()).unwrap_or(i32::MAX);
        let records = Span { first: batch.numbers.first().map_or(i32::MIN, record), count };
        let epoch = i32::from(batch.epoch);
        let is = Sent { epoch, sequence: batch.sequence, records };
        if is == *expected { Ok(()) } else { Err(format!("model {expected:?}, klamm {is:?}")) }
    }

    /// Everything but writing: time, connections, reports.
    fn turn(&mut self) {
        let now = Instant::from_micros(self.now);
        self.producer.handle_timeout(now);
        for slot in 0..self.conns.len() {
            let conn = self.conns[slot];
            match self.producer.demand(conn) {
                Demand::Connect => self.connect(slot),
                Demand::Close => self.drop_socket(slot),
                _ => {}
            }
        }
        self.read_reports();
    }

    /// A connection is made at once.
    fn connect(&mut self, slot: usize) {
        let (conn, now) = (self.conns[slot], Instant::from_micros(self.now));
        let address = self.producer.address(conn);
        let node = address.and_then(|a| self.cluster.node_at(a.host, a.port));
        self.producer.handle_dialing(conn, now);
        let peer = node.and_then(|node| Some((node, self.cluster.accept(node, self.now)?)));
        match peer {
            Some((node, peer)) => {
                let (out, open) = (Frames::default(), VecDeque::new());
                self.sockets[slot] = Some(Socket { node, peer, out, open });
                self.producer.handle_connected(conn, now);
            }
            None => self.producer.handle_disconnected(conn, now),
        }
    }

    /// One whole frame, if this connection has one to write.
    fn transmit(&mut self, slot: usize) -> Option<Bytes> {
        let (conn, now) = (self.conns[slot], Instant::from_micros(self.now));
        while self.producer.demand(conn) == Demand::Transmit {
            let socket = self.sockets[slot].as_mut()?;
            let taken = self.producer.transmit_with(conn, now, |t| {
                let mut bytes = vec![0; t.len()];
                t.copy_to(&mut bytes);
                socket.out.push(&bytes);
                Ok::<_, core::convert::Infallible>(bytes.len())
            });
            if let Some(frame) = socket.out.next() {
                return Some(frame);
            }
            if taken == Ok(0) {
                break;
            }
        }
        None
    }

    fn ask_cluster(&mut self, slot: usize, frame: &Bytes) {
        let Some(socket) = &self.sockets[slot] else { return };
        let mut framed = BytesMut::new();
        framed.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        framed.put_slice(frame);
        self.cluster.receive(socket.peer, &framed, self.now);
        let answer = self.cluster.readable(socket.peer).to_vec();
        self.cluster.consume(socket.peer, answer.len());
        let now = Instant::from_micros(self.now);
        let taken = self.producer.handle_received(self.conns[slot], &answer, now);
        assert!(taken.is_ok(), "{taken:?}");
    }

    /// The oldest request is answered.
    fn answer(&mut self, code: i16, offset: Option<i32>) -> Result<(), String> {
        let open = |s: &Option<Socket>| s.as_ref().is_some_and(|s| !s.open.is_empty());
        let slot = self.sockets.iter().position(open).ok_or("nothing is in flight")?;
        let socket = self.sockets[slot].as_mut().ok_or("no socket")?;
        let (version, correlation, batch) = socket.open.pop_front().ok_or("nothing in flight")?;
        let answer = produce_answer(version, correlation, &batch, code, offset)?;
        let now = Instant::from_micros(self.now);
        let taken = self.producer.handle_received(self.conns[slot], &answer, now);
        taken.map_err(|e| e.to_string())?;
        self.read_reports();
        Ok(())
    }

    /// The connection with the batches in flight is lost, or the one to the leader.
    fn disconnect(&mut self) {
        for slot in 0..self.sockets.len() {
            if self.sockets[slot].as_ref().is_some_and(|s| s.node == self.leader) {
                self.drop_socket(slot);
            }
        }
        self.read_reports();
    }

    fn drop_socket(&mut self, slot: usize) {
        if let Some(socket) = self.sockets[slot].take() {
            self.cluster.disconnect(socket.peer, Pending::Drop);
        }
        self.producer.handle_disconnected(self.conns[slot], Instant::from_micros(self.now));
    }

    /// The deadline of the batch with these records passes, and no later one.
    fn pass_deadline(&mut self, head: Span) -> Result<(), String> {
        let created = self.created.iter().find(|(records, _)| *records == head);
        let (_, at) = created.ok_or("a batch that was never sent")?;
        let deadline = at + u64::from(DELIVERY_MS) * 1_000;
        while self.now < deadline {
            self.turn();
            let next = self.producer.next_deadline().map(|(at, _)| at.as_micros());
            self.now = next.unwrap_or(deadline).clamp(self.now + 1, deadline.max(self.now + 1));
        }
        self.turn();
        Ok(())
    }

    /// klamm has nothing more to send.
    fn expect_silence(&mut self) -> Result<(), String> {
        for _ in 0..100 {
            self.turn();
            for slot in 0..self.conns.len() {
                let Some(frame) = self.transmit(slot) else { continue };
                let sent = wire::request(frame.clone())?;
                if sent.api == PRODUCE {
                    return Err(format!("klamm sends on: {:?}", sent.batches));
                }
                self.ask_cluster(slot, &frame);
            }
        }
        Ok(())
    }

    fn read_reports(&mut self) {
        while let Some(report) = self.producer.poll_report() {
            let fate = match report.outcome {
                Outcome::Delivered { .. } => Fate::Delivered,
                Outcome::NotPersisted(_) => Fate::NotPersisted,
                _ => Fate::Unknown,
            };
            for index in report.first..report.first + report.records {
                let key = (report.batch, index);
                let record = self.accepted.remove(&key);
                let record = record.unwrap_or_else(|| panic!("reported twice: {report:?}"));
                self.fates.insert(record, fate);
            }
        }
    }
}

fn produce_answer(
    version: i16,
    correlation: i32,
    batch: &SentBatch,
    code: i16,
    offset: Option<i32>,
) -> Result<Vec<u8>, String> {
    let partition = PartitionProduceResponse::default()
        .with_index(batch.partition)
        .with_error_code(code)
        .with_base_offset(offset.map_or(-1, i64::from))
        .with_log_append_time_ms(-1);
    let topic = TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let topic = match &batch.topic {
        TopicRef::Name(name) => topic.with_name(TopicName(StrBytes::from_string(name.clone()))),
        TopicRef::Id(id) => topic.with_topic_id(uuid::Uuid::from_bytes(*id)),
    };
    let mut body = BytesMut::new();
    ResponseHeader::default()
        .with_correlation_id(correlation)
        .encode(&mut body, ProduceResponse::header_version(version))
        .and_then(|()| {
            let response = ProduceResponse::default().with_responses(vec![topic]);
            response.encode(&mut body, version)
        })
        .map_err(|e| e.to_string())?;
    let mut frame = u32::try_from(body.len()).map_err(|e| e.to_string())?.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    Ok(frame)
}
