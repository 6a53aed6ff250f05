//! Faults on demand.

/// Requests the model understands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "Kafka's names")]
pub enum Api {
    Produce,
    Fetch,
    ListOffsets,
    Metadata,
    FindCoordinator,
    ApiVersions,
    InitProducerId,
}

/// When to do what. A rule counts what it matches: it lets `skip` matches pass, then acts `times`
/// times, then is gone.
///
/// With a topic or partition, or with a fault that concerns partitions, a match is a partition of a
/// Produce request (a topic of a Metadata request); else it is a request.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which API; `None`: any.
    pub api: Option<Api>,
    /// Which node; `None`: any.
    pub node: Option<i32>,
    /// Which topic; `None`: any.
    pub topic: Option<String>,
    /// Which partition; `None`: any.
    pub partition: Option<i32>,
    /// Matches to let pass first.
    pub skip: u32,
    /// How often to act; `u32::MAX`: without end.
    pub times: u32,
    /// What to do.
    pub fault: Fault,
}

impl Rule {
    /// Acts once, on the next request of `api`.
    pub fn once(api: Api, fault: Fault) -> Self {
        Self { api: Some(api), node: None, topic: None, partition: None, skip: 0, times: 1, fault }
    }
}

/// What goes wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The request is not processed and never answered; nor is any later one of the connection.
    DropRequest,
    /// The request is processed and never answered; nor is any later one processed.
    DropResponse,
    /// The connection closes instead of processing the request.
    CloseBefore,
    /// The connection closes after processing the request, without an answer.
    CloseAfter,
    /// The answer carries another correlation id.
    WrongCorrelationId,
    /// These bytes are sent instead of the answer.
    Garbage(Vec<u8>),
    /// Only the first bytes of the answer's frame are sent, then the connection closes.
    TruncateFrame(usize),
    /// The answer comes that many microseconds later.
    Delay(u64),
    /// `throttle_time_ms` of the answer; the node does not read from the connection for so long.
    Throttle(i32),
    /// Produce: the partition is answered with this code, nothing is appended. Other APIs: the
    /// answer's error code (of Metadata: of the topic, or of all topics).
    Error(i16),
    /// Produce: appended, and yet answered with this code.
    AppendThenError {
        /// The code.
        code: i16,
        /// Tell the base offset, as Kafka does with 7, 20 and after a lost leadership; else -1.
        keep_offset: bool,
    },
    /// Produce: processed, but the answer leaves the partition out.
    OmitPartition,
    /// Produce: the answer has the partition twice.
    DuplicatePartition,
    /// Produce: the answer has a partition, too, that nobody asked for.
    ExtraPartition,
    /// Metadata lies.
    Metadata(MetadataFault),
}

/// How a Metadata answer lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetadataFault {
    /// Leader as it was before the last election, with its epoch.
    StaleLeader,
    /// Current leader, but the leader epoch is lower by one.
    OlderEpoch,
    /// The topic is left out.
    MissingTopic,
    /// The partition with the highest number is left out.
    MissingPartition,
    /// The topic has no partitions and no error.
    ZeroPartitions,
    /// Leaders are a node that is not in the list of brokers.
    UnknownLeader,
    /// No brokers (a broker that is just starting).
    NoBrokers,
    /// Another topic id.
    WrongTopicId,
    /// Topic id 0.
    ZeroTopicId,
    /// Partitions have no leader (error 5, leader -1).
    NoLeader,
}
