//! Power is cut at every step of a run, and the producer restored from the last snapshot: nothing is lost, stored twice
//! or out of order. And the same run with a gate that opens too early, which must be caught.

#![expect(clippy::unwrap_in_result, reason = "the results tell of power, not of errors")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use klamm::{
    BatchId, Compression, Compressor, Config, ConnId, Demand, Destination, Explain, Instant,
};
use klamm::{
    Numbered, Outcome, PartitionId, Producer, Reason, Report, RestoreError, Scope, SendError,
    Storage, Timestamp,
};
use klamm_sim::cluster::{Api, Cluster, Fault, PeerId, Pending, Rule, TopicConfig};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Sample, Setup};

const RECORDS: u64 = 36;
const PARTITIONS: i32 = 2;

/// The power is gone.
#[derive(Debug)]
struct Dark;

/// Half of the flash: a snapshot, and the numbers of the records that klamm answers for since then.
#[derive(Clone, Debug, Default)]
struct Page {
    serial: u64,
    bytes: Vec<u8>,
    covered: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gate {
    /// What the documentation asks for.
    AfterTheSnapshot,
    /// The mutant.
    BeforeTheSnapshot,
    /// Turns go on while a snapshot is written: only what is still numbered as it says is released.
    WhileItIsWritten,
}

/// A snapshot on its way to the flash.
struct Writing {
    turns: u64,
    bytes: Vec<u8>,
    covered: BTreeSet<u64>,
    held: Vec<Numbered>,
}

/// A device: what outlives the power, and what does not.
struct Device {
    gate: Gate,
    setup: Setup,
    cluster: Cluster,
    pages: [Page; 2],
    now: u64,
    dice: Dice,
    /// Steps until the power is cut.
    fuse: u64,
    steps: u64,
    producer: Producer<'static>,
    peers: Vec<Option<PeerId>>,
    numbers: BTreeMap<u16, Vec<u64>>,
    covered: BTreeSet<u64>,
    writing: Option<Writing>,
    to_send: VecDeque<u64>,
    failed: Option<Report>,
    restarted: bool,
    /// False ones that may still be claimed, where snapshots take time.
    gaps: u32,
}

fn setup(compression: Compression) -> Setup {
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
    fn new(seed: u64, gate: Gate, setup: Setup, fuse: u64) -> Self {
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

    fn step(&mut self) -> Result<(), Dark> {
        self.steps += 1;
        self.fuse = self.fuse.saturating_sub(1);
        if self.fuse == 0 { Err(Dark) } else { Ok(()) }
    }

    /// The power is back: the newest snapshot that is whole counts, and what it does not cover is sent anew.
    fn restart(&mut self, pending: Pending) {
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
    fn run(&mut self) -> Result<(), Dark> {
        let mut turns = 0;
        while !self.to_send.is_empty() || self.producer.stats().buffered > 0 {
            turns += 1;
            assert!(turns < 20_000, "no end: {:?}, {:?}", self.producer.stats(), self.to_send);
            self.send()?;
            self.turn()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Dark> {
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

    fn turn(&mut self) -> Result<(), Dark> {
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

    fn serve(&mut self, conn: ConnId, now: Instant) -> Result<(), Dark> {
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

    /// What is held is released when a snapshot that has it is safe.
    fn open_gate(&mut self) -> Result<(), Dark> {
        if !self.writes_at_once() {
            return self.write_meanwhile();
        }
        let held: Vec<BatchId> =
            self.producer.numbered().filter(|b| b.held).map(|b| b.batch).collect();
        if held.is_empty() {
            return Ok(());
        }
        if self.gate == Gate::AfterTheSnapshot {
            self.write_page()?;
        }
        for batch in held {
            assert!(self.producer.release_batch(batch), "{batch:?} is held");
            assert!(!self.producer.release_batch(batch), "{batch:?} is held no more");
        }
        if self.gate == Gate::BeforeTheSnapshot {
            // It leaves before the snapshot is safe.
            let now = Instant::from_micros(self.now);
            for conn in self.producer.connections() {
                self.serve(conn, now)?;
            }
            self.write_page()?;
        }
        self.step()
    }

    fn writes_at_once(&self) -> bool {
        matches!(self.gate, Gate::AfterTheSnapshot | Gate::BeforeTheSnapshot)
    }

    /// The same for who has something else to do while the flash is busy.
    fn write_meanwhile(&mut self) -> Result<(), Dark> {
        let Some(mut writing) = self.writing.take() else {
            let held: Vec<Numbered> = self.producer.numbered().filter(|b| b.held).collect();
            if !held.is_empty() {
                let bytes = self.take_snapshot();
                let (turns, covered) = (self.dice.range(0, 12), self.covered.clone());
                self.writing = Some(Writing { turns, bytes, covered, held });
            }
            return Ok(());
        };
        if writing.turns > 0 {
            writing.turns -= 1;
            self.writing = Some(writing);
            return Ok(());
        }
        self.overwrite_page(&writing.bytes, &writing.covered)?;
        let now: Vec<Numbered> = self.producer.numbered().collect();
        for saved in writing.held {
            if now.contains(&saved) {
                self.producer.release_batch(saved.batch);
            }
        }
        self.step()
    }

    fn write_page(&mut self) -> Result<(), Dark> {
        let bytes = self.take_snapshot();
        self.overwrite_page(&bytes, &self.covered.clone())
    }

    fn take_snapshot(&mut self) -> Vec<u8> {
        for numbered in self.producer.numbered() {
            let slot = u16::try_from(numbered.batch.index()).expect("few batches");
            // Parts of a split, and what was restored, are covered already.
            self.covered.extend(self.numbers.get(&slot).into_iter().flatten());
        }
        let mut bytes = vec![0; self.producer.snapshot_len()];
        assert_eq!(self.producer.snapshot(&mut bytes[1..]), None, "it would not fit");
        assert_eq!(self.producer.snapshot(&mut bytes), Some(bytes.len()));
        bytes
    }

    /// Power may be cut before, while and after the older page is overwritten.
    fn overwrite_page(&mut self, bytes: &[u8], covered: &BTreeSet<u64>) -> Result<(), Dark> {
        let serial = 1 + self.pages[0].serial.max(self.pages[1].serial);
        let older = usize::from(self.pages[0].serial > self.pages[1].serial);
        self.step()?;
        let half = bytes[..bytes.len() / 2].to_vec();
        self.pages[older] = Page { serial, bytes: half, covered: BTreeSet::new() };
        self.step()?;
        self.pages[older] = Page { serial, bytes: bytes.to_vec(), covered: covered.clone() };
        self.step()
    }

    /// Every record once, in order.
    fn check(&self) -> Result<(), String> {
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
fn start(setup: &Setup, snapshot: &[u8], now: u64) -> Result<Producer<'static>, RestoreError> {
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

/// Runs without a crash, then with one at each step, and perhaps a second one some steps later: what went wrong.
fn crashes(seed: u64, gate: Gate, setup: &Setup) -> Vec<String> {
    let mut whole = Device::new(seed, gate, setup.clone(), u64::MAX);
    whole.run().expect("there is power");
    whole.check().unwrap_or_else(|what| panic!("seed {seed}, without a crash: {what}"));
    let mut broken = Vec::new();
    for fuse in 1..=whole.steps {
        let mut device = Device::new(seed, gate, setup.clone(), fuse);
        let mut crashes = 0;
        while device.run().is_err() {
            crashes += 1;
            let process = device.dice.chance(500);
            device.restart(if process { Pending::Process } else { Pending::Drop });
            if crashes == 1 && device.dice.chance(300) {
                device.fuse = 1 + device.dice.range(0, 150);
            }
        }
        if let Err(what) = device.check() {
            broken.push(format!("seed {seed}, crash at step {fuse}: {what}"));
        }
    }
    assert!(whole.steps > 100, "{} steps", whole.steps);
    broken
}

#[test]
fn exactly_once_across_a_crash_at_every_step() {
    for seed in 0..3 {
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup(Compression::None));
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// Parts of a split lie in one chunk then, and get chunks of their own when they are restored.
#[test]
fn exactly_once_where_memory_is_tight() {
    let mut setup = setup(Compression::None);
    setup.limits.buffer_memory = 2_600;
    for seed in 200..203 {
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// Batches grow over two chunks, are split into parts that lie in one of them or both, and are restored so.
#[test]
fn exactly_once_with_batches_of_several_chunks() {
    for (seed, compression, outside) in [
        (300, Compression::None, false),
        (301, Compression::None, false),
        (302, Compression::Gzip { level: 6 }, false),
        (303, Compression::Gzip { level: 6 }, true),
    ] {
        let mut setup = setup(compression);
        setup.config.batch_size = 800;
        setup.config.linger_ms = 50;
        setup.config.compress_outside = outside;
        setup.limits.batch_size = 200;
        setup.limits.buffer_memory = 12 * 751;
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

#[test]
fn exactly_once_with_compressed_batches() {
    let setup = setup(Compression::Gzip { level: 6 });
    let broken = crashes(100, Gate::AfterTheSnapshot, &setup);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Parts of a split are numbered, and compressed, before they are sent: such a part was restored as if it were not
/// compressed, and its records were gone.
#[test]
fn exactly_once_with_batches_compressed_outside() {
    let mut setup = setup(Compression::Gzip { level: 6 });
    setup.config.compress_outside = true;
    for seed in 0..3 {
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// The mutant: what the check is worth.
#[test]
fn a_gate_that_opens_before_the_snapshot_is_caught() {
    let setup = setup(Compression::None);
    let broken: usize =
        (0..2).map(|seed| crashes(seed, Gate::BeforeTheSnapshot, &setup).len()).sum();
    assert!(broken > 5, "{broken} runs went wrong");
}

/// JavaScript, say, whose stores answer later.
#[test]
fn exactly_once_while_snapshots_are_being_written() {
    let setup = setup(Compression::None);
    for seed in 0..4 {
        let broken = crashes(seed, Gate::WhileItIsWritten, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// A device that is connected and has one held batch.
fn held() -> (Device, PartitionId) {
    let mut device = Device::new(1, Gate::AfterTheSnapshot, setup(Compression::None), u64::MAX);
    let topic = device.producer.topic(TOPIC).expect("there is room for it");
    while device.producer.numbered().count() == 0 {
        device.send().expect("there is power");
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
        device.now += 10_000;
    }
    (device, PartitionId { topic, index: 0 })
}

#[test]
fn a_held_batch_is_not_sent_before_its_release() {
    let (mut device, partition) = held();
    let numbered: Vec<_> = device.producer.numbered().collect();
    assert!(numbered.iter().all(|batch| batch.held), "{numbered:?}");
    assert_eq!(device.producer.explain(partition), Explain::Held);
    for _ in 0..100 {
        device.now += 10_000;
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
    }
    assert_eq!(device.producer.stats().batches, 0);
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

#[test]
fn a_purged_batch_that_was_held_was_certainly_not_sent() {
    let (mut device, _) = held();
    device.producer.purge(Scope::ALL, Instant::from_micros(device.now));
    while let Some(report) = device.producer.poll_report() {
        assert_eq!(report.outcome, Outcome::NotPersisted(Reason::Purged));
    }
    assert_eq!(device.producer.stats().buffered, 0);
}

/// A snapshot that was taken before does not say so, and must not release it.
#[test]
fn what_is_numbered_anew_while_a_snapshot_is_written_says_so() {
    let (mut device, _) = held();
    let before: Vec<_> = device.producer.numbered().filter(|batch| batch.held).collect();
    device.cluster.delete_topic(TOPIC, device.now).expect("it is there");
    device.cluster.create_topic(TOPIC, TopicConfig::new(PARTITIONS, 2)).expect("a new log");
    for _ in 0..400 {
        device.now += 1_000_000;
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
        device.cluster.handle_timeout(device.now);
    }
    let after: Vec<_> = device.producer.numbered().filter(|batch| batch.held).collect();
    let [old, new] = [before[0], after[0]];
    assert_eq!((old.batch, old.records, old.held), (new.batch, new.records, new.held));
    assert_ne!(old.identity, new.identity, "the new log wants a new epoch");
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

/// What was restored is there to be read, and counts.
#[test]
fn a_restored_batch_says_what_it_holds() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let before: Vec<u64> = device.covered.iter().copied().collect();
    device.restart(Pending::Drop);
    let mut after = Vec::new();
    for numbered in device.producer.numbered() {
        assert!(!numbered.held, "it may have been sent");
        let records = device.producer.batch_records(numbered.batch).expect("not compressed");
        assert_eq!(records.clone().count(), usize::from(numbered.records));
        after.extend(records.map(|record| {
            let value = record.value.and_then(<[u8]>::first_chunk).expect("a number");
            u64::from_be_bytes(*value)
        }));
    }
    after.sort_unstable();
    assert_eq!(before, after);
    let stats = device.producer.stats();
    assert_eq!((stats.accepted, stats.buffered), (after.len() as u64, after.len() as u64));
}

/// Batches lie in two chunks of 400 bytes each when the power is cut.
fn cut_with_large_batches(
    compression: Compression,
    chunks: u32,
    ready: impl Fn(&Device) -> bool,
) -> Device {
    let mut setup = setup(compression);
    setup.config.batch_size = 700;
    setup.config.linger_ms = 50;
    setup.limits.batch_size = 400;
    setup.limits.buffer_memory = chunks * 951;
    let mut device = Device::new(1, Gate::AfterTheSnapshot, setup, u64::MAX);
    let mut turns = 0;
    while !ready(&device) {
        turns += 1;
        assert!(turns < 1_000, "{:?}", device.producer.stats());
        device.send().expect("there is power");
        if device.to_send.is_empty() {
            device.turn().expect("there is power");
        }
    }
    let records = |device: &Device| -> Vec<u16> {
        device.producer.numbered().map(|batch| batch.records).collect()
    };
    let before = records(&device);
    device.write_page().expect("there is power");
    device.restart(Pending::Drop);
    assert_eq!(before, records(&device));
    device
}

/// What was split where memory was full lies behind the first part, and so it does when it is restored.
#[test]
fn parts_in_several_chunks_are_restored_in_as_many() {
    let split = |device: &Device| {
        let full = device.producer.free_bytes() == 0;
        full && device.producer.numbered().any(|batch| batch.records == 6)
    };
    let mut device = cut_with_large_batches(Compression::None, 8, split);
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

/// In a snapshot a compressed batch is small; to be split it has to be unpacked.
#[test]
fn a_restored_batch_has_room_to_be_unpacked() {
    let numbered = |device: &Device| device.producer.numbered().any(|batch| batch.records > 10);
    let gzip = Compression::Gzip { level: 6 };
    let mut device = cut_with_large_batches(gzip, 40, numbered);
    let topic = device.cluster.topic_config(TOPIC).expect("the topic is there");
    topic.max_message_bytes = 61 + 60;
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let page = device.pages.iter().max_by_key(|page| page.serial).expect("two pages");
    let setup = setup(Compression::None);
    assert!(start(&setup, &page.bytes, 0).is_ok());
    for damaged in 0..page.bytes.len() {
        let mut bytes = page.bytes.clone();
        bytes[damaged] ^= 0x10;
        assert_eq!(start(&setup, &bytes, 0).err(), Some(RestoreError::Corrupt), "{damaged}");
        assert_eq!(
            start(&setup, &page.bytes[..damaged.max(1)], 0).err(),
            Some(RestoreError::Corrupt)
        );
    }
    let mut small = setup.clone();
    small.limits.buffer_memory = 1;
    small.limits.batch_size = 128;
    let error = start(&small, &page.bytes, 0).err();
    assert_eq!(error, Some(RestoreError::Storage(SendError::Full)));
    let mut plain = setup;
    plain.config.enable_idempotence = klamm::Idempotence::Off;
    assert!(matches!(start(&plain, &page.bytes, 0).err(), Some(RestoreError::Config(_))));
}

/// Numbers may be written with more bytes than they need. klamm does not do that, but a snapshot is read from outside:
/// such a record was moved from the wrong place, or ended in a panic.
#[test]
fn a_restored_record_with_long_numbers_keeps_its_value() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let page = device.pages.iter().max_by_key(|page| page.serial).expect("two pages");
    let (mut contents, setup) = (page.bytes.clone(), setup(Compression::None));
    contents.truncate(page.bytes.len() - 4);
    let dots = contents.windows(32).position(|bytes| bytes == [b'.'; 32]).expect("a record");
    // Of attributes, deltas, key, length of the value, value (40 bytes) and number of headers.
    let body = &mut contents[dots - 8 - 5..][..46];
    let value = [7; 27];
    let long: [&[u8]; 6] =
        [&[0], &[0x80; 9], &[0, 0x80, 0x80, 0x80, 0x80, 0], &[1, 27 << 1], &value, &[0]];
    body.copy_from_slice(&long.concat());
    // As a part of a split, which is written anew: not frozen.
    contents[dots - 8 - 6 - 61 - 37] = 0;
    contents.extend((setup.config.crc32c)(&contents).to_be_bytes());
    let producer = start(&setup, &contents, 0).expect("it is whole");
    let batch = producer.numbered().next().expect("it was held").batch;
    let first = producer.batch_records(batch).and_then(|mut records| records.next());
    assert_eq!(first.and_then(|record| record.value), Some(&value[..]));
}

/// Of two batches that nobody got the first one timed out before the crash. That the second one is out of order then is no
/// loss of data, and the partition goes on.
#[test]
fn a_hole_is_known_after_a_restart() {
    let mut setup = setup(Compression::None);
    setup.config.delivery_timeout_ms = 1_000;
    setup.config.hold_stamped = false;
    setup.config.retry_backoff_ms = 1;
    setup.config.retry_backoff_max_ms = 5;
    let mut device = Device::new(1, Gate::AfterTheSnapshot, setup, u64::MAX);
    let topic = device.producer.topic(TOPIC).expect("there is room for it");
    let to = Destination::partition(topic, 0);
    let send = |device: &mut Device, value: &[u8]| {
        let now = Instant::from_micros(device.now);
        device.producer.send(to, &klamm::Record::value(value), now).expect("there is room");
    };
    let pass = |device: &mut Device, millis: u64| {
        let mut outcomes = Vec::new();
        for _ in 0..millis {
            let now = Instant::from_micros(device.now);
            device.producer.handle_timeout(now);
            for conn in device.producer.connections() {
                device.serve(conn, now).expect("there is power");
            }
            outcomes.extend(core::iter::from_fn(|| device.producer.poll_report()));
            device.now += 1_000;
            device.cluster.handle_timeout(device.now);
        }
        outcomes.into_iter().map(|report| report.outcome).collect::<Vec<_>>()
    };
    send(&mut device, b"known to the broker");
    assert_eq!(pass(&mut device, 200).len(), 1);
    // From now on nobody gets anything, but both are in flight for a while.
    device.cluster.inject(Rule::once(Api::Produce, Fault::DropRequest));
    let mut rule = Rule::once(Api::Produce, Fault::CloseBefore);
    rule.times = u32::MAX;
    device.cluster.inject(rule);
    send(&mut device, &[b'1'; 100]);
    pass(&mut device, 300);
    send(&mut device, &[b'2'; 100]);
    let outcomes = pass(&mut device, 850);
    assert!(matches!(outcomes[..], [Outcome::Unknown(Reason::TimedOut { .. })]), "{outcomes:?}");
    device.write_page().expect("there is power");
    device.restart(Pending::Drop);
    assert_eq!(device.producer.numbered().count(), 1);
    device.cluster.clear_faults();
    let outcomes = pass(&mut device, 500);
    assert!(
        matches!(outcomes[..], [Outcome::Unknown(Reason::TimedOut { last })] if last.0 == 45),
        "{outcomes:?}"
    );
    send(&mut device, b"and on");
    let outcomes = pass(&mut device, 200);
    assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]), "{outcomes:?}");
}
