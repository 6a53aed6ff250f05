//! The identities that the batches of one partition had on the wire, and the rules for them:
//! a batch is cut once; its bytes stay the same under one identity; it gets another only if it
//! cannot be in the log; sequences have no gap and no overlap; the first batch of a connection and
//! epoch goes alone; a partition is on one connection at a time; at most five batches are
//! unresolved.

use std::collections::BTreeSet;

use super::ledger::Checked;
use super::wire::{SentBatch, TopicRef};

const OK: i16 = 0;
const DUPLICATE: i16 = 46;
const OUT_OF_ORDER: i16 = 45;
const SPLIT: [i16; 2] = [10, 18];
const WINDOW: usize = 5;

/// A batch that was transmitted and is not resolved.
#[derive(Debug)]
struct Live {
    batch: SentBatch,
    /// Transmissions without an answer yet, by connection slot.
    in_flight: Vec<usize>,
    /// May a transmission have been appended?
    unsure: bool,
    /// Was it too large?
    too_large: bool,
    /// The first record of the batch that it was cut from.
    whole: u64,
}

impl Live {
    fn identity(&self) -> (i64, i16, i32) {
        identity(&self.batch)
    }

    fn maybe_in_log(&self) -> bool {
        self.unsure || !self.in_flight.is_empty()
    }
}

/// What was seen of one partition.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    /// Oldest first.
    live: Vec<Live>,
    /// Records with an outcome.
    resolved: BTreeSet<u64>,
    /// The producer id and epoch of the last batch, and the sequence behind the last new one.
    next: Option<(i64, i16, i32)>,
    /// Connection slot, producer id, epoch: a success or 45 was answered.
    known: Option<(usize, i64, i16)>,
    /// A batch that is certainly not in the log was given up: what was sent behind it is not there
    /// either.
    absent_failed: bool,
    /// A batch of this round was answered with an error, or not at all.
    failed: bool,
    /// When the last failed round ended.
    failed_at: Option<u64>,
    /// The topics that it was sent to, the last one at the end: there are several if it was created
    /// again. One that is named may be any of them.
    topics: Vec<TopicRef>,
    /// The topic was created again.
    pub(super) recreated: bool,
}

impl Lineage {
    /// A batch was sent. `start`: sequence of the very first one; `up_to_date`: all reports are
    /// read.
    pub(super) fn sent(
        &mut self,
        slot: usize,
        batch: &SentBatch,
        start: i32,
        up_to_date: bool,
    ) -> Checked {
        if let Some(other) = self.live.iter().flat_map(|l| &l.in_flight).find(|s| **s != slot) {
            return Err(format!("sent on slot {slot} while in flight on slot {other}"));
        }
        let in_flight: usize = self.live.iter().map(|l| l.in_flight.len()).sum();
        let identified = batch.producer_id >= 0;
        let known = self.known == Some((slot, batch.producer_id, batch.epoch));
        if in_flight > 0 && !(known && identified) {
            return Err(format!("{in_flight} in flight before the first success"));
        }
        self.check_topic(batch)?;
        let sure_of_log = self.is_sure_of_log();
        if identified && sure_of_log {
            self.check_identity(batch, start, up_to_date)?;
        }
        let same = self.live.iter_mut().find(|l| l.batch.numbers == batch.numbers);
        if let Some(live) = same {
            live.batch = batch.clone();
            live.in_flight.push(slot);
            return Ok(());
        }
        let (in_flight, batch) = (vec![slot], batch.clone());
        let whole = batch.numbers[0];
        self.live.push(Live { batch, in_flight, unsure: false, too_large: false, whole });
        // Also while parts of a split make it more than five: none is new before they are fewer.
        let strict = identified && up_to_date && sure_of_log;
        if strict && self.live.len() > WINDOW {
            let live: Vec<_> =
                self.live.iter().map(|l| (l.batch.sequence, &l.batch.numbers)).collect();
            return Err(format!("more than five batches are unresolved: {live:?}"));
        }
        Ok(())
    }

