//! The nine recovery rules: what an answer settles, what may be sent next, when an epoch is bumped.
//!
//! One mechanism: after a failure wait until nothing of the partition is in flight, then send everything again in
//! order, the same bytes under the same identity, until a success settles it. The terms:
//! a batch is *unsure* when one of its transmissions may have put it into the log; a batch that was sent, is not unsure
//! and has no success is *absent*, and so is all that follows it. A *round* is one pass over the batches sent. Rules
//! simpler than these lose, duplicate or give up records; ARCHITECTURE.md says which and why.

use super::outcome::{Answer, CORRUPT_RETRIES, Verdict, classify};
use super::sequence::Sequence;
use super::{PartitionSlot, Place, WAIT};
use crate::backoff::backoff_micros;
use crate::batch::{Fate, NO_REASON, QUEUE, SPLITS};
use crate::error::Reason;
use crate::error_code::ErrorCode;
use crate::producer::Producer;
use crate::storage::broken;
use crate::storage::list::{self, Link};
use crate::wire::api::FLEXIBLE;

/// Brokers remember this many batches of a producer: never are more unresolved, but for parts of a split.
pub(crate) const WINDOW: u16 = 5;
/// Rounds of nothing but 45 after which unsure batches are given up: a leader may come back within one.
const SILENT_ROUNDS: u8 = 2;

