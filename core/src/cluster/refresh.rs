//! Metadata: when to ask, and what an answer changes. It is read as a stream, so a cluster of any size passes through
//! the memory of a few brokers and partitions.

use super::{BrokerSlot, CLUSTER};
use crate::backoff::backoff_micros;
use crate::batch::QUEUE;
use crate::connection::ConnState;
use crate::error::{ProtocolError, Reason};
use crate::error_code::ErrorCode;
use crate::id::TopicUuid;
use crate::partition::partitions::Sticky;
use crate::partition::{PartitionSlot, Place};
use crate::producer::Producer;
use crate::storage::Text;
use crate::storage::list::{self, Link};
use crate::time::Instant;
use crate::wire::metadata::Event;

/// The first version in which leader epochs can be compared: with version 9 they are right, but without topic ids
/// nothing tells of a topic created again, whose epochs start again (KAFKA-16012).
const EPOCHS_COMPARABLE: i8 = 10;

/// When metadata is to be asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refresh {
    /// Something is known to be out of date.
    pub(crate) needed: bool,
    /// Not before, even if needed: backoff.
    pub(crate) not_before: Instant,
    /// At the latest, once anything is known.
    pub(crate) due: Instant,
    /// Requests in a row that were needed, with no success in between: the backoff's exponent.
    pub(crate) failures: u8,
    /// Asked, and not answered yet.
    pub(crate) asked: bool,
    /// Ask bootstrap servers only (KIP-1102).
    pub(crate) rebootstrap: bool,
    /// Number of the answer being read; brokers not seen in it are forgotten.
    answer: u8,
    brokers: u16,
    /// A leader with batches waiting found no broker slot: an idle connection, which keeps one, makes room.
    pub(crate) crowded: bool,
}

impl Refresh {
    pub(crate) const START: Self = Self {
        needed: false,
        not_before: Instant::ZERO,
        due: Instant::FAR,
        failures: 0,
        asked: false,
        rebootstrap: false,
        crowded: false,
        answer: 0,
        brokers: 0,
    };
}