    /// The topic was created again and is named by its new id: nothing is in flight to the old one,
    /// what is stored went with it, and what is sent is a new epoch's.
    fn check_topic(&mut self, batch: &SentBatch) -> Checked {
        if self.topics.last() == Some(&batch.topic) {
            return Ok(());
        }
        let first = self.topics.is_empty();
        self.topics.push(batch.topic.clone());
        if first || !self.recreated || !self.is_sure_of_log() {
            return Ok(());
        }
        for live in &mut self.live {
            if !live.in_flight.is_empty() {
                return Err(format!("{:?} is in flight to the old topic", live.batch.numbers));
            }
            live.unsure = false;
        }
        match self.next {
            Some((id, epoch, _)) if (id, epoch) == (batch.producer_id, batch.epoch) => {
                Err("the epoch goes on in a new log".into())
            }
            _ => Ok(()),
        }
    }

    /// Is it certain which log each batch was for? Not by name when the topic was created again
    /// (protocol.md 4.7): what is unsure keeps its identity then, and brokers that know nothing of
    /// it take any sequence. Nor when the id of a topic came back.
    fn is_sure_of_log(&self) -> bool {
        let named = self.topics.iter().any(|topic| matches!(topic, TopicRef::Name(_)));
        let mut others = self.topics.iter().enumerate();
        let back = others.any(|(n, topic)| self.topics[..n].contains(topic));
        !(self.recreated && (named || back))
    }

    fn check_identity(&mut self, batch: &SentBatch, start: i32, up_to_date: bool) -> Checked {
        let mine = identity(batch);
        if self.next.is_some_and(|(id, epoch, _)| (id, epoch) != (mine.0, mine.1)) {
            self.check_fence(up_to_date)?;
        }
        match self.live.iter().find(|l| l.batch.numbers == batch.numbers) {
            Some(live) if live.identity() == mine => {
                let seen = !live.batch.bytes.is_empty();
                if seen && live.batch.bytes != batch.bytes {
                    return Err("a retried batch has other bytes".into());
                }
                if !seen {
                    self.pass(batch);
                }
                return Ok(());
            }
            Some(live) if live.maybe_in_log() => {
                return Err(format!("renumbered although ambiguous, from {:?}", live.identity()));
            }
            _ => {}
        }
        let cut_in_place = self.check_cut(batch)?;
        self.check_reuse(batch)?;
        if !cut_in_place {
            return self.check_gap(batch, start);
        }
        self.pass(batch);
        Ok(())
    }

    /// A part of a split keeps its numbers, or got new ones when the parts before it were given up.
    fn pass(&mut self, part: &SentBatch) {
        let Some((.., next)) = self.next.as_mut() else { return };
        let ahead = next.wrapping_sub(part.sequence) & i32::MAX;
        if usize::try_from(ahead).is_ok_and(|ahead| ahead <= part.numbers.len()) {
            *next = add(part.sequence, part.numbers.len());
        }
    }

    /// A new epoch: nothing may be in flight, and what may be in the log must be resolved, unless
    /// it was sent behind a batch that is not there.
    fn check_fence(&mut self, up_to_date: bool) -> Checked {
        let absent = self.live.iter().position(|l| !l.maybe_in_log());
        let absent = if self.absent_failed { 0 } else { absent.unwrap_or(self.live.len()) };
        self.absent_failed = false;
        if let Some(live) = self.live[..absent].first().filter(|_| up_to_date) {
            return Err(format!("bumped while ambiguous: {:?}", live.batch.numbers));
        }
        for live in &mut self.live[absent..] {
            if !live.in_flight.is_empty() {
                return Err(format!("bumped while in flight: {:?}", live.batch.numbers));
            }
            live.unsure = false;
        }
        Ok(())
    }

