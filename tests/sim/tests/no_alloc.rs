//! After `Producer::new` the core allocates nothing, whatever happens: every call of a long run
//! with faults is measured.

use allocation_counter::measure;
use klamm::{
    BatchBuilder, CodecMemory, Compression, Compressor, ConnId, Demand, Destination, Instant,
    Overflow, Producer, Record, Scope, Storage, Timestamp,
};
use klamm_sim::cluster::{Api, Cluster, Config, Fault, PeerId, Pending, Rule, TopicConfig};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::{Sample, Setup};

/// A minimal adapter that measures each call of the core.
struct Meter {
    producer: Producer<'static>,
    cluster: Cluster,
    conns: Vec<ConnId>,
    peers: Vec<Option<PeerId>>,
    compressor: Compressor<'static>,
    dice: Dice,
    now: u64,
    calls: u64,
    events: u64,
}

/// Calls the core; panics if it allocates.
macro_rules! call {
    ($meter:ident, $method:ident($($arg:expr),*)) => {{
        let mut result = None;
        let used = measure(|| result = Some($meter.producer.$method($($arg),*)));
        assert_eq!(used.count_total, 0, "{} allocates", stringify!($method));
        $meter.calls += 1;
        result.expect("the call was made")
    }};
}

impl Meter {
    fn new(compression: Compression, outside: bool, memory: Option<CodecMemory<512>>) -> Self {
        let mut setup = Setup::quiet(2);
        setup.config.batch_size = 500;
        setup.limits.batch_size = 500;
        setup.config.compression_type = compression;
        setup.config.policies.overflow = Overflow::DropOldest;
        setup.config.policies.queue_records_max = 30;
        setup.config.policies.send_at_records = 20;
        setup.config.compress_outside = outside;
        let mut cluster = Cluster::new(Config::new(2));
        cluster.create_topic("t", TopicConfig::new(4, 2)).expect("a new topic");
        let mut config: klamm::Config<'_> = setup.config;
        config.bootstrap_servers = &setup.bootstrap;
        let now = 1_000;
        let mut storage = Storage::boxed(&setup.limits);
        if let Some(memory) = memory {
            storage = storage.with_codec_memory(Box::leak(Box::new(memory)));
        }
        let producer = Producer::new(&config, storage, 1, Instant::from_micros(now));
        let mut producer = producer.expect("the options are legal");
        producer.set_clock(Timestamp::from_millis(1_700_000_000_000), Instant::from_micros(now));
        let conns: Vec<ConnId> = producer.connections().collect();
        let peers = vec![None; conns.len()];
        Self {
            producer,
            cluster,
            conns,
            peers,
            compressor: Compressor::new(),
            dice: Dice::new(3),
            now,
            calls: 0,
            events: 0,
        }
    }

    fn turn(&mut self) {
        let now = Instant::from_micros(self.now);
        call!(self, handle_timeout(now));
        while let Some(job) = call!(self, take_uncompressed(now)) {
            let plain = self.producer.uncompressed(job).expect("just taken").to_vec();
            let mut small = vec![0; plain.len()];
            let len = self.compressor.compress(job.codec, &plain, &mut small).expect("built in");
            call!(self, handle_compressed(job, len.map(|len| &small[..len]), now));
        }
        for slot in 0..self.conns.len() {
            self.serve(slot, now);
        }
        while call!(self, peek_report()).is_some() {
            let _ = call!(self, report_records()).map(Iterator::count);
            call!(self, poll_report());
        }
        call!(self, take_wake());
        call!(self, stats());
        self.observe();
        let next = call!(self, next_deadline()).map_or(u64::MAX, |(at, _)| at.as_micros());
        self.now = next.clamp(self.now + 100, self.now + 20_000);
        self.cluster.handle_timeout(self.now);
    }

    /// Events and figures.
    fn observe(&mut self) {
        while let Some(event) = call!(self, poll_event()) {
            self.events += u64::from(matches!(event.kind, klamm::EventKind::Delivered { .. }));
        }
        let used = measure(|| {
            let metrics = self.producer.metrics();
            let queued = self.producer.partition_stats().map(|p| p.unsent_records + p.sent_records);
            assert_eq!(queued.sum::<u64>(), metrics.queue_records);
            assert!(self.producer.broker_stats().count() > 0);
            assert!(self.producer.topics().count() <= 1);
        });
        assert_eq!(used.count_total, 0, "figures allocate");
    }

