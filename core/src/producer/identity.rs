//! Producer id and epoch (KIP-98, KIP-360): asked for once, again when epochs are used up.

use super::Producer;
use crate::backoff::backoff_micros;
use crate::batch::Fate;
use crate::config::{Acks, Config, Idempotence, RELAXED};
use crate::error::{ProtocolError, Reason};
use crate::error_code::ErrorCode;
use crate::partition::sequence::Sequence;
use crate::time::Instant;
use crate::wire::init_producer_id::Event;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    idempotent: bool,
    /// The producer id + 1; 0 while there is none.
    pub(crate) id_plus_1: i64,
    /// Where a partition that takes over this id begins; not 0 only in tests of the wrap.
    pub(crate) epoch: i16,
    pub(crate) first_sequence: Sequence,
    asked: bool,
    /// There was one: idempotence has been promised.
    had: bool,
    /// Not asked for again before.
    pub(crate) not_before: Instant,
    failures: u8,
    /// Why there is none.
    pub(crate) error: ErrorCode,
}

impl Identity {
    pub(crate) fn new(config: &Config<'_>) -> Self {
        Self {
            idempotent: config.enable_idempotence != Idempotence::Off && config.acks == Acks::All,
            id_plus_1: 0,
            epoch: config.start_epoch.max(0),
            first_sequence: Sequence::new(config.start_sequence),
            asked: false,
            had: false,
            not_before: Instant::ZERO,
            failures: 0,
            error: ErrorCode::NONE,
        }
    }

    /// Goes on with the id of a snapshot; without one (0) another is asked for.
    #[cfg(feature = "snapshot")]
    pub(crate) fn restore(&mut self, id_plus_1: i64, epoch: i16, first_sequence: Sequence) {
        self.id_plus_1 = id_plus_1;
        self.had = id_plus_1 != 0;
        self.epoch = epoch;
        self.first_sequence = first_sequence;
    }

    pub(crate) const fn is_idempotent(&self) -> bool {
        !RELAXED || self.idempotent
    }

    /// Is an id needed, and not asked for?
    pub(crate) const fn is_wanted(&self) -> bool {
        self.is_idempotent() && self.id_plus_1 == 0 && !self.asked
    }
}

impl Producer<'_> {
    pub(crate) fn wants_id(&self) -> bool {
        let now = self.now;
        self.identity.is_wanted() && self.topics_used > 0 && now >= self.identity.not_before
    }

    pub(crate) fn ask_id(&mut self, c: usize) {
        self.identity.asked = true;
        self.storage.connections[c].ask_id = true;
    }

    /// The connection that was asked is gone.
    pub(crate) fn lose_id(&mut self) {
        self.identity.asked = false;
        self.arrange_due = true;
    }

    pub(crate) fn on_producer_id(&mut self, c: usize, event: Event) -> Result<(), ProtocolError> {
        let now = self.now;
        let Event::Done { throttle, error, producer_id, epoch } = event else { return Ok(()) };
        self.throttle(c, throttle);
        self.identity.asked = false;
        self.identity.error = error;
        self.arrange_due = true;
        self.wake = true;
        if error.is_ok() && producer_id >= 0 && epoch >= 0 {
            self.identity.failures = 0;
            self.identity.had = true;
            self.identity.id_plus_1 = producer_id.saturating_add(1);
            if self.identity.epoch == 0 {
                self.identity.epoch = epoch;
            }
            #[cfg(feature = "events")]
            self.note_identity();
            self.refile_all();
            return Ok(());
        }
        #[cfg(feature = "events")]
        self.note_identity();
        // 14 for a moment after a broker's start, with any id; the others heal or are somebody's to repair.
        let (first, max) = (self.config.retry_backoff_ms, self.config.retry_backoff_max_ms);
        let wait = backoff_micros(first, max, self.identity.failures, &mut self.rng);
        self.identity.failures = self.identity.failures.saturating_add(1);
        self.identity.not_before = now.plus_micros(wait);
        if error == ErrorCode::CLUSTER_AUTHORIZATION_FAILED {
            self.fail_unsent(None, 0, Reason::Rejected(error));
        }
        Ok(())
    }

    /// Nobody who could be asked offers ids.
    pub(crate) fn put_off_id(&mut self) {
        let now = self.now;
        self.identity.not_before = now.plus_millis(self.config.retry_backoff_max_ms.max(1));
    }

    /// Epochs of the id are used up (KAFKA-18660): another one is asked for, unless that has happened already.
    pub(crate) fn renew_identity(&mut self, used_up_plus_1: i64) {
        if self.identity.id_plus_1 == used_up_plus_1 {
            self.identity.id_plus_1 = 0;
            self.identity.epoch = 0;
            self.identity.first_sequence = Sequence::ZERO;
            self.arrange_due = true;
            self.wake = true;
        }
    }

    /// The broker offers no producer ids, and they were only preferred.
    #[cfg(any(feature = "api-versions", test))]
    pub(crate) fn go_on_without_ids(&mut self) {
        if RELAXED && !self.identity.had && self.identity.idempotent {
            self.identity.idempotent = false;
            self.refile_all();
        }
    }

    pub(super) fn refile_all(&mut self) {
        for p in 0..usize::from(self.partitions_used) {
            self.refile(p);
        }
    }

    /// Fails what was never sent, of one topic's partitions from `first` on or of all: an error of the topic or cluster
    /// says nothing of batches that are in flight (franz-go 781).
    pub(crate) fn fail_unsent(&mut self, topic: Option<usize>, first: i32, reason: Reason) {
        for p in 0..usize::from(self.partitions_used) {
            let partition = &self.storage.partitions[p];
            let another = topic.is_some_and(|t| usize::from(partition.topic) != t);
            if partition.sent > 0 || another || partition.index < first {
                continue;
            }
            while self.head(p).is_some() {
                self.settle_head(p, Fate::NotPersisted, reason);
            }
            self.settle_partition(p);
        }
    }
}
