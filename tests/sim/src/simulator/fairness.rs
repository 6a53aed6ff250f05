//! Does every partition have its turn (I12)?
//!
//! Of the partitions that wait for one leader none may be sent again and again while another waits:
//! not more than [`TURNS`] times each, so that a partition's turn comes within [`TURNS`] times as
//! many requests as there are partitions that wait. Only those count as waiting of which that is
//! certain, seen from outside: the same leader, a batch that has lingered and not expired, nothing
//! in flight, no backoff.

use std::collections::BTreeMap;

use super::Simulation;
use super::ledger::{Checked, Place};

/// How often another partition may be sent while one waits.
const TURNS: u32 = 2;

/// Who overtook whom, and how often.
#[derive(Debug, Default)]
pub(super) struct Turns {
    overtaken: BTreeMap<Place, BTreeMap<Place, u32>>,
    /// Answers to Metadata at that time.
    refreshed: u64,
}

impl Turns {
    /// A partition's wait is over, or it does not wait as it did before.
    pub(super) fn forget(&mut self, place: &Place) {
        self.overtaken.remove(place);
    }
}

impl Simulation {
    /// A Produce request with batches of these partitions was made: were all others that wait for
    /// the same leader served before?
    pub(super) fn check_turns(&mut self, sent: &[Place]) -> Checked {
        for place in sent {
            self.turns.forget(place);
        }
        if self.turns.refreshed != self.observer.refreshed {
            // A leader may have been taken back and given again.
            self.turns.refreshed = self.observer.refreshed;
            self.turns.overtaken.clear();
        }
        let Some(first) = sent.first() else { return Ok(()) };
        // The request is made: the leader of one is that of all.
        let leader = self.known_leader(first);
        let waiting: Vec<Place> = self.ledger.waiting().cloned().collect();
        for place in waiting.into_iter().filter(|place| !sent.contains(place)) {
            if leader.is_none() || self.known_leader(&place) != leader || !self.is_ready(&place) {
                self.turns.forget(&place);
                continue;
            }
            let overtaken = self.turns.overtaken.entry(place.clone()).or_default();
            for other in sent {
                let times = overtaken.entry(other.clone()).or_default();
                *times += 1;
                if *times > TURNS {
                    let times = *times;
                    let why = self.why(&place);
                    return Err(format!(
                        "{place:?} starves: {other:?} was sent {times} times: {why:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What the producer says that the partition waits for.
    fn why(&self, (topic, index): &Place) -> Option<klamm::Explain> {
        let (topic, _) = self.names.iter().find(|(_, name)| *name == topic)?;
        Some(self.producer.explain(klamm::PartitionId { topic: *topic, index: *index }))
    }

    /// The leader that the producer knows.
    fn known_leader(&self, (topic, partition): &Place) -> Option<i32> {
        let (handle, _) = self.names.iter().find(|(_, name)| *name == topic)?;
        self.producer.leader(*handle, *partition)
    }

    /// Has the partition a batch that can be sent as soon as its leader takes it?
    fn is_ready(&self, place: &Place) -> bool {
        let config = &self.setup.config;
        let backoff = u64::from(config.retry_backoff_max_ms.max(config.retry_backoff_ms)) * 1_000;
        // And for so long again it waits for metadata that was asked for (rule 1).
        let backoff = 2 * backoff;
        let linger = u64::from(config.linger_ms) * 1_000;
        let delivery = u64::from(config.delivery_timeout_ms) * 1_000;
        let opened = self.ledger.oldest_waiting(place).map(|entry| entry.opened);
        let due = |opened: u64| {
            self.now >= opened.saturating_add(linger) && self.now < opened.saturating_add(delivery)
        };
        // With unread reports it cannot be told which records still wait.
        // Policies, a pause, a clock that is not set, and a slow adapter that compresses hold batches back.
        self.plain
            && self.user.paused_until.is_none()
            && !self.setup.config.compress_outside
            && self.setup.clock
            && opened.is_some_and(due)
            && self.observer.up_to_date
            && self.observer.is_rested(place, backoff, self.now)
    }
}
