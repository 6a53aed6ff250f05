//! What an error code of a Produce answer means for its batch: the table of the protocol, pure.

use crate::error_code::ErrorCode;

/// The answer to a batch, as far as the recovery rules look at it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Answer {
    /// Not answered (in this round).
    #[default]
    None = 0,
    Success,
    /// 45, and what says the same: the sequence or epoch does not fit what the broker knows.
    Sequence,
    /// Too large for the topic: split.
    Split,
    /// An error that is not retried.
    Final,
    /// An error that is retried.
    Retry,
}

/// A classified error code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) answer: Answer,
    /// The batch may be in the log.
    pub(crate) unsure: bool,
    /// Metadata is out of date.
    pub(crate) refresh: bool,
    /// This broker does not lead the partition, or not this incarnation: what was answered before counts no more.
    pub(crate) moved: bool,
}

/// Classifies the answer `code` with the offset that came with it. An error with an offset was answered by a leader
/// that was deposed after the append: the batch may survive.
pub(crate) fn classify(code: ErrorCode, base_offset: i64) -> Verdict {
    let verdict = |answer, unsure, refresh, moved| Verdict { answer, unsure, refresh, moved };
    let appended = base_offset >= 0;
    match code {
        ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => {
            verdict(Answer::Success, false, false, false)
        }
        // 59 is what brokers up to 2.4 say of a producer that they have forgotten; 47 of an epoch that is too old.
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH => verdict(Answer::Sequence, false, false, false),
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => {
            verdict(Answer::Split, false, false, false)
        }
        ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_TOPIC_ID => verdict(Answer::Retry, appended, true, true),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::BROKER_NOT_AVAILABLE
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::LISTENER_NOT_FOUND
        | ErrorCode::INCONSISTENT_TOPIC_ID => verdict(Answer::Retry, appended, true, false),
        ErrorCode::KAFKA_STORAGE_ERROR => verdict(Answer::Retry, true, true, false),
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            verdict(Answer::Retry, true, false, false)
        }
        // The connection died, or the answer left the partition out.
        ErrorCode::NETWORK_EXCEPTION => verdict(Answer::Retry, true, true, false),
        ErrorCode::CORRUPT_MESSAGE
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR => verdict(Answer::Retry, appended, false, false),
        ErrorCode::INVALID_TOPIC_EXCEPTION
        | ErrorCode::INVALID_REQUIRED_ACKS
        | ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        | ErrorCode::INVALID_TIMESTAMP
        | ErrorCode::UNSUPPORTED_VERSION
        | ErrorCode::INVALID_REQUEST
        | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
        | ErrorCode::POLICY_VIOLATION
        | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        | ErrorCode::INVALID_RECORD => verdict(Answer::Final, appended, false, false),
        // -1 and every code that is not known: no retry, and nobody can say whether it was appended.
        _ => verdict(Answer::Final, true, false, false),
    }
}

/// How often a corrupt batch is sent again: it left here with a good checksum, so the first time blames the wire.
pub(crate) const CORRUPT_RETRIES: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Code, answer, unsure without an offset, refresh: the rows of the protocol's error table.
    const TABLE: &[(i16, Answer, bool, bool)] = &[
        (-1, Answer::Final, true, false),
        (0, Answer::Success, false, false),
        (2, Answer::Retry, false, false),
        (3, Answer::Retry, false, true),
        (5, Answer::Retry, false, true),
        (6, Answer::Retry, false, true),
        (7, Answer::Retry, true, false),
        (9, Answer::Retry, false, true),
        (10, Answer::Split, false, false),
        (17, Answer::Final, false, false),
        (18, Answer::Split, false, false),
        (19, Answer::Retry, false, false),
        (20, Answer::Retry, true, false),
        (21, Answer::Final, false, false),
        (29, Answer::Final, false, false),
        (31, Answer::Final, false, false),
        (32, Answer::Final, false, false),
        (35, Answer::Final, false, false),
        (42, Answer::Final, false, false),
        (43, Answer::Final, false, false),
        (44, Answer::Final, false, false),
        (45, Answer::Sequence, false, false),
        (46, Answer::Success, false, false),
        (47, Answer::Sequence, false, false),
        (53, Answer::Final, false, false),
        (56, Answer::Retry, true, true),
        (59, Answer::Sequence, false, false),
        (74, Answer::Retry, false, true),
        (75, Answer::Retry, false, false),
        (76, Answer::Final, false, false),
        (87, Answer::Final, false, false),
        (100, Answer::Retry, false, true),
        (103, Answer::Retry, false, true),
        (9_999, Answer::Final, true, false),
    ];

    #[test]
    fn follows_the_table() {
        for &(code, answer, unsure, refresh) in TABLE {
            let verdict = classify(ErrorCode(code), -1);
            assert_eq!(verdict.answer, answer, "code {code}");
            assert_eq!(verdict.unsure, unsure, "code {code}");
            assert_eq!(verdict.refresh, refresh, "code {code}");
        }
    }

    #[test]
    fn an_error_with_an_offset_is_unsure() {
        for code in [3, 6, 7, 19, 20, 56, 87] {
            assert!(classify(ErrorCode(code), 0).unsure, "code {code}");
        }
    }
}
