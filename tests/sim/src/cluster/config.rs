//! What a cluster is made of. Everything has a default that is Kafka's.

/// A cluster before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where randomness comes from (topic ids, producer ids, the coordinator that is named).
    pub seed: u64,
    /// The nodes; ids are distinct.
    pub nodes: Vec<NodeConfig>,
    /// How requests are processed.
    pub processing: Processing,
    /// What a leader does that has no state for a producer and sees a first sequence other than 0.
    pub unknown_producer: UnknownProducer,
    /// Unix time in milliseconds when the caller's clock shows 0 (append times, the check of
    /// timestamps in the future).
    pub unix_ms_at_zero: i64,
    /// Elect another in-sync replica at once when a leader's node is killed, and let a leaderless
    /// partition elect when a node starts.
    pub automatic_election: bool,
    /// Create a topic with this configuration when metadata is asked for an unknown one and the
    /// client allows it. The first answer is error 3 (`KRaft`), the next is good.
    pub auto_create: Option<TopicConfig>,
    /// The first producer id that is handed out.
    pub first_producer_id: i64,
    /// A node answers `InitProducerId` with 14 for so long after its start, in microseconds.
    pub producer_id_delay: u64,
    /// Largest request frame in bytes, `socket.request.max.bytes`; a larger one closes.
    pub max_frame: usize,
    /// Largest size in bytes to which one compressed batch may grow.
    pub max_decompressed: usize,
    /// Produce answers carry a throttle time when a connection sends more than this many bytes of
    /// batches a second.
    pub produce_quota: Option<u64>,
    /// Keep what [`Cluster::take_produced`](super::Cluster::take_produced) returns.
    pub trace_produced: bool,
    /// Keep what [`Cluster::take_appended`](super::Cluster::take_appended) returns.
    pub trace_appended: bool,
}

impl Config {
    /// `nodes` nodes with ids from 1 on, named `node1`, `node2`, …, port 9092.
    pub fn new(nodes: i32) -> Self {
        Self {
            seed: 0,
            nodes: (1..=nodes)
                .map(|id| NodeConfig {
                    id,
                    host: format!("node{id}"),
                    port: 9092,
                    rack: None,
                    versions: ApiVersions::KAFKA_4_3,
                })
                .collect(),
            processing: Processing::Automatic,
            unknown_producer: UnknownProducer::Accept,
            unix_ms_at_zero: 1_700_000_000_000,
            automatic_election: true,
            auto_create: None,
            first_producer_id: 1_000,
            producer_id_delay: 0,
            max_frame: 104_857_600,
            max_decompressed: 64 << 20,
            produce_quota: None,
            trace_produced: false,
            trace_appended: false,
        }
    }
}

/// One broker.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its id, >= 0.
    pub id: i32,
    /// The host it tells clients.
    pub host: String,
    /// The port it tells clients.
    pub port: u16,
    /// The rack it tells clients.
    pub rack: Option<String>,
    /// What it speaks.
    pub versions: ApiVersions,
}

/// Who decides when something happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Processing {
    /// A request is processed when it has arrived, followers that are up copy at once, answers are
    /// readable at once.
    Automatic,
    /// The caller: `process`, `replicate`, `release`.
    Manual,
}

/// The first sequence of a producer (or after its state was lost) is not 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnknownProducer {
    /// Any first sequence is accepted: Kafka 2.5 to 4.4.
    Accept,
    /// Answered with 45: Redpanda, Kafka from 4.5 on.
    OutOfOrder,
    /// Answered with 59 (`UNKNOWN_PRODUCER_ID`): Kafka 2.1 to 2.4.
    UnknownProducerId,
}

/// Who stamps records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimestampKind {
    /// The producer (`CreateTime`).
    Create,
    /// The leader (`LogAppendTime`).
    LogAppend,
}