impl Producer<'_> {
    /// Rules 2 to 4: a batch of the partition was answered. What it settles is settled at once; what follows from
    /// an error waits until nothing is in flight (`settle_partition`).
    pub(crate) fn apply_answer(&mut self, p: usize, b: usize, conn: usize) {
        let slot = self.storage.batches[b];
        let mut verdict = self.verdict(slot.code, slot.base_offset);
        let idempotent = self.identity.is_idempotent();
        if !idempotent && verdict.answer == Answer::Sequence {
            verdict.answer = Answer::Final;
        }
        let used_up = u32::from(slot.retries) >= self.config.retries
            || slot.code == ErrorCode::CORRUPT_MESSAGE && slot.retries >= CORRUPT_RETRIES;
        if verdict.answer == Answer::Retry && used_up && !slot.unsure && !verdict.unsure
            || verdict.answer == Answer::Split && (slot.records == 1 || !SPLITS)
        {
            verdict.answer = Answer::Final;
        }
        if verdict.refresh {
            self.request_metadata();
        }
        // Not 59: that says that the leader has forgotten the producer.
        if verdict.answer == Answer::Success || slot.code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        {
            self.know(p, conn);
        }
        if verdict.answer == Answer::Success {
            self.succeed(p, b);
            return;
        }
        let batch = &mut self.storage.batches[b];
        let partition = &mut self.storage.partitions[p];
        batch.answer = verdict.answer;
        batch.unsure |= verdict.unsure;
        partition.failed = true;
        match verdict.answer {
            // Behind a gap, or stored and forgotten by a restarted broker: says nothing of an unsure batch.
            Answer::Sequence => partition.draining |= !batch.unsure,
            // The following batches may still prove that it was stored.
            Answer::Final if batch.unsure && idempotent => batch.rejected = true,
            _ => partition.draining = true,
        }
        if verdict.moved {
            partition.void = true;
            partition.known_on = Link::NONE;
            if FLEXIBLE && !self.storage.topics[usize::from(partition.topic)].ids.now().is_known() {
                // Without ids a topic that was created again begins with epoch 0 unnoticed: what metadata says next
                // counts, or it would be taken for stale for ever (KAFKA-16012).
                partition.leader_epoch = -1;
            }
        }
    }

    /// What the code means, and what the options make of it.
    #[allow(clippy::unused_self, reason = "options are of a feature")]
    fn verdict(&self, code: ErrorCode, base_offset: i64) -> Verdict {
        #[cfg(feature = "policies")]
        if self.config.policies.final_errors.contains(&code) {
            let verdict = classify(code, base_offset);
            let retried = verdict.answer == Answer::Retry;
            let answer = if retried { Answer::Final } else { verdict.answer };
            return Verdict { answer, ..verdict };
        }
        classify(code, base_offset)
    }

    /// On this connection the leader has the producer's state, so more than one batch may be in flight (rule 2).
    fn know(&mut self, p: usize, conn: usize) {
        let partition = &mut self.storage.partitions[p];
        partition.known_on = Link::to(conn);
        partition.known_generation = self.storage.connections[conn].generation;
    }

    /// Rule 3: success for a batch settles all before it, for batches of one epoch enter the log in order only.
    fn succeed(&mut self, p: usize, b: usize) {
        let success = &mut self.storage.batches[b];
        let records = success.records;
        if success.retries > 0 && success.append_time == success.max_timestamp {
            // What brokers answer for a duplicate, also on topics without LogAppendTime.
            success.append_time = -1;
        }
        if success.code != ErrorCode::NONE || success.base_offset < 0 {
            success.base_offset = -1;
        }
        let offset = success.base_offset;
        let mut before = 0u32;
        let mut at = self.storage.partitions[p].queue.head();
        while let Some(earlier) = at.filter(|&earlier| earlier != b) {
            before += u32::from(self.storage.batches[earlier].records);
            at = list::next(&self.storage.batches, QUEUE, earlier);
        }
        let room =
            offset < 0 || offset - self.storage.partitions[p].next_offset >= i64::from(before);
        let mut lost = false;
        while let Some(earlier) = self.head(p).filter(|&head| head != b) {
            let batch = &self.storage.batches[earlier];
            // Both contradict the law: the broker has lost its state.
            let (fate, reason) = if !batch.unsure {
                (Fate::NotPersisted, Reason::DataLoss)
            } else if room {
                (Fate::Delivered, NO_REASON)
            } else if batch.rejected {
                (Fate::Unknown, self.reason(p, earlier))
            } else {
                (Fate::Unknown, Reason::DataLoss)
            };
            lost |= reason == Reason::DataLoss;
            self.storage.batches[earlier].base_offset = -1;
            self.settle_head(p, fate, reason);
        }
        if lost {
            self.note_data_loss(p);
        }
        self.settle_head(p, Fate::Delivered, NO_REASON);
        let partition = &mut self.storage.partitions[p];
        if offset >= 0 {
            partition.next_offset = offset.saturating_add(i64::from(records));
        }
        partition.hole = false;
        partition.silent_rounds = 0;
        partition.failures = 0;
        if self.storage.partitions[p].queue.is_empty() {
            self.restart_round(p);
        }
    }

    /// What was put off until nothing of the partition is in flight: rules 1 and 5 to 8. Safe to call at any time.
    pub(crate) fn settle_partition(&mut self, p: usize) {
        if self.storage.partitions[p].in_flight > 0 {
            self.refile(p);
            return;
        }
        let mut again = false;
        if FLEXIBLE && self.storage.partitions[p].recreated {
            self.start_on_new_log(p);
        }
        while let Some(head) = self.head(p).filter(|&head| self.storage.batches[head].expired) {
            // Rule 8, in order: a batch never expires before one that is ahead of it.
            if self.storage.batches[head].unsure {
                self.fail_unsure_head(p);
            } else {
                self.fail_absent_head(p);
            }
            self.restart_round(p);
        }
        let partition = &self.storage.partitions[p];
        if partition.void {
            again = true;
            self.storage.partitions[p].silent_rounds = 0;
            self.restart_round(p);
        } else if partition.draining || partition.failed && self.is_at_end(p) {
            // What is split, or given up, is progress: the rest need not wait.
            again = !self.conclude(p);
            self.restart_round(p);
        }
        if self.storage.partitions[p].hole && !self.has_unsure(p) {
            // Rule 6. The numbers of what was given up must never be used again (franz-go 1217).
            self.bump(p);
            self.restart_round(p);
        }
        let sent = self.head(p).is_some_and(|head| self.storage.batches[head].sent);
        if again && sent {
            self.back_off(p);
        }
        self.refile(p);
    }

    /// Rule 5: the round is over and brought no success for the head. Did a batch get its outcome, or a smaller size?
    fn conclude(&mut self, p: usize) -> bool {
        if SPLITS && let Some(smaller) = self.split_where_asked(p) {
            return smaller;
        }
        let Some(h) = self.head(p) else { return false };
        let head = self.storage.batches[h];
        if !self.identity.is_idempotent() {
            if head.answer == Answer::Final {
                if head.unsure { self.fail_unsure_head(p) } else { self.fail_absent_head(p) }
            }
        } else if head.unsure {
            self.conclude_unsure(p, head.rejected);
        } else if head.answer == Answer::Sequence {
            // 5a: the broker lost data or state, or a batch reported Unknown never arrived. Nothing was appended.
            if !self.storage.partitions[p].hole {
                self.note_data_loss(p);
            }
            self.bump(p);
        } else if head.answer == Answer::Final {
            self.fail_absent_head(p);
        }
        self.head(p) != Some(h)
    }

    /// 5c, 5d: the head is unsure, and so may be those behind it.
    fn conclude_unsure(&mut self, p: usize, rejected: bool) {
        let (mut unsure, mut decided) = (0, true);
        let mut at = self.head(p);
        while let Some(b) = at {
            let batch = &self.storage.batches[b];
            if !batch.sent || batch.kin().guest_at > 0 {
                break;
            }
            decided &= matches!(batch.answer, Answer::Sequence | Answer::Final);
            if !batch.unsure {
                break;
            }
            unsure += 1;
            at = list::next(&self.storage.batches, QUEUE, b);
        }
        if !decided {
            self.storage.partitions[p].silent_rounds = 0;
        } else if rejected {
            self.fail_unsure_head(p);
        } else {
            self.storage.partitions[p].silent_rounds += 1;
            if self.storage.partitions[p].silent_rounds >= SILENT_ROUNDS {
                self.give_up_unsure(p, unsure);
            }
        }
    }

    /// The first batches of the queue, all unsure, answer 45 and nothing else.
    fn give_up_unsure(&mut self, p: usize, unsure: usize) {
        // Behind a hole the reason may be that the batch given up before never arrived.
        let hole = self.storage.partitions[p].hole;
        let last = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
        let reason = if hole { Reason::TimedOut { last } } else { Reason::DataLoss };
        for _ in 0..unsure {
            self.settle_head(p, Fate::Unknown, reason);
        }
        if !hole {
            self.note_data_loss(p);
        }
        self.bump(p);
    }

    /// 5b: the head is certainly not in the log, and so is all that follows it.
    fn fail_absent_head(&mut self, p: usize) {
        let Some(h) = self.head(p) else { return };
        let head = self.storage.batches[h];
        let reason = self.reason(p, h);
        self.settle_head(p, Fate::NotPersisted, reason);
        if !head.sent || !self.identity.is_idempotent() {
            return;
        }
        if self.has_unsure(p) || self.storage.partitions[p].hole {
            // A delayed request of the old epoch could take the number that another batch would get.
            self.bump(p);
        } else {
            self.renumber(p, head.sequence);
        }
    }

    fn fail_unsure_head(&mut self, p: usize) {
        let Some(h) = self.head(p) else { return };
        let reason = self.reason(p, h);
        self.settle_head(p, Fate::Unknown, reason);
        self.storage.partitions[p].hole = self.identity.is_idempotent();
    }

    fn reason(&self, p: usize, b: usize) -> Reason {
        let (partition, batch) = (&self.storage.partitions[p], &self.storage.batches[b]);
        let topic = &self.storage.topics[usize::from(partition.topic)];
        if batch.purged {
            return Reason::Purged;
        }
        if batch.expired {
            let codes = [batch.code, partition.error, topic.error, self.identity.error];
            let last = codes.into_iter().find(|code| !code.is_ok()).unwrap_or_default();
            return Reason::TimedOut { last };
        }
        match self.verdict(batch.code, batch.base_offset).answer {
            Answer::Retry => Reason::Retries { last: batch.code },
            Answer::Split => Reason::TooLarge,
            Answer::None | Answer::Success | Answer::Sequence | Answer::Final => {
                Reason::Rejected(batch.code)
            }
        }
    }

    /// Rule 7: a new epoch fences the old one on this partition, so nothing numbered under it can be appended any
    /// more. Only with nothing in flight, and nothing unsure but behind an absent head.
    fn bump(&mut self, p: usize) {
        self.counters.bumps.up(1);
        let partition = &mut self.storage.partitions[p];
        if partition.in_flight > 0 {
            broken("an epoch is bumped with nothing in flight");
        }
        partition.hole = false;
        partition.known_on = Link::NONE;
        partition.silent_rounds = 0;
        if partition.epoch < i16::MAX {
            partition.epoch += 1;
            self.renumber(p, Sequence::ZERO);
        } else {
            // KAFKA-18660: epochs are used up. `adopt` numbers the batches once there is a new producer id.
            let used_up = partition.producer_id_plus_1;
            partition.producer_id_plus_1 = 0;
            self.renew_identity(used_up);
        }
        #[cfg(feature = "events")]
        self.note_bump(p);
    }

    /// Gives all batches that have numbers new ones, from `sequence` on, under the partition's epoch.
    fn renumber(&mut self, p: usize, mut sequence: Sequence) {
        let mut at = self.head(p);
        while let Some(b) = at {
            let batch = &mut self.storage.batches[b];
            if !batch.sent {
                break;
            }
            batch.sequence = sequence;
            batch.stamped = false;
            batch.unsure = false;
            batch.rejected = false;
            batch.by_name = false;
            sequence = sequence.plus(batch.records);
            at = list::next(&self.storage.batches, QUEUE, b);
        }
        self.storage.partitions[p].next = sequence;
    }

    /// Takes over the producer's id; nothing of the partition is in flight or unsure.
    pub(crate) fn adopt(&mut self, p: usize) {
        let partition = &mut self.storage.partitions[p];
        partition.producer_id_plus_1 = self.identity.id_plus_1;
        partition.epoch = self.identity.epoch;
        partition.hole = false;
        partition.known_on = Link::NONE;
        partition.silent_rounds = 0;
        self.renumber(p, self.identity.first_sequence);
    }

    /// The topic was re-created: the log is a new one, in which nothing of this producer is known.
    fn start_on_new_log(&mut self, p: usize) {
        let mut by_name = false;
        let mut at = self.head(p);
        while let Some(b) = at {
            let batch = &self.storage.batches[b];
            by_name |= batch.unsure && batch.by_name;
            at = list::next(&self.storage.batches, QUEUE, b);
        }
        let partition = &mut self.storage.partitions[p];
        partition.recreated = false;
        partition.next_offset = 0;
        partition.known_on = Link::NONE;
        if self.identity.is_idempotent() && partition.producer_id_plus_1 != 0 && !by_name {
            // By topic id, what they stored went with the old log. By name it may be in either: rule 1 goes on.
            self.bump(p);
        }
        self.restart_round(p);
    }

    /// Rule 1: from the oldest unresolved batch on, again.
    pub(crate) fn restart_round(&mut self, p: usize) {
        let mut at = self.head(p);
        while let Some(b) = at.filter(|&b| self.storage.batches[b].sent) {
            self.storage.batches[b].answer = Answer::None;
            at = list::next(&self.storage.batches, QUEUE, b);
        }
        let partition = &mut self.storage.partitions[p];
        partition.cursor = partition.queue.first();
        partition.failed = false;
        partition.draining = false;
        partition.void = false;
    }

    fn back_off(&mut self, p: usize) {
        let now = self.now;
        let partition = &mut self.storage.partitions[p];
        let failures = partition.failures;
        partition.failures = failures.saturating_add(1);
        if FLEXIBLE && core::mem::take(&mut partition.hinted) {
            #[cfg(feature = "events")]
            self.note_retry(p, 0);
            return;
        }
        let (initial, max) = (self.config.retry_backoff_ms, self.config.retry_backoff_max_ms);
        let wait = backoff_micros(initial, max, failures, &mut self.rng);
        #[cfg(feature = "events")]
        self.note_retry(p, wait);
        self.request_metadata();
        self.leave_place(p);
        self.wait_until(p, failures, now.plus_micros(wait));
    }

    /// Is there nothing more to be sent in this round?
    fn is_at_end(&self, p: usize) -> bool {
        self.next_to_send(p).is_none()
    }

    /// The batch that the round comes to next: one that has a number, or a new one while fewer than five do.
    pub(crate) fn next_to_send(&self, p: usize) -> Option<usize> {
        let partition = &self.storage.partitions[p];
        let b = partition.cursor.get()?;
        let batch = &self.storage.batches[b];
        let timed = batch.anchored || self.clock.is_some();
        let new = !batch.sent && partition.sent < WINDOW && batch.due && timed && !self.paused;
        (new || batch.sent && batch.kin().guest_at == 0).then_some(b)
    }

    /// May the partition send its next batch now, as far as it itself is concerned?
    pub(crate) fn is_sendable(&self, p: usize) -> bool {
        let partition = &self.storage.partitions[p];
        let head_expired =
            || partition.queue.head().is_some_and(|head| self.storage.batches[head].expired);
        let numbered = !self.identity.is_idempotent() || partition.producer_id_plus_1 != 0;
        self.next_to_send(p).is_some_and(|b| !self.is_held(b))
            && !partition.draining
            && !partition.void
            && (!FLEXIBLE || !partition.recreated)
            && numbered
            && u16::from(partition.in_flight) < self.window(partition)
            && !self.is_elsewhere(partition)
            && !head_expired()
            && !(partition.hole && partition.in_flight == 0 && !self.has_unsure(p))
    }

    /// How many batches may be in flight: one until the leader is known to know the producer (rule 2). Without
    /// idempotence always one, or a retry would overtake what follows.
    fn window(&self, partition: &PartitionSlot) -> u16 {
        let known = partition.known_on.get().is_some_and(|conn| {
            self.leader_conn(partition) == partition.known_on
                && self.storage.connections[conn].generation == partition.known_generation
        });
        if self.identity.is_idempotent() && known { WINDOW } else { 1 }
    }

    /// Is something in flight on another connection than the one that the next batch would take? Then the answers,
    /// or the end of that connection, come first.
    fn is_elsewhere(&self, partition: &PartitionSlot) -> bool {
        partition.in_flight > 0
            && self.leader_conn(partition) != Link::to(usize::from(partition.conn))
    }

    fn leader_conn(&self, partition: &PartitionSlot) -> Link {
        partition.leader.get().map_or(Link::NONE, |broker| self.storage.brokers[broker].conn)
    }

    fn has_unsure(&self, p: usize) -> bool {
        let mut at = self.head(p);
        while let Some(b) = at.filter(|&b| self.storage.batches[b].sent) {
            if self.storage.batches[b].unsure {
                return true;
            }
            at = list::next(&self.storage.batches, QUEUE, b);
        }
        false
    }

    pub(crate) fn head(&self, p: usize) -> Option<usize> {
        self.storage.partitions[p].queue.head()
    }

    /// Puts the partition where it belongs: its leader's ready list, if it can send a batch.
    pub(crate) fn refile(&mut self, p: usize) {
        let partition = &self.storage.partitions[p];
        if matches!(partition.place, Place::Backoff(_)) {
            return;
        }
        let idle = partition.in_flight == 0 && !partition.queue.is_empty();
        if self.identity.is_idempotent() && idle && self.identity.id_plus_1 != 0 {
            let stale = partition.producer_id_plus_1 != self.identity.id_plus_1;
            if partition.producer_id_plus_1 == 0 || stale && partition.sent == 0 {
                self.adopt(p);
            }
        }
        let place = match self.storage.partitions[p].leader.get() {
            #[allow(clippy::cast_possible_truncation, reason = "at most 255 brokers")]
            Some(broker) if self.is_sendable(p) => Place::Ready(broker as u8),
            _ => Place::Nowhere,
        };
        #[cfg(feature = "compression")]
        let place = self.place_for_codec(p, place);
        if place == self.storage.partitions[p].place {
            return;
        }
        self.leave_place(p);
        self.storage.partitions[p].place = place;
        if let Place::Ready(broker) = place {
            let broker = &mut self.storage.brokers[usize::from(broker)];
            let first = broker.ready.is_empty();
            broker.ready.push_back(&mut self.storage.partitions, WAIT, p);
            if first {
                broker.waits_since = self.now;
                self.arrange_due |= !broker.conn.is_some();
                // A connection that has as many requests as it may have wants nothing new before an answer comes.
                let conn = broker.conn.get().filter(|_| cfg!(feature = "alloc"));
                let max = self.config.max_in_flight_requests_per_connection;
                let full = conn.is_some_and(|c| self.storage.connections[c].has_all(max));
                self.wake |= !full;
            }
        }
        #[cfg(feature = "compression")]
        if place == Place::Uncompressed {
            self.wake = true;
            self.uncompressed.push_back(&mut self.storage.partitions, WAIT, p);
        }
    }

    /// Takes the partition out of the list that it waits in.
    pub(crate) fn leave_place(&mut self, p: usize) {
        match core::mem::take(&mut self.storage.partitions[p].place) {
            Place::Nowhere => {}
            Place::Ready(broker) => {
                let ready = &mut self.storage.brokers[usize::from(broker)].ready;
                ready.remove(&mut self.storage.partitions, WAIT, p);
            }
            #[cfg(feature = "compression")]
            Place::Uncompressed => {
                self.uncompressed.remove(&mut self.storage.partitions, WAIT, p);
            }
            Place::Backoff(level) => {
                if let Some(list) = self.backoff.get_mut(usize::from(level)) {
                    list.remove(&mut self.storage.partitions, WAIT, p);
                }
            }
        }
    }
}