impl Producer<'_> {
    /// Metadata is out of date: all topics are asked for, as soon as the backoff allows.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn request_metadata(&mut self) {
        if !self.metadata.needed {
            self.metadata.needed = true;
            self.arrange_due = true;
            self.wake = true;
        }
    }

    pub(crate) fn wants_metadata(&self) -> bool {
        let now = self.now;
        let Refresh { needed, not_before, due, asked, .. } = self.metadata;
        // Also what is due waits for the backoff: a starting broker answers without brokers, at once.
        self.topics_used > 0 && !asked && (needed || now >= due) && now >= not_before
    }

    pub(crate) fn ask_metadata(&mut self, c: usize) {
        let now = self.now;
        let pending = self.storage.topics.iter().any(|topic| topic.wanted);
        if !pending {
            for topic in self.storage.topics.iter_mut().take(usize::from(self.topics_used)) {
                topic.wanted = true;
            }
        }
        // While there is no leader nothing is sent, so asking costs little, and how long ago one was elected is added to
        // each failover: at most a quarter of the longest backoff.
        let (first, max) = (self.config.retry_backoff_ms, self.config.retry_backoff_max_ms / 4);
        let wait = backoff_micros(first, max, self.metadata.failures, &mut self.rng);
        let refresh = &mut self.metadata;
        refresh.failures = refresh.failures.saturating_add(1);
        refresh.not_before = now.plus_micros(wait);
        refresh.needed = false;
        refresh.asked = true;
        self.storage.connections[c].ask_metadata = true;
    }

    /// The connection that was asked is gone.
    pub(crate) fn lose_metadata(&mut self) {
        self.metadata.asked = false;
        self.request_metadata();
    }

    pub(crate) fn on_metadata(&mut self, c: usize, event: Event<'_>) -> Result<(), ProtocolError> {
        match event {
            Event::Throttle(millis) => {
                self.metadata.answer = self.metadata.answer.wrapping_add(1);
                self.metadata.brokers = 0;
                self.throttle(c, millis);
            }
            Event::Broker { node, host, port } => {
                self.metadata.brokers = self.metadata.brokers.saturating_add(1);
                if let Some(host) = host {
                    self.note_broker(node, host, port);
                }
            }
            Event::Topic { error, name, id } => self.begin_topic(c, error, name, id),
            Event::Partition { error, index, leader, leader_epoch } => {
                self.note_leader(c, error, index, leader, leader_epoch);
            }
            Event::TopicEnd => self.end_topic(c),
            Event::Error(code) => {
                if code == ErrorCode::REBOOTSTRAP_REQUIRED {
                    self.rebootstrap();
                }
            }
            Event::End => self.end_metadata(),
        }
        Ok(())
    }

    fn begin_topic(&mut self, c: usize, error: ErrorCode, name: Option<&[u8]>, id: TopicUuid) {
        let found = match name {
            Some(name) => self.find_topic(name),
            None => self.find_uuid(&id),
        };
        self.storage.connections[c].topic = found.map_or(Link::NONE, Link::to);
        let Some(t) = found else { return };
        let topic = &mut self.storage.topics[t];
        topic.answered = true;
        #[cfg(feature = "events")]
        let before = topic.error;
        topic.error = error;
        topic.counted = 0;
        if id.is_known() && id != topic.ids.now() {
            let recreated = topic.ids.now().is_known();
            let back = id == topic.ids.before();
            topic.ids.change(id);
            if recreated {
                // Leader epochs start again, and so must sequences (KAFKA-16012, franz-go 1417).
                topic.partitions = 0;
                topic.sticky = Sticky::NONE;
                self.start_over(t, back);
            }
        }
        #[cfg(feature = "events")]
        self.note_topic(t, before);
        if is_final(error) {
            self.fail_unsent(Some(t), 0, Reason::Rejected(error));
        } else if !error.is_ok() {
            self.request_metadata();
        }
    }

    /// The topic was deleted and created again. `back`: or a broker that lags behind still tells of the incarnation
    /// before, so what was sent may be in the log of either.
    fn start_over(&mut self, t: usize, back: bool) {
        for p in 0..usize::from(self.partitions_used) {
            let partition = &mut self.storage.partitions[p];
            if usize::from(partition.topic) != t {
                continue;
            }
            partition.leader_epoch = -1;
            partition.recreated = true;
            let mut at = partition.queue.head();
            while let Some(b) = at.filter(|_| back) {
                self.storage.batches[b].by_name = true;
                at = list::next(&self.storage.batches, QUEUE, b);
            }
            // There may be fewer partitions now: who has a leader is what the answer says next.
            self.set_leader(p, Link::NONE);
            self.settle_partition(p);
        }
    }

    fn note_leader(&mut self, c: usize, error: ErrorCode, index: i32, leader: i32, epoch: i32) {
        let Some(t) = self.storage.connections[c].topic.get().filter(|_| index >= 0) else {
            return;
        };
        let topic = &mut self.storage.topics[t];
        topic.counted = topic.counted.max(index.saturating_add(1));
        let room = usize::from(self.partitions_used) < self.storage.partitions.len();
        let found =
            if room { self.partition_slot(t, index) } else { self.find_partition(t, index) };
        let Some(p) = found else { return };
        let partition = &mut self.storage.partitions[p];
        let comparable = self.storage.connections[c].versions.metadata >= EPOCHS_COMPARABLE;
        if comparable && epoch >= 0 && epoch < partition.leader_epoch {
            // From a broker that lags behind.
            return;
        }
        let newer = comparable && epoch > partition.leader_epoch;
        if newer {
            partition.leader_epoch = epoch;
            // Behind a single address another leader may answer on the same connection.
            partition.known_on = Link::NONE;
        }
        partition.error = error;
        if leader < 0 {
            self.set_leader(p, Link::NONE);
            return;
        }
        let waits = matches!(partition.place, Place::Backoff(_));
        let broker = self.leader_slot(c, leader);
        self.metadata.crowded |=
            CLUSTER && broker.is_none() && !self.storage.partitions[p].queue.is_empty();
        self.set_leader(p, broker.map_or(Link::NONE, Link::to));
        if newer && waits {
            // What the backoff waits for has happened.
            self.leave_place(p);
            self.refile(p);
        }
    }

    fn end_topic(&mut self, c: usize) {
        let Some(t) = self.storage.connections[c].topic.get() else { return };
        let topic = &mut self.storage.topics[t];
        let counted = topic.counted;
        if topic.expected > 0 && counted > 0 {
            topic.expected = if counted < topic.partitions { topic.expected - 1 } else { 0 };
            if counted < topic.partitions && topic.expected == 0 {
                topic.partitions = counted;
                topic.sticky = Sticky::NONE;
                self.fail_unsent(Some(t), counted, Reason::NoSuchPartition);
            }
        }
        let topic = &mut self.storage.topics[t];
        // Never fewer: an answer may leave partitions out for a moment, or come from a broker that lags behind.
        topic.partitions = topic.partitions.max(counted);
        self.wake = true;
    }

    fn end_metadata(&mut self) {
        let now = self.now;
        self.metadata.asked = false;
        self.arrange_due = true;
        self.wake = true;
        if self.metadata.brokers == 0 {
            // A broker that is starting: what is known stays.
            self.request_metadata();
            return;
        }
        self.metadata.due = now.plus_millis(self.config.metadata_max_age_ms);
        self.metadata.rebootstrap = false;
        let answer = self.metadata.answer;
        for slot in self.storage.brokers.iter_mut().filter(|_| CLUSTER) {
            let gone = slot.used && !slot.bootstrap && slot.seen != answer;
            if gone && slot.leads == 0 && !slot.conn.is_some() && slot.ready.is_empty() {
                *slot = BrokerSlot::EMPTY;
            }
        }
        let used = usize::from(self.topics_used);
        if self.storage.topics.iter().take(used).any(|topic| topic.wanted) {
            // Not all topics fitted into one request: on with the others, without backoff.
            self.metadata.not_before = now;
            self.request_metadata();
        } else if self.is_incomplete() {
            self.request_metadata();
        } else if !self.metadata.needed {
            self.metadata.failures = 0;
        }
    }

    /// Does anything still wait for what an answer left out? A broker that starts may omit a topic or a partition.
    fn is_incomplete(&self) -> bool {
        let topics = self.storage.topics.iter().take(usize::from(self.topics_used));
        let partitions = self.storage.partitions.iter().take(usize::from(self.partitions_used));
        topics.into_iter().any(|topic| topic.partitions == 0 && !is_final(topic.error))
            || partitions
                .into_iter()
                .any(|partition| !partition.queue.is_empty() && !partition.leader.is_some())
    }

    /// Forgets all addresses but the bootstrap servers' (KIP-1102). Queues, producer id and sequences stay.
    fn rebootstrap(&mut self) {
        self.metadata.rebootstrap = true;
        for c in 0..self.storage.connections.len() {
            let conn = &self.storage.connections[c];
            if conn.broker.get().is_some_and(|broker| !self.storage.brokers[broker].bootstrap) {
                self.close_connection(c);
            }
        }
        self.request_metadata();
    }

    pub(crate) fn find_topic(&self, name: &[u8]) -> Option<usize> {
        let used = self.storage.topics.iter().take(usize::from(self.topics_used));
        used.enumerate().position(|(t, topic)| {
            usize::from(topic.name_len) == name.len()
                && self.storage.text_bytes(Text::Name(t), topic.name_len) == name
        })
    }

    /// By the id of the moment, or the one before: an answer may be about a request from before a refresh.
    pub(crate) fn find_uuid(&self, id: &TopicUuid) -> Option<usize> {
        let mut used = self.storage.topics.iter().take(usize::from(self.topics_used));
        used.position(|topic| {
            id.is_known() && (topic.ids.now() == *id || topic.ids.before() == *id)
        })
    }

    /// The slot that a leader is reached by: its own or, behind a single address, that of the server that named it.
    pub(crate) fn leader_slot(&mut self, c: usize, node: i32) -> Option<usize> {
        if !CLUSTER || self.config.single_address {
            return self.storage.connections[c].broker.get();
        }
        self.broker_slot(node)
    }

    /// The slot of a broker, a fresh one if it has none; its address may be unknown yet. `None` if all slots are taken
    /// by brokers that lead something.
    pub(crate) fn broker_slot(&mut self, node: i32) -> Option<usize> {
        let known = |slot: &BrokerSlot| slot.used && !slot.bootstrap && slot.node == node;
        if let Some(broker) = self.storage.brokers.iter().position(known) {
            return Some(broker);
        }
        let unused = self.storage.brokers.iter().position(|slot| !slot.used);
        let free = unused.or_else(|| self.forget_idle_broker())?;
        let slot = &mut self.storage.brokers[free];
        *slot = BrokerSlot::EMPTY;
        slot.used = true;
        slot.node = node;
        slot.seen = self.metadata.answer;
        Some(free)
    }

    /// Frees the slot of a broker that nothing is queued for: in a large cluster most lead nothing that is written to.
    fn forget_idle_broker(&mut self) -> Option<usize> {
        let used = usize::from(self.partitions_used);
        let mut brokers = self.storage.brokers.iter().enumerate();
        let (idle, _) = brokers.find(|(broker, slot)| {
            let leads = |p: &PartitionSlot| p.leader == Link::to(*broker);
            let mut partitions = self.storage.partitions.iter().take(used);
            !slot.bootstrap
                && !slot.conn.is_some()
                && slot.ready.is_empty()
                && !partitions.any(|p| leads(p) && !p.queue.is_empty())
        })?;
        for p in 0..used {
            if self.storage.partitions[p].leader == Link::to(idle) {
                self.set_leader(p, Link::NONE);
            }
        }
        Some(idle)
    }

    /// A broker's address, from metadata or a leader hint.
    pub(crate) fn note_broker(&mut self, node: i32, host: &[u8], port: i32) {
        if !CLUSTER || self.config.single_address {
            return;
        }
        let (Ok(port), Ok(host_len)) = (u16::try_from(port), u8::try_from(host.len())) else {
            return;
        };
        // Names of hosts are ASCII; others would be no `str`.
        if host_len == 0 || !host.iter().all(u8::is_ascii) {
            return;
        }
        let Some(broker) = self.broker_slot(node) else { return };
        self.storage.brokers[broker].seen = self.metadata.answer;
        let slot = self.storage.brokers[broker];
        if slot.port == port && self.storage.text_bytes(Text::Host(broker), slot.host_len) == host {
            return;
        }
        if !self.storage.set_text(Text::Host(broker), host) {
            return;
        }
        let slot = &mut self.storage.brokers[broker];
        slot.host_len = host_len;
        slot.port = port;
        slot.retry_at = Instant::ZERO;
        slot.failures = 0;
        match slot.conn.get() {
            // It moved: what is connected is somebody else's address now.
            Some(c) => {
                self.storage.connections[c].retired = true;
                self.close_connection(c);
            }
            None => self.take_over_bootstrap(broker, host, port),
        }
        self.arrange_due = true;
    }

    /// A bootstrap connection to the very address that a broker advertises is that broker's connection from now on.
    fn take_over_bootstrap(&mut self, broker: usize, host: &[u8], port: u16) {
        let same = |(other, slot): &(usize, &BrokerSlot)| {
            slot.bootstrap
                && slot.port == port
                && self.storage.text_bytes(Text::Host(*other), slot.host_len) == host
                && slot
                    .conn
                    .get()
                    .is_some_and(|c| self.storage.connections[c].state == ConnState::Ready)
        };
        let found = self.storage.brokers.iter().enumerate().find(same).map(|(other, _)| other);
        if let Some(other) = found {
            let conn = core::mem::take(&mut self.storage.brokers[other].conn);
            self.storage.brokers[broker].conn = conn;
            self.storage.brokers[broker].dialed_at = self.storage.brokers[other].dialed_at;
            if let Some(c) = conn.get() {
                self.storage.connections[c].broker = Link::to(broker);
            }
        }
    }
}

/// Errors of a topic that need a person.
pub(crate) fn is_final(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION)
}
