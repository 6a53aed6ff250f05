//! What is simulated: the cluster, the producer's options, the network, the faults and the
//! application. All of it can be drawn from a seed.

use klamm::{Acks, Compression, Idempotence, Limits, Overflow, Policies};

use super::chaos::Kind;
use super::network::Conditions;
use super::squeeze::CODECS;
use crate::cluster::{self, ApiVersions, Processing, TopicConfig, UnknownProducer};
use crate::dice::Dice;

/// A simulation before it starts.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Feeds all randomness.
    pub seed: u64,
    /// The clock's start in microseconds.
    pub start: u64,
    /// The cluster.
    pub cluster: cluster::Config,
    /// Its topics.
    pub topics: Vec<(String, TopicConfig)>,
    /// The network.
    pub network: Conditions,
    /// `bootstrap_servers`.
    pub bootstrap: String,
    /// The producer's options; its `bootstrap_servers` are the ones above.
    pub config: klamm::Config<'static>,
    /// The producer's memory.
    pub limits: Limits,
    /// Faults that may happen.
    pub faults: Vec<Kind>,
    /// Microseconds between two faults, on average.
    pub fault_every: u64,
    /// How long faults happen, in microseconds.
    pub fault_time: u64,
    /// What the application does.
    pub user: User,
    /// Codecs that the application asks for by record, besides `compression_type`: none for every
    /// second record.
    pub codecs: &'static [Compression],
    /// How long it takes at most to compress a batch outside of the producer while there are
    /// faults, in microseconds.
    pub squeeze_time: u64,
    /// Are batches compressed that wait for it? Else the test does that.
    pub squeezes: bool,
    /// The test sends and reads reports by itself, through
    /// [`Simulation::producer`](super::Simulation::producer): the simulation looks at the wire
    /// only.
    pub hands_off: bool,
    /// Bytes of memory for a recording of the producer's inputs; 0: none.
    pub recorder: usize,
    /// Does the producer get to know the time of day, at the start?
    pub clock: bool,
}

/// What the application does.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// Records to send.
    pub records: u64,
    /// At most so many at once.
    pub burst: usize,
    /// Microseconds between two bursts, on average.
    pub every: u64,
    /// The largest value in bytes.
    pub largest: usize,
    /// Does it flush, stop reading reports for a while, send from within reports?
    pub restless: bool,
    /// Does it purge, once?
    pub purges: bool,
    /// Does it pause and resume, purge parts of the queue, send batches that it filled itself?
    pub meddles: bool,
    /// Bytes that it fills batches in; `batch_size` without it.
    pub builder: Option<u32>,
}

impl Setup {
    /// A cluster of so many nodes without faults, and a producer with short timeouts. Records are
    /// sent by the test.
    pub fn quiet(nodes: i32) -> Self {
        let mut config = klamm::Config::new("");
        config.linger_ms = 0;
        config.request_timeout_ms = 2_000;
        config.delivery_timeout_ms = 20_000;
        let mut limits = Limits::new();
        limits.buffer_memory = 1 << 20;
        limits.batch_size = config.batch_size;
        limits.partitions = 256;
        limits.topics = 8;
        limits.brokers = 16;
        limits.connections = 8;
        limits.events = 4_096;
        let bootstrap: Vec<String> = (1..=nodes).map(|id| format!("node{id}:9092")).collect();
        Self {
            seed: 1,
            start: 1_000_000,
            cluster: cluster::Config::new(nodes),
            topics: Vec::new(),
            network: Conditions::default(),
            bootstrap: bootstrap.join(","),
            config,
            limits,
            faults: Vec::new(),
            fault_every: u64::MAX,
            fault_time: 0,
            user: User {
                records: 0,
                burst: 1,
                every: 1_000,
                largest: 100,
                restless: false,
                purges: false,
                meddles: false,
                builder: None,
            },
            codecs: &[],
            squeeze_time: 0,
            squeezes: true,
            hands_off: false,
            recorder: 0,
            clock: true,
        }
    }

    /// The same with this topic.
    #[must_use]
    pub fn with_topic(mut self, name: &str, partitions: i32, replication: usize) -> Self {
        self.topics.push((name.to_owned(), TopicConfig::new(partitions, replication)));
        self
    }