    /// The same records in another batch: only as parts of one that was too large. Is this such a
    /// part, with the identity that it had in the whole?
    fn check_cut(&mut self, batch: &SentBatch) -> Result<bool, String> {
        let shares = |l: &Live| {
            l.batch.numbers != batch.numbers
                && l.batch.numbers.iter().any(|n| batch.numbers.contains(n))
        };
        let Some(place) = self.live.iter().position(shares) else { return Ok(false) };
        let whole = &self.live[place];
        let within = batch.numbers.iter().all(|n| whole.batch.numbers.contains(n));
        if !(within && whole.too_large && whole.in_flight.is_empty()) {
            return Err(format!("a retried batch was cut again, was {:?}", whole.batch.numbers));
        }
        let whole = &self.live[place].batch;
        let ahead = whole.numbers.iter().position(|n| *n == batch.numbers[0]).unwrap_or(0);
        let mine = (whole.producer_id, whole.epoch, add(whole.sequence, ahead));
        self.split_up(place, batch);
        Ok(mine == identity(batch))
    }

    /// Replaces a batch by the part that was sent and what is left of it.
    fn split_up(&mut self, place: usize, part: &SentBatch) {
        let whole = self.live.remove(place);
        let Some(first) = whole.batch.numbers.iter().position(|n| *n == part.numbers[0]) else {
            return;
        };
        let rest = first + part.numbers.len();
        let cuts = [(0, first), (first, rest), (rest, whole.batch.numbers.len())];
        for (from, to) in cuts.into_iter().filter(|(from, to)| from < to).rev() {
            let mut batch = whole.batch.clone();
            batch.numbers = whole.batch.numbers[from..to].to_vec();
            batch.sequence = add(whole.batch.sequence, from);
            batch.bytes = if from == first { part.bytes.clone() } else { Default::default() };
            let (unsure, too_large, whole) = (whole.unsure, from != first, whole.whole);
            let part = Live { batch, in_flight: Vec::new(), unsure, too_large, whole };
            self.live.insert(place, part);
        }
        self.join_rests();
    }

    /// What is left of a split may be cut anywhere while it has not been sent: neighbours of one batch are one.
    fn join_rests(&mut self) {
        let unsent = |l: &Live| l.batch.bytes.is_empty() && l.too_large;
        self.live.dedup_by(|next, rest| {
            let one = unsent(rest)
                && unsent(next)
                && (rest.unsure, rest.whole) == (next.unsure, next.whole);
            if one {
                rest.batch.numbers.append(&mut next.batch.numbers);
            }
            one
        });
    }

    /// A sequence may be used for other records only if the batch that had it cannot be in the log.
    fn check_reuse(&self, batch: &SentBatch) -> Checked {
        let overlaps = |l: &Live| {
            l.batch.numbers != batch.numbers
                && (l.batch.producer_id, l.batch.epoch) == (batch.producer_id, batch.epoch)
                && overlap(&l.batch, batch)
        };
        match self.live.iter().find(|l| overlaps(l) && l.maybe_in_log()) {
            Some(l) => Err(format!("a sequence in use: {:?} has it", l.batch.numbers)),
            None => Ok(()),
        }
    }

    fn check_gap(&mut self, batch: &SentBatch, start: i32) -> Checked {
        let end = add(batch.sequence, batch.numbers.len());
        let (id, epoch) = (batch.producer_id, batch.epoch);
        let Some((last_id, last_epoch, next)) = self.next.replace((id, epoch, end)) else {
            return match batch.sequence == start {
                true => Ok(()),
                false => Err(format!("the first sequence is not {start}")),
            };
        };
        if (last_id, last_epoch) != (id, epoch) {
            if id == last_id && epoch < last_epoch {
                return Err(format!("the epoch goes back, was {last_epoch}"));
            }
            return match batch.sequence {
                0 => Ok(()),
                _ => Err("a new epoch does not start with sequence 0".into()),
            };
        }
        let ahead = batch.sequence.wrapping_sub(next) & i32::MAX;
        if ahead != 0 && ahead < i32::MAX / 2 {
            return Err(format!("a gap: sequence {next} is next"));
        }
        Ok(())
    }

