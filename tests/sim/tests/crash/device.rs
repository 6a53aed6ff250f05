//! A device whose power is cut, with the brokers that it sends to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use klamm::{
    Compression, Compressor, Config, ConnId, Demand, Destination, Instant, Outcome, Producer,
    Report, RestoreError, SendError, Storage, Timestamp,
};
use klamm_sim::cluster::{Api, Cluster, Fault, PeerId, Pending, Rule, TopicConfig};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Sample, Setup};

use super::flash::{Gate, Page, Writing};

const RECORDS: u64 = 36;
pub(super) const PARTITIONS: i32 = 2;

/// The power is gone.
#[derive(Debug)]
pub(super) struct Dark;

/// A device: what outlives the power, and what does not.
pub(super) struct Device {
    pub(super) gate: Gate,
    pub(super) setup: Setup,
    pub(super) cluster: Cluster,
    pub(super) pages: [Page; 2],
    pub(super) now: u64,
    pub(super) dice: Dice,
    /// Steps until the power is cut.
    pub(super) fuse: u64,
    pub(super) steps: u64,
    pub(super) producer: Producer<'static>,
    pub(super) peers: Vec<Option<PeerId>>,
    pub(super) numbers: BTreeMap<u16, Vec<u64>>,
    pub(super) covered: BTreeSet<u64>,
    pub(super) writing: Option<Writing>,
    pub(super) to_send: VecDeque<u64>,
    pub(super) failed: Option<Report>,
    pub(super) restarted: bool,
    /// False ones that may still be claimed, where snapshots take time.
    pub(super) gaps: u32,
}

pub(super) fn setup(compression: Compression) -> Setup {
    let mut setup = Setup::quiet(2);
    setup.config.batch_size = 250;
    setup.limits.batch_size = 250;
    setup.config.request_timeout_ms = 400;
    setup.config.delivery_timeout_ms = 600_000;
    setup.config.retry_backoff_ms = 10;
    setup.config.retry_backoff_max_ms = 50;
    setup.config.compression_type = compression;
    setup.config.hold_stamped = true;
    setup
}

impl Device {
    pub(super) fn new(seed: u64, gate: Gate, setup: Setup, fuse: u64) -> Self {
        let mut cluster = Cluster::new(setup.cluster.clone());
        // Batches that are nearly full are too large, and are split; compressed ones, too.
        let mut topic = TopicConfig::new(PARTITIONS, 2);
        let share = if setup.config.compress_outside { 12 } else { 18 };
        topic.max_message_bytes = setup.config.batch_size as usize * share / 25;
        cluster.create_topic(TOPIC, topic).expect("a new topic");
        Self {
            gate,
            cluster,
            pages: [Page::default(), Page::default()],
            now: 1_000_000,
            dice: Dice::new(seed),
            fuse,
            steps: 0,
            producer: start(&setup, &[], 1_000_000).expect("the options are legal"),
            peers: vec![None; usize::from(setup.limits.connections)],
            setup,
            numbers: BTreeMap::new(),
            covered: BTreeSet::new(),
            writing: None,
            to_send: (0..RECORDS).collect(),
            failed: None,
            restarted: false,
            gaps: 1,
        }
    }

    pub(super) fn step(&mut self) -> Result<(), Dark> {
        self.steps += 1;
        self.fuse = self.fuse.saturating_sub(1);
        if self.fuse == 0 { Err(Dark) } else { Ok(()) }
    }

    /// The power is back: the newest snapshot that is whole counts, and what it does not cover is sent anew.
    pub(super) fn restart(&mut self, pending: Pending) {
        for peer in self.peers.iter_mut().filter_map(Option::take) {
            self.cluster.disconnect(peer, pending);
        }
        // The next program may be built with other options.
        self.setup.config.compress_outside =
            self.setup.config.compress_outside && self.dice.chance(500);
        self.pages.sort_by_key(|page| core::cmp::Reverse(page.serial));
        let mut pages = self.pages.iter();
        let (producer, page) = loop {
            let page = pages.next().cloned().unwrap_or_default();
            match start(&self.setup, &page.bytes, self.now) {
                Ok(producer) => break (producer, page),
                Err(RestoreError::Corrupt) => {}
                Err(error) => panic!("{error}"),
            }
        };
        self.producer = producer;
        self.numbers.clear();
        self.writing = None;
        self.to_send = (0..RECORDS).filter(|number| !page.covered.contains(number)).collect();
        self.covered = page.covered;
        self.fuse = u64::MAX;
        self.restarted = true;
    }

    /// Until everything was sent and has its outcome.
    pub(super) fn run(&mut self) -> Result<(), Dark> {
        let mut turns = 0;
        while !self.to_send.is_empty() || self.producer.stats().buffered > 0 {
            turns += 1;
            assert!(turns < 20_000, "no end: {:?}, {:?}", self.producer.stats(), self.to_send);
            self.send()?;
            self.turn()?;
        }
        Ok(())
    }

    pub(super) fn send(&mut self) -> Result<(), Dark> {
        for _ in 0..self.dice.below(6) {
            let Some(&number) = self.to_send.front() else { return Ok(()) };
            let topic = self.producer.topic(TOPIC).expect("there is room for it");
            let to = Destination::partition(topic, place(number));
            let (producer, now) = (&mut self.producer, Instant::from_micros(self.now));
            let sample = Sample::plain(number, 40);
            match sample.with(|record| producer.send(to, record, now)) {
                Ok(id) => {
                    let slot = u16::try_from(id.batch.index()).expect("few batches");
                    let numbers = self.numbers.entry(slot).or_default();
                    if id.index == 0 {
                        numbers.clear();
                    }
                    numbers.push(number);
                    self.to_send.pop_front();
                }
                Err(SendError::Full) => return Ok(()),
                Err(error) => panic!("{error}"),
            }
            self.step()?;
        }
        Ok(())
    }