    /// The simulation that belongs to `seed`.
    pub fn from_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let nodes = dice.pick(&[1, 1, 2, 3, 3, 4]);
        let nodes = if cfg!(feature = "cluster") { nodes } else { 1 };
        let mut setup = Self::quiet(nodes);
        setup.seed = seed;
        setup.start = dice.pick(&[0, 1, 1_000_000, 1 << 40, 1 << 62]);
        for number in 0..dice.range(1, 3) {
            let partitions = dice.pick(&[1, 1, 2, 3, 6]);
            setup = setup.with_topic(&format!("topic{number}"), partitions, dice.pick(&[1, 2, 3]));
        }
        setup.draw_cluster(&mut dice);
        setup.draw_network(&mut dice);
        setup.draw_config(&mut dice);
        setup.draw_limits(&mut dice);
        setup.draw_faults(&mut dice);
        setup.user = User {
            records: dice.pick(&[10, 50, 200, 500]),
            burst: dice.pick(&[1, 5, 30]),
            every: dice.pick(&[100, 5_000, 50_000]),
            largest: dice.pick(&[20, 100, 700]),
            restless: dice.chance(500),
            purges: dice.chance(50),
            meddles: false,
            builder: None,
        };
        if dice.chance(80) {
            setup.crowd(&mut dice);
        }
        setup.draw_policies();
        setup.draw_codecs(&mut Dice::new(seed ^ 0xc0dec));
        // Requests that are larger than any batch may be.
        setup.config.max_write_bytes =
            Dice::new(seed ^ 0x0077_7269_7465).pick(&[0, 0, 10_000, 4 << 20]);
        // Often more than there will be, sometimes so few that events are lost.
        setup.limits.events = Dice::new(seed ^ 0x6576_656e_7473).pick(&[65_535, 4_096, 30, 1]);
        setup
    }

    fn draw_codecs(&mut self, dice: &mut Dice) {
        if dice.chance(500) {
            self.config.compression_type = dice.pick(CODECS);
        }
        if dice.chance(200) {
            self.codecs = CODECS;
            self.limits.codecs = CODECS;
        }
        self.config.compress_outside = dice.chance(400);
        self.squeeze_time = dice.pick(&[0, 1_000, 300_000]);
    }

    /// From dice of its own, so that the rest of a seed stays as it is.
    fn draw_policies(&mut self) {
        let mut dice = Dice::new(self.seed ^ 0x706f_6c69_6379);
        self.user.meddles = dice.chance(300);
        if dice.chance(600) {
            return;
        }
        let config = &mut self.config;
        config.batch_records = dice.pick(&[1, 3, u16::MAX, u16::MAX]);
        let mut policies = Policies::new();
        policies.overflow =
            dice.pick(&[Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest]);
        policies.hold_full_batches = dice.chance(300);
        policies.send_at_records = dice.pick(&[1, 10, u32::MAX, u32::MAX]);
        policies.send_at_bytes = dice.pick(&[100, 2_000, u32::MAX, u32::MAX]);
        policies.delivery_interval_ms = dice.pick(&[0, 0, 10, 1_000]);
        policies.queue_records_max = dice.pick(&[1, 10, 100, u32::MAX, u32::MAX]);
        policies.queue_bytes_max = dice.pick(&[50, 3_000, u32::MAX, u32::MAX]);
        policies.broker_queue_records_max = dice.pick(&[1, 20, u32::MAX, u32::MAX]);
        policies.broker_queue_bytes_max = dice.pick(&[50, 3_000, u32::MAX, u32::MAX]);
        policies.ack_timeout_ms = dice.pick(&[0, 0, 300]);
        if dice.chance(200) {
            policies.final_errors = Policies::NOT_ENOUGH_REPLICAS;
        }
        config.policies = policies;
    }

    /// Many partitions with many batches each want to be in requests that hold few.
    fn crowd(&mut self, dice: &mut Dice) {
        for (_, topic) in &mut self.topics {
            topic.partitions = 8;
        }
        self.config.batch_size = dice.pick(&[200, 400]);
        self.config.max_request_size = 2_000;
        self.limits.batch_size = self.config.batch_size;
        self.limits.max_request_size = self.config.max_request_size;
        self.limits.buffer_memory = (self.config.batch_size + 600) * 200;
        self.user.records = 500;
        self.user.burst = 200;
        self.user.largest = 60;
    }

    fn draw_cluster(&mut self, dice: &mut Dice) {
        self.cluster.seed = dice.any();
        let versions = dice.pick(&[
            ApiVersions::KAFKA_4_3,
            ApiVersions::KAFKA_4_3,
            ApiVersions::KAFKA_4_3,
            ApiVersions::KAFKA_3_9,
            ApiVersions::KAFKA_2_8,
            ApiVersions::KAFKA_2_1,
            ApiVersions::REDPANDA,
            ApiVersions::EVENT_HUBS,
        ]);
        self.cluster.nodes.iter_mut().for_each(|node| node.versions = versions);
        if dice.chance(400) {
            self.cluster.processing = Processing::Manual;
        }
        self.cluster.unknown_producer = match versions {
            ApiVersions::KAFKA_2_1 => UnknownProducer::UnknownProducerId,
            ApiVersions::REDPANDA => UnknownProducer::OutOfOrder,
            _ => dice.pick(&[UnknownProducer::Accept, UnknownProducer::OutOfOrder]),
        };
        self.cluster.producer_id_delay = dice.pick(&[0, 0, 300_000]);
    }

    fn draw_network(&mut self, dice: &mut Dice) {
        self.network = Conditions {
            latency: dice.pick(&[0, 100, 1_000, 50_000]),
            jitter: dice.pick(&[0, 100, 20_000]),
            piece: dice.pick(&[1, 7, 60, 1_000, usize::MAX, usize::MAX]),
            window: dice.pick(&[100, 4_000, 1 << 20]),
            late_requests: dice.pick(&[0, 300, 1_000]),
            late_by: dice.pick(&[1_000, 1_000_000, 10_000_000]),
        };
        if self.network.piece < 60 {
            self.network.jitter = self.network.jitter.min(100);
        }
    }

    fn draw_config(&mut self, dice: &mut Dice) {
        let config = &mut self.config;
        config.linger_ms = dice.pick(&[0, 0, 1, 5, 50]);
        config.batch_size = dice.pick(&[200, 400, 1_000, 16_384]);
        config.max_request_size = dice.pick(&[2_000, 20_000, 1_048_576]);
        config.max_request_size = config.max_request_size.max(config.batch_size);
        config.max_in_flight_requests_per_connection = dice.pick(&[1, 2, 5, 5, 5]);
        config.request_timeout_ms = dice.pick(&[500, 2_000, 30_000]);
        let least = config.linger_ms + config.request_timeout_ms;
        config.delivery_timeout_ms = least * dice.pick(&[1, 2, 4, 10, 100]);
        config.retry_backoff_ms = dice.pick(&[1, 20, 100]);
        config.retry_backoff_max_ms = dice.pick(&[100, 1_000]);
        config.reconnect_backoff_ms = dice.pick(&[1, 50]);
        config.metadata_max_age_ms = dice.pick(&[1_000, 300_000]);
        config.connections_max_idle_ms = dice.pick(&[2_000, 540_000]);
        if dice.chance(200) {
            config.compression_type = Compression::Gzip { level: 6 };
        }
        match dice.below(10) {
            0 => {
                config.acks = dice.pick(&[Acks::Leader, Acks::None]);
                config.enable_idempotence = Idempotence::Off;
            }
            1 => config.enable_idempotence = Idempotence::Off,
            2 => config.enable_idempotence = Idempotence::Required,
            _ => {}
        }
    }

    fn draw_limits(&mut self, dice: &mut Dice) {
        let limits = &mut self.limits;
        limits.batch_size = self.config.batch_size;
        if dice.chance(400) {
            // Batches grow over several chunks.
            limits.batch_size = dice.pick(&[130, 200, 1_000]).min(limits.batch_size);
        }
        limits.max_request_size = self.config.max_request_size;
        let chunk = self.config.batch_size + 400;
        limits.buffer_memory = chunk * dice.pick(&[8, 20, 100]);
        limits.buffer_memory =
            limits.buffer_memory.max(4 * self.config.max_request_size.min(40_000));
        limits.connections = dice.pick(&[1, 2, 5]);
        limits.brokers = 16;
        limits.partitions = 64;
    }

    fn draw_faults(&mut self, dice: &mut Dice) {
        if dice.chance(50) {
            return; // a run without faults
        }
        let share = dice.pick(&[100, 300, 700]);
        self.faults = Kind::CLEAN.iter().copied().filter(|_| dice.chance(share)).collect();
        if dice.chance(300) {
            self.faults.extend(Kind::FINAL.iter().filter(|_| dice.chance(500)));
        }
        if dice.chance(250) {
            self.faults.extend(Kind::UNCLEAN.iter().filter(|_| dice.chance(400)));
        }
        let versions = self.cluster.nodes[0].versions;
        if [ApiVersions::REDPANDA, ApiVersions::EVENT_HUBS].contains(&versions) {
            // An upgrade is one within Kafka: other products do not become Kafka.
            self.faults.retain(|kind| *kind != Kind::OtherVersion);
        }
        self.fault_every = dice.pick(&[3_000, 50_000, 500_000, 3_000_000]);
        self.fault_time = self.fault_every * dice.pick(&[5, 20, 60]);
    }

    /// Is every accepted record written at most once?
    pub fn is_idempotent(&self) -> bool {
        self.config.enable_idempotence != Idempotence::Off
            && self.cluster.nodes.iter().all(|n| n.versions.init_producer_id.is_some())
    }
}