    /// A batch was answered.
    pub(super) fn answered(
        &mut self,
        slot: usize,
        batch: &SentBatch,
        code: i16,
        offset: i64,
        now: u64,
    ) {
        self.failed |= code != OK;
        if code == OK || code == DUPLICATE || code == OUT_OF_ORDER {
            self.known = Some((slot, batch.producer_id, batch.epoch));
        }
        let Some(place) = self.place(batch) else { return };
        self.landed(place, slot, now);
        if code == OK || code == DUPLICATE {
            self.live.drain(..=place);
            self.absent_failed = false;
            return;
        }
        let live = &mut self.live[place];
        live.unsure |= offset >= 0 || is_ambiguous(code);
        live.too_large |= SPLIT.contains(&code);
    }

    /// The answer to a batch will not come.
    pub(super) fn unanswered(&mut self, slot: usize, batch: &SentBatch, now: u64) {
        self.failed = true;
        if let Some(place) = self.place(batch) {
            self.landed(place, slot, now);
            self.live[place].unsure = true;
        }
    }

    /// A request with a batch of this partition was not written to its end.
    pub(super) fn cut_short(&mut self, now: u64) {
        self.failed_at = Some(now);
    }

    /// Is nothing in flight, and has the backoff after the last failure, at most this long, ended?
    pub(super) fn is_rested(&self, backoff: u64, now: u64) -> bool {
        let landed = self.live.iter().all(|l| l.in_flight.is_empty());
        let over = |at: u64| now > at.saturating_add(backoff);
        landed && !self.failed && self.failed_at.is_none_or(over)
    }

    /// The connection slots on which these records are in flight.
    pub(super) fn slots_with(&self, numbers: &[u64]) -> impl Iterator<Item = usize> {
        let theirs = |l: &&Live| l.batch.numbers.iter().any(|n| numbers.contains(n));
        self.live.iter().filter(theirs).flat_map(|l| l.in_flight.iter().copied())
    }

    /// A connection is gone.
    pub(super) fn disconnected(&mut self, slot: usize) {
        if self.known.is_some_and(|(known, ..)| known == slot) {
            self.known = None;
        }
    }

    /// These records have their outcome.
    pub(super) fn reported(&mut self, numbers: &[u64]) {
        // What is reported in pieces may not have been sent in these pieces.
        self.resolved.extend(numbers);
        let gone = |l: &Live| l.batch.numbers.iter().all(|n| self.resolved.contains(n));
        self.absent_failed |= self.live.iter().any(|l| gone(l) && !l.maybe_in_log());
        self.live.retain(|l| !gone(l));
    }

    fn place(&self, batch: &SentBatch) -> Option<usize> {
        let same = |l: &Live| l.batch.numbers == batch.numbers && l.identity() == identity(batch);
        self.live.iter().position(same)
    }

    fn landed(&mut self, place: usize, slot: usize, now: u64) {
        let flights = &mut self.live[place].in_flight;
        if let Some(one) = flights.iter().position(|s| *s == slot) {
            flights.remove(one);
        }
        if self.failed && self.live.iter().all(|l| l.in_flight.is_empty()) {
            self.failed = false;
            self.failed_at = Some(now);
        }
    }
}

fn identity(batch: &SentBatch) -> (i64, i16, i32) {
    (batch.producer_id, batch.epoch, batch.sequence)
}

/// Sequences are numbers of 31 bits.
fn add(sequence: i32, records: usize) -> i32 {
    sequence.wrapping_add(i32::try_from(records).unwrap_or(i32::MAX)) & i32::MAX
}

fn overlap(a: &SentBatch, b: &SentBatch) -> bool {
    let inside = |point: i32, of: &SentBatch| {
        let ahead = point.wrapping_sub(of.sequence) & i32::MAX;
        usize::try_from(ahead).is_ok_and(|ahead| ahead < of.numbers.len())
    };
    inside(a.sequence, b) || inside(b.sequence, a)
}

/// Errors after which a batch may be in the log; unknown codes are among them.
pub(super) fn is_ambiguous(code: i16) -> bool {
    const DEFINITE: [i16; 36] = [
        2, 3, 5, 6, 8, 9, 10, 17, 18, 19, 21, 29, 31, 32, 35, 42, 43, 44, 45, 47, 48, 49, 51, 53,
        55, 58, 59, 72, 74, 75, 76, 87, 89, 90, 100, 103,
    ];
    !DEFINITE.contains(&code)
}
