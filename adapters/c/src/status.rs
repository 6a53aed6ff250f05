//! What functions answer.

use klamm::{ProtocolError, SendError};

/// What a function answers: 0, or why nothing was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum klamm_status {
    /// Done.
    Ok = 0,
    /// A pointer is null, a handle is not this producer's, a text is not UTF-8, or a length cannot be.
    Argument = -1,
    /// The program was compiled with the header of another version of the library.
    Version = -2,
    /// The memory, or the text's place, is too small.
    Memory = -3,
    /// An option is out of its range or conflicts with another; `klamm_fault` says which.
    Config = -4,
    /// klamm_send: all record memory is in use. Take reports, and try again.
    Full = -5,
    /// klamm_send: the record can never be sent, for it is larger than the record memory or `max_request_size` allow.
    TooLarge = -6,
    /// klamm_send: the number of partitions is not known yet. Try again when metadata has come; with a partition
    /// number in the record there is no need to wait.
    TopicPending = -7,
    /// klamm_send: a broker answered with an error for the topic; klamm_topic_error says which.
    Topic = -8,
    /// klamm_topic: the name is empty, longer than 64 bytes, or has other characters than letters, digits, `.`, `_`,
    /// `-`.
    InvalidTopic = -9,
    /// `topics` or `partitions` of klamm_limits are used up.
    NoSlot = -10,
    /// klamm_send: the topic has no such partition.
    NoSuchPartition = -11,
    /// klamm_close was called, or the producer has stopped.
    Closed = -12,
    /// klamm_handle_received: the peer is no Kafka broker or breaks the protocol. Close the connection.
    Protocol = -13,
    /// klamm_handle_received: the peer speaks TLS, and the connection does not. Close the connection.
    Tls = -14,
    /// klamm_handle_received: the connection is not open.
    NotConnected = -15,
    /// An error that this version of the header has no number for.
    Other = -99,
}

impl klamm_status {
    pub(crate) fn of<T>(result: Result<T, Self>) -> Self {
        result.map_or_else(|status| status, |_| Self::Ok)
    }
}

impl From<SendError> for klamm_status {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Full | SendError::QueueFull { .. } => Self::Full,
            SendError::TooLarge { .. } => Self::TooLarge,
            SendError::TopicPending => Self::TopicPending,
            SendError::Topic(_) => Self::Topic,
            SendError::InvalidTopic => Self::InvalidTopic,
            SendError::NoTopicSlot | SendError::NoPartitionSlot => Self::NoSlot,
            SendError::NoSuchPartition => Self::NoSuchPartition,
            SendError::Closed => Self::Closed,
            _ => Self::Other,
        }
    }
}

impl From<ProtocolError> for klamm_status {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::FrameSize { tls: true } => Self::Tls,
            ProtocolError::NotConnected => Self::NotConnected,
            _ => Self::Protocol,
        }
    }
}