    pub(super) fn turn(&mut self) -> Result<(), Dark> {
        if self.dice.chance(60) {
            // To a producer that does not know what it sent before a crash, 45 for all of it means that the log is gone.
            // And so it does if it is said twice, or by a broker that knows nothing and takes any number.
            let known = (0..PARTITIONS).all(|p| self.cluster.log(TOPIC, p).next().is_some());
            let gap = !self.restarted && (self.writes_at_once() || known && self.gaps > 0);
            let false_gap = if gap { 45 } else { 19 };
            let faults = [
                Fault::CloseAfter,
                Fault::CloseBefore,
                Fault::Error(false_gap),
                Fault::Error(19),
                Fault::AppendThenError { code: 20, keep_offset: false },
                Fault::DropResponse,
            ];
            let fault = self.dice.below(faults.len());
            self.gaps -= u32::from(fault == 2 && gap && !self.writes_at_once());
            let fault = faults[fault].clone();
            self.cluster.inject(Rule::once(Api::Produce, fault));
        }
        let now = Instant::from_micros(self.now);
        self.producer.handle_timeout(now);
        self.step()?;
        for conn in self.producer.connections() {
            self.serve(conn, now)?;
        }
        self.squeeze(now)?;
        self.open_gate()?;
        while let Some(report) = self.producer.poll_report() {
            if !matches!(report.outcome, Outcome::Delivered { .. }) {
                self.failed = Some(report);
            }
            self.step()?;
        }
        let next = self.producer.next_deadline().map_or(u64::MAX, |(at, _)| at.as_micros());
        self.now = next.clamp(self.now + 100, self.now + 20_000);
        self.cluster.handle_timeout(self.now);
        Ok(())
    }

    /// Compresses what waits for it; now and then only later, so that the power is cut while it waits.
    fn squeeze(&mut self, now: Instant) -> Result<(), Dark> {
        while !self.dice.chance(200)
            && let Some(job) = self.producer.take_uncompressed(now)
        {
            let plain = self.producer.uncompressed(job).expect("it was just taken").to_vec();
            let mut small = vec![0; plain.len()];
            let done = Compressor::new().compress(job.codec, &plain, &mut small).unwrap_or(None);
            self.producer.handle_compressed(job, done.map(|len| &small[..len]), now);
            self.step()?;
        }
        Ok(())
    }

    pub(super) fn serve(&mut self, conn: ConnId, now: Instant) -> Result<(), Dark> {
        let slot = conn.index();
        if self.producer.demand(conn) == Demand::Connect {
            let address = self.producer.address(conn).expect("a dialing slot has an address");
            let node = self.cluster.node_at(address.host, address.port);
            self.producer.handle_dialing(conn, now);
            self.peers[slot] = node.and_then(|node| self.cluster.accept(node, self.now));
            match self.peers[slot] {
                Some(_) => self.producer.handle_connected(conn, now),
                None => self.producer.handle_disconnected(conn, now),
            }
            self.step()?;
        }
        let Some(peer) = self.peers[slot] else { return Ok(()) };
        let mut bytes = [0; 700];
        while self.producer.demand(conn) == Demand::Transmit {
            let write = |t: &klamm::Transmit<'_>| Ok::<_, ()>(t.copy_to(&mut bytes));
            let taken = self.producer.transmit_with(conn, now, write).expect("it is written");
            if taken == 0 {
                break;
            }
            self.cluster.receive(peer, &bytes[..taken], self.now);
            self.step()?;
        }
        let ready = self.cluster.readable(peer).to_vec();
        self.cluster.consume(peer, ready.len());
        if !ready.is_empty() {
            // A broken answer is an error, and the connection is closed below.
            let _ = self.producer.handle_received(conn, &ready, now);
            self.step()?;
        }
        if self.cluster.wants_close(peer) || self.producer.demand(conn) == Demand::Close {
            self.cluster.disconnect(peer, Pending::Process);
            self.peers[slot] = None;
            self.producer.handle_disconnected(conn, now);
            self.step()?;
        }
        Ok(())
    }

    /// Every record once, in order.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(report) = &self.failed {
            return Err(format!("not delivered: {report:?}"));
        }
        let mut all = BTreeSet::new();
        for partition in 0..PARTITIONS {
            let log: Vec<u64> =
                self.cluster.log(TOPIC, partition).map(|record| Sample::number(&record)).collect();
            if !log.is_sorted_by(|one, next| one < next) {
                return Err(format!("partition {partition} twice or out of order: {log:?}"));
            }
            all.extend(log);
        }
        let lost: Vec<u64> = (0..RECORDS).filter(|number| !all.contains(number)).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("lost: {lost:?}")) }
    }
}

fn place(number: u64) -> i32 {
    i32::from(!number.is_multiple_of(3))
}

/// A new producer, or one from a snapshot.
pub(super) fn start(
    setup: &Setup,
    snapshot: &[u8],
    now: u64,
) -> Result<Producer<'static>, RestoreError> {
    let mut config: Config<'_> = setup.config;
    config.bootstrap_servers = &setup.bootstrap;
    let (storage, now) = (Storage::boxed(&setup.limits), Instant::from_micros(now));
    let mut producer = if snapshot.is_empty() {
        Producer::new(&config, storage, now.as_micros(), now).map_err(RestoreError::Config)?
    } else {
        Producer::restore(&config, storage, now.as_micros(), snapshot, now)?
    };
    producer.set_clock(Timestamp::from_millis(1_700_000_000_000), now);
    Ok(producer)
}
