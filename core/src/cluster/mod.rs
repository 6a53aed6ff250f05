//! What is known of the cluster: topics in use and brokers.

pub(crate) mod refresh;

use crate::error_code::ErrorCode;
use crate::id::TopicUuid;
use crate::partition::partitions::Sticky;
#[cfg(feature = "policies")]
use crate::producer::queue::Count;
use crate::storage::list::{Link, List};
use crate::time::Instant;
use crate::wire::api::FLEXIBLE;

/// Are leaders at addresses of their own? Else the bootstrap servers are all the brokers there are.
pub(crate) const CLUSTER: bool = cfg!(feature = "cluster");

#[derive(Clone, Copy, Debug)]
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub(crate) struct TopicSlot {
    pub(crate) name_len: u8,
    /// Answers that have to say fewer before `partitions`, the application's number, is given up; 0: metadata's number.
    pub(crate) expected: u8,
    /// Metadata has answered for this topic at least once.
    pub(crate) answered: bool,
    /// To be asked for in the metadata request that is due.
    pub(crate) wanted: bool,
    /// What metadata last said of the topic.
    pub(crate) error: ErrorCode,
    /// Partitions with a slot and a leader.
    pub(crate) led: u16,
    /// Scratch while a request is built: how many of its batches are of this topic, and the last of them.
    pub(crate) in_request: u16,
    pub(crate) request_tail: Link,
    /// Number of partitions; 0 until metadata has said.
    pub(crate) partitions: i32,
    pub(crate) sticky: Sticky,
    /// Records that the partitioner placed.
    pub(crate) turn: u32,
    /// Scratch while a metadata answer is read: the largest partition index so far, + 1.
    pub(crate) counted: i32,
    pub(crate) ids: TopicIds,
}

/// The id of a topic, and the one before its last change (KIP-516); nothing where no version with ids is spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicIds([TopicUuid; IDS]);

const IDS: usize = if FLEXIBLE { 2 } else { 0 };

impl TopicIds {
    pub(crate) const NONE: Self = Self([TopicUuid::ZERO; IDS]);

    pub(crate) fn now(&self) -> TopicUuid {
        self.0.first().copied().unwrap_or(TopicUuid::ZERO)
    }

    pub(crate) fn before(&self) -> TopicUuid {
        self.0.get(1).copied().unwrap_or(TopicUuid::ZERO)
    }

    pub(crate) fn change(&mut self, id: TopicUuid) {
        if let [now, before] = &mut self.0[..] {
            *before = *now;
            *now = id;
        }
    }
}

impl TopicSlot {
    pub(crate) const EMPTY: Self = Self {
        name_len: 0,
        ids: TopicIds::NONE,
        partitions: 0,
        expected: 0,
        error: ErrorCode::NONE,
        answered: false,
        wanted: false,
        led: 0,
        sticky: Sticky::NONE,
        turn: 0,
        in_request: 0,
        request_tail: Link::NONE,
        counted: 0,
    };
}

#[derive(Clone, Copy, Debug)]
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub(crate) struct BrokerSlot {
    pub(crate) used: bool,
    /// Named by `bootstrap_servers`: has no node id, and is never forgotten.
    pub(crate) bootstrap: bool,
    /// 0: the address is not known yet.
    pub(crate) host_len: u8,
    /// Failed attempts to connect in a row.
    pub(crate) failures: u8,
    /// Its last attempt died while the first `ApiVersions` was under way: every other attempt uses version 0.
    pub(crate) old_handshake: bool,
    /// Metadata answer in which it was last seen.
    pub(crate) seen: u8,
    pub(crate) port: u16,
    /// Connection slot that is, or will be, connected to it.
    pub(crate) conn: Link,
    /// Partitions led, of those that have slots.
    pub(crate) leads: u16,
    pub(crate) node: i32,
    /// Partitions that can send a batch to it now.
    pub(crate) ready: List,
    /// What waits in the queues of these, and was never sent.
    #[cfg(feature = "policies")]
    pub(crate) waiting: Count,
    /// Since when the first of them waits.
    pub(crate) waits_since: Instant,
    /// Not dialed before.
    pub(crate) retry_at: Instant,
    /// When it was last dialed: for asking around in turn.
    pub(crate) dialed_at: Instant,
    #[cfg(feature = "events")]
    pub(crate) traffic: crate::metrics::Traffic,
}

impl BrokerSlot {
    pub(crate) const EMPTY: Self = Self {
        used: false,
        bootstrap: false,
        node: 0,
        host_len: 0,
        port: 0,
        conn: Link::NONE,
        leads: 0,
        #[cfg(feature = "policies")]
        waiting: Count::ZERO,
        ready: List::EMPTY,
        waits_since: Instant::ZERO,
        failures: 0,
        old_handshake: false,
        retry_at: Instant::ZERO,
        dialed_at: Instant::ZERO,
        seen: 0,
        #[cfg(feature = "events")]
        traffic: crate::metrics::Traffic::NONE,
    };
}
