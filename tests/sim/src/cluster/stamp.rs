//! `LogAppendTime`: the leader writes its own time into a batch.

use super::batch::{self, Header};
use super::config::{TimestampKind, TopicConfig};
use bytes::{Bytes, BytesMut};

const LOG_APPEND_TIME: u8 = 1 << 3;
const ATTRIBUTES_LOW: usize = 22;
const MAX_TIMESTAMP: usize = 35;

/// The batch with the append time as its `max_timestamp`, if the topic wants that.
pub(super) fn log_append(
    batch: &Bytes,
    topic: &TopicConfig,
    now_ms: i64,
) -> Option<(Bytes, Header)> {
    if topic.timestamps == TimestampKind::Create {
        return None;
    }
    let mut stamped = BytesMut::from(&batch[..]);
    stamped[ATTRIBUTES_LOW] |= LOG_APPEND_TIME;
    stamped[MAX_TIMESTAMP..MAX_TIMESTAMP + 8].copy_from_slice(&now_ms.to_be_bytes());
    let crc = crc32c::crc32c(&stamped[batch::CHECKED_FROM..]);
    stamped[batch::CHECKED_FROM - 4..batch::CHECKED_FROM].copy_from_slice(&crc.to_be_bytes());
    let header = Header::read(&stamped)?;
    Some((stamped.freeze(), header))
}

/// Did the leader stamp this batch?
pub(super) fn is_log_append(header: &Header) -> bool {
    header.attributes & i16::from(LOG_APPEND_TIME) != 0
}
