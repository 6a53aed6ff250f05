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
/// A match is a request; with a fault that is about partitions of a Produce request or topics of a
/// Metadata request, it is such a partition or topic. A fault about the whole request that names a
/// topic or partition matches requests in which it occurs.
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
    /// The same with this partition of the topic, of which another request may be in flight.
    AnothersPartition(i32),
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

impl Fault {
    /// Is it about a partition (Produce) or a topic (Metadata), not about the request?
    pub(super) fn is_about_a_part(&self, api: Api) -> bool {
        match self {
            Self::Error(_) => matches!(api, Api::Produce | Api::Metadata),
            Self::AppendThenError { .. }
            | Self::OmitPartition
            | Self::DuplicatePartition
            | Self::ExtraPartition
            | Self::AnothersPartition(_)
            | Self::Metadata(_) => true,
            Self::DropRequest
            | Self::DropResponse
            | Self::CloseBefore
            | Self::CloseAfter
            | Self::WrongCorrelationId
            | Self::Garbage(_)
            | Self::TruncateFrame(_)
            | Self::Delay(_)
            | Self::Throttle(_) => false,
        }
    }
}

/// Takes the fault of the first rule that matches and has nothing to skip.
pub(super) fn take(rules: &mut Vec<Rule>, matches: impl Fn(&Rule) -> bool) -> Option<Fault> {
    let mut found = None;
    for (i, rule) in rules.iter_mut().enumerate().filter(|(_, rule)| matches(rule)) {
        if rule.skip > 0 {
            rule.skip -= 1;
            continue;
        }
        if rule.times != u32::MAX {
            rule.times = rule.times.saturating_sub(1);
        }
        found = Some((i, rule.fault.clone()));
        break;
    }
    let (i, fault) = found?;
    if rules[i].times == 0 {
        rules.remove(i);
    }
    Some(fault)
}
