//! Error codes as brokers send them.

use core::fmt;

/// An error code of the Kafka protocol. Any `i16` may arrive; the named ones are those a producer meets.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ErrorCode(pub i16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// A few words that say what the code means.
            pub const fn text(self) -> &'static str {
                match self.0 { $($code => $text,)* _ => "unknown error code" }
            }
        }
    };
}

codes! {
    /// The broker failed in a way it has no code for; the batch may be in the log.
    UNKNOWN_SERVER_ERROR = -1 "unknown server error";
    /// Success.
    NONE = 0 "no error";
    /// Wrong checksum or malformed batch.
    CORRUPT_MESSAGE = 2 "corrupt message";
    /// This broker does not host the topic or partition (yet, or any more).
    UNKNOWN_TOPIC_OR_PARTITION = 3 "unknown topic or partition";
    /// No leader is elected at the moment.
    LEADER_NOT_AVAILABLE = 5 "leader not available";
    /// The leader has moved.
    NOT_LEADER_OR_FOLLOWER = 6 "not leader";
    /// Replication took longer than the request allowed; the batch is in the leader's log.
    REQUEST_TIMED_OUT = 7 "request timed out";
    /// The broker is not available.
    BROKER_NOT_AVAILABLE = 8 "broker not available";
    /// A replica is not available.
    REPLICA_NOT_AVAILABLE = 9 "replica not available";
    /// The batch exceeds the topic's `max.message.bytes`.
    MESSAGE_TOO_LARGE = 10 "message too large for the topic";
    /// Never sent by a broker: the connection died (Java's name for it).
    NETWORK_EXCEPTION = 13 "connection lost";
    /// The coordinator is loading; also every `InitProducerId` just after a broker's start.
    COORDINATOR_LOAD_IN_PROGRESS = 14 "coordinator loading";
    /// The coordinator is not available.
    COORDINATOR_NOT_AVAILABLE = 15 "coordinator not available";
    /// This broker is not the coordinator.
    NOT_COORDINATOR = 16 "not coordinator";
    /// The topic's name is not legal.
    INVALID_TOPIC_EXCEPTION = 17 "invalid topic";
    /// The batch is larger than a segment.
    RECORD_LIST_TOO_LARGE = 18 "batch larger than a segment";
    /// Fewer in-sync replicas than `min.insync.replicas`; not appended.
    NOT_ENOUGH_REPLICAS = 19 "not enough in-sync replicas";
    /// The same, noticed after the append.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20 "not enough in-sync replicas after append";
    /// The request asked for acks other than -1, 0, 1.
    INVALID_REQUIRED_ACKS = 21 "invalid acks";
    /// No permission to write to the topic.
    TOPIC_AUTHORIZATION_FAILED = 29 "not authorized for the topic";
    /// No permission on the cluster.
    CLUSTER_AUTHORIZATION_FAILED = 31 "not authorized for the cluster";
    /// A record's timestamp is outside of what the topic allows.
    INVALID_TIMESTAMP = 32 "invalid timestamp";
    /// The broker does not know the version of the request.
    UNSUPPORTED_VERSION = 35 "unsupported version";
    /// The request is malformed in the broker's eyes.
    INVALID_REQUEST = 42 "invalid request";
    /// The message format does not support it (Event Hubs: the codec).
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43 "unsupported for message format";
    /// Refused by a policy.
    POLICY_VIOLATION = 44 "policy violation";
    /// Not the next sequence number, nor one of those that the broker remembers.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45 "out of order sequence";
    /// Already in the log.
    DUPLICATE_SEQUENCE_NUMBER = 46 "duplicate sequence";
    /// The producer epoch is older than the log's.
    INVALID_PRODUCER_EPOCH = 47 "invalid producer epoch";
    /// No permission for the transactional id.
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53 "not authorized for the transactional id";
    /// The log directory is broken.
    KAFKA_STORAGE_ERROR = 56 "storage error";
    /// The broker has forgotten the producer (Kafka up to 2.4).
    UNKNOWN_PRODUCER_ID = 59 "unknown producer id";
    /// The broker has no such listener for the leader.
    LISTENER_NOT_FOUND = 72 "listener not found";
    /// The client knows an older leader epoch than the broker.
    FENCED_LEADER_EPOCH = 74 "fenced leader epoch";
    /// The client knows a newer leader epoch than the broker.
    UNKNOWN_LEADER_EPOCH = 75 "unknown leader epoch";
    /// The codec is not supported.
    UNSUPPORTED_COMPRESSION_TYPE = 76 "unsupported compression type";
    /// A record was refused.
    INVALID_RECORD = 87 "invalid record";
    /// No topic with that id.
    UNKNOWN_TOPIC_ID = 100 "unknown topic id";
    /// The id does not fit the name.
    INCONSISTENT_TOPIC_ID = 103 "inconsistent topic id";
    /// Start again from the bootstrap servers (KIP-1102).
    REBOOTSTRAP_REQUIRED = 129 "rebootstrap required";
}

impl ErrorCode {
    /// Success?
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.0)
    }
}