/// A topic's settings.
#[derive(Clone, Debug)]
pub struct TopicConfig {
    /// Number of partitions, >= 1.
    pub partitions: i32,
    /// Replicas of each partition; more than there are nodes means all nodes.
    pub replication: usize,
    /// `min.insync.replicas`.
    pub min_in_sync: usize,
    /// `max.message.bytes`: the largest batch with its header, in bytes.
    pub max_message_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamps: TimestampKind,
    /// `message.timestamp.after.max.ms`: how far ahead a timestamp may be; `None`: any.
    pub max_ahead_ms: Option<i64>,
    /// `cleanup.policy=compact`: records need a key. (Nothing is compacted.)
    pub compacted: bool,
    /// Oldest batches are dropped from a replica that holds more bytes than this.
    pub retention_bytes: Option<u64>,
}

impl TopicConfig {
    /// A topic with Kafka's defaults.
    pub fn new(partitions: i32, replication: usize) -> Self {
        Self {
            partitions,
            replication,
            min_in_sync: 1,
            max_message_bytes: 1_048_588,
            timestamps: TimestampKind::Create,
            max_ahead_ms: Some(3_600_000),
            compacted: false,
            retention_bytes: None,
        }
    }
}

/// Lowest and highest version of each API a node speaks; `None`: the node does not know the API.
/// Versions that the model itself does not know are not offered, whatever is said here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ApiVersions {
    /// Produce (0).
    pub produce: (i16, i16),
    /// Fetch (1).
    pub fetch: (i16, i16),
    /// `ListOffsets` (2).
    pub list_offsets: (i16, i16),
    /// Metadata (3).
    pub metadata: (i16, i16),
    /// `FindCoordinator` (10).
    pub find_coordinator: Option<(i16, i16)>,
    /// `ApiVersions` (18).
    pub api_versions: (i16, i16),
    /// `InitProducerId` (22).
    pub init_producer_id: Option<(i16, i16)>,
    /// The lowest Produce version that is advertised, if it is not the lowest that is served
    /// (Kafka 4 advertises 0 and serves from 3 on, KAFKA-18659).
    pub produce_advertised_min: i16,
    /// The answer to an `ApiVersions` version above the maximum lists no API at all (Kafka < 2.4).
    pub empty_fallback: bool,
}

impl ApiVersions {
    /// Apache Kafka 2.1.
    pub const KAFKA_2_1: Self = Self {
        produce: (3, 7),
        fetch: (4, 10),
        list_offsets: (1, 4),
        metadata: (0, 7),
        find_coordinator: Some((0, 2)),
        api_versions: (0, 2),
        init_producer_id: Some((0, 1)),
        produce_advertised_min: 3,
        empty_fallback: true,
    };
    /// Apache Kafka 2.8.
    pub const KAFKA_2_8: Self = Self {
        produce: (3, 9),
        fetch: (4, 12),
        list_offsets: (1, 6),
        metadata: (0, 11),
        find_coordinator: Some((0, 3)),
        api_versions: (0, 3),
        init_producer_id: Some((0, 4)),
        produce_advertised_min: 3,
        empty_fallback: false,
    };
    /// Apache Kafka 3.9.
    pub const KAFKA_3_9: Self = Self {
        produce: (3, 11),
        fetch: (4, 17),
        list_offsets: (1, 9),
        metadata: (0, 12),
        find_coordinator: Some((0, 6)),
        api_versions: (0, 4),
        init_producer_id: Some((0, 5)),
        produce_advertised_min: 3,
        empty_fallback: false,
    };
    /// Apache Kafka 4.1 to 4.3.
    pub const KAFKA_4_3: Self = Self {
        produce: (3, 13),
        fetch: (4, 18),
        list_offsets: (1, 10),
        metadata: (0, 13),
        find_coordinator: Some((0, 6)),
        api_versions: (0, 4),
        init_producer_id: Some((0, 5)),
        produce_advertised_min: 0,
        empty_fallback: false,
    };
    /// Redpanda: Produce ends at 7.
    pub const REDPANDA: Self = Self {
        produce: (3, 7),
        fetch: (4, 13),
        list_offsets: (1, 4),
        metadata: (0, 8),
        find_coordinator: Some((0, 4)),
        api_versions: (0, 3),
        init_producer_id: Some((0, 4)),
        produce_advertised_min: 3,
        empty_fallback: false,
    };
    /// Azure Event Hubs: Produce 13, and no topic ids in Metadata.
    pub const EVENT_HUBS: Self = Self { metadata: (0, 9), api_versions: (0, 3), ..Self::KAFKA_4_3 };
}