    fn serve(&mut self, slot: usize, now: Instant) {
        let conn = self.conns[slot];
        if call!(self, demand(conn)) == Demand::Connect {
            let address = self.producer.address(conn).expect("a dialing slot has an address");
            let node = self.cluster.node_at(address.host, address.port);
            call!(self, handle_dialing(conn, now));
            self.peers[slot] = node.and_then(|node| self.cluster.accept(node, self.now));
            match self.peers[slot] {
                Some(_) => call!(self, handle_connected(conn, now)),
                None => call!(self, handle_disconnected(conn, now)),
            }
        }
        let mut bytes = vec![0; 2_000];
        while call!(self, demand(conn)) == Demand::Transmit {
            let room = 1 + self.dice.below(bytes.len());
            let out = &mut bytes[..room];
            let write =
                |t: &klamm::Transmit<'_>| Ok::<_, core::convert::Infallible>(t.copy_to(out));
            let Ok(taken) = call!(self, transmit_with(conn, now, write));
            if taken == 0 {
                break;
            }
            self.peers[slot]
                .into_iter()
                .for_each(|p| self.cluster.receive(p, &bytes[..taken], self.now));
        }
        let Some(peer) = self.peers[slot] else { return };
        let ready = self.cluster.readable(peer).to_vec();
        self.cluster.consume(peer, ready.len());
        for piece in ready.chunks(1 + self.dice.below(200)) {
            // A broken answer is an error, and the connection is closed below.
            let _ = call!(self, handle_received(conn, piece, now));
        }
        let lost = self.dice.chance(5) || self.cluster.wants_close(peer);
        if lost || call!(self, demand(conn)) == Demand::Close {
            self.cluster.disconnect(peer, Pending::Drop);
            self.peers[slot] = None;
            call!(self, handle_disconnected(conn, now));
        }
    }

    fn send(&mut self, number: u64) {
        let now = Instant::from_micros(self.now);
        let topic = call!(self, topic("t"));
        let Ok(topic) = topic else { return };
        let sample = Sample::any(number, 300, &mut self.dice);
        let partition = i32::from(self.dice.chance(500));
        let to = match self.dice.chance(500) {
            true => Destination::partition(topic, partition),
            false => Destination::topic(topic),
        };
        // Full is a fine answer here.
        let _ = sample.with(|record| call!(self, send(to, record, now)));
    }

    fn meddle(&mut self) {
        let now = Instant::from_micros(self.now);
        let Ok(topic) = call!(self, topic("t")) else { return };
        match self.dice.below(20) {
            0 => call!(self, pause(true, now)),
            1 => call!(self, purge(Scope::partition(topic, 0).queued_only(), now)),
            2 => call!(self, purge(Scope::partition(topic, 1), now)),
            3..=9 => {
                let mut batch = BatchBuilder::new([0; 400]);
                let filled = measure(|| while batch.append(&Record::value(&[7; 20])).is_ok() {});
                assert_eq!(filled.count_total, 0, "append allocates");
                let to = Destination::partition(topic, 1);
                let _ = call!(self, send_batch(to, &batch, now));
            }
            _ => call!(self, pause(false, now)),
        }
    }

    fn fault(&mut self) {
        let fault = self.dice.below(8);
        let (node, now) = (1 + i32::from(self.dice.chance(500)), self.now);
        match fault {
            0 => _ = self.cluster.restart(node, now),
            1 => _ = self.cluster.elect("t", 0, node, now),
            2 => self.rule(Fault::Error(10)),
            3 => self.rule(Fault::Error(87)),
            4 => self.rule(Fault::CloseAfter),
            5 => self.rule(Fault::Error(45)),
            6 => self.rule(Fault::Garbage(vec![0, 0, 0, 9, 1, 2, 3])),
            _ => self.rule(Fault::Throttle(50)),
        }
    }

    fn rule(&mut self, fault: Fault) {
        self.cluster.inject(Rule::once(Api::Produce, fault));
    }
}

#[test]
fn nothing_is_allocated_after_construction() {
    let memory = CodecMemory::<512>::new;
    for (compression, outside, memory) in [
        (Compression::None, false, None),
        (Compression::Gzip { level: 6 }, false, None),
        (Compression::Gzip { level: 1 }, false, Some(memory())),
        (Compression::Snappy, false, Some(memory())),
        (Compression::Lz4 { level: 9 }, false, None),
        (Compression::Lz4 { level: 1 }, true, Some(memory())),
        (Compression::Zstd { level: 3 }, false, None),
    ] {
        let mut meter = Meter::new(compression, outside, memory);
        for number in 0..8_000 {
            meter.send(number);
            if number % 3 == 0 {
                meter.turn();
            }
            if number % 20 == 0 {
                meter.meddle();
            }
            if number % 50 == 0 {
                meter.fault();
            }
        }
        let now = Instant::from_micros(meter.now);
        call!(meter, pause(false, now));
        call!(meter, flush(now));
        call!(meter, close(now));
        for _ in 0..5_000 {
            meter.turn();
        }
        let stats = meter.producer.stats();
        assert_eq!(stats.buffered, 0, "{stats:?}");
        assert!(stats.delivered > 1_000 && stats.retries > 0, "the run was too easy: {stats:?}");
        assert!(
            stats.dropped > 100 && stats.not_persisted > 100,
            "the run was too easy: {stats:?}"
        );
        assert!(meter.calls > 20_000 && meter.events > 100, "{} events", meter.events);
    }
}
