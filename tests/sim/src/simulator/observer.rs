//! Watches the wire from the producer's end and holds what it sees against the rules for sequences.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

use super::ledger::{Checked, Place};
use super::lineage::{self, Lineage};
use super::wire::{self, Frames, METADATA, PRODUCE, Sent, SentBatch, TopicRef};

/// A batch that was sent, and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When its request was complete.
    pub at: u64,
    /// The producer's connection slot.
    pub slot: usize,
    /// Which connection it was, of all that were opened.
    pub connection: u64,
    /// The node at the other end.
    pub node: i32,
    /// The request's version.
    pub version: i16,
    /// The request's correlation id.
    pub correlation: i32,
    /// Topic and partition.
    pub place: Place,
    /// The batch.
    pub batch: SentBatch,
    /// When it was answered, the error code, and the base offset.
    pub answer: Option<(u64, i16, i64)>,
}

/// A request being written.
#[derive(Debug)]
struct Outgoing {
    sent: Sent,
    /// Topics and partitions of its batches.
    places: Vec<Place>,
    /// The frame as it was first offered, and how much of it was taken.
    frame: Bytes,
    taken: usize,
}

impl Exchange {
    /// May it have put the batch into the log, for all that was answered?
    pub(super) fn may_be_stored(&self) -> bool {
        self.answer
            .is_none_or(|(_, code, offset)| code == 0 || offset >= 0 || lineage::is_ambiguous(code))
    }

    /// Did the request name the topic by its name?
    pub(super) fn is_by_name(&self) -> bool {
        matches!(self.batch.topic, TopicRef::Name(_))
    }
}

#[derive(Debug, Default)]
struct Side {
    out: Option<Outgoing>,
    back: Frames,
    /// Answers that are awaited, in order: correlation id, API, version, exchanges.
    awaited: VecDeque<(i32, i16, i16, Vec<usize>)>,
    /// The answers make no sense any more.
    broken: bool,
    muted_until: u64,
    /// When the first bytes of the answer being read came.
    began: u64,
    node: i32,
    number: u64,
}

/// What the observer must know of the producer's configuration.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// `max_in_flight_requests_per_connection`.
    pub in_flight: usize,
    /// Is the first sequence of a partition other than 0 (a test's start)?
    pub start_sequence: i32,
    /// Do records have numbers, by which batches are told apart?
    pub numbered: bool,
}

/// The observer.
#[derive(Debug)]
pub struct Observer {
    terms: Terms,
    sides: Vec<Side>,
    lineages: BTreeMap<Place, Lineage>,
    topics: HashMap<[u8; 16], String>,
    recreated: BTreeSet<String>,
    /// Connections.
    opened: u64,
    /// Answers to Metadata that were read: leaders may have changed, and changed back.
    pub(super) refreshed: u64,
    /// Every batch that was sent, in order.
    pub exchanges: Vec<Exchange>,
    /// The acks and the timeout, in milliseconds, of the last Produce request.
    pub last_terms: Option<(i16, i32)>,
    /// Requests by API key, complete ones.
    pub requests: BTreeMap<i16, u64>,
    /// Are all reports read? Only then can it be told which batches are unresolved.
    pub up_to_date: bool,
}

impl Observer {
    /// Nothing seen yet, on this many connection slots.
    pub fn new(slots: usize, terms: Terms) -> Self {
        Self {
            terms,
            sides: (0..slots).map(|_| Side::default()).collect(),
            lineages: BTreeMap::new(),
            topics: HashMap::new(),
            recreated: BTreeSet::new(),
            opened: 0,
            refreshed: 0,
            exchanges: Vec::new(),
            last_terms: None,
            requests: BTreeMap::new(),
            up_to_date: true,
        }
    }

    /// A topic has this id.
    pub fn learn(&mut self, id: [u8; 16], topic: &str) {
        self.topics.insert(id, topic.to_owned());
    }

    /// A connection is open.
    pub fn opened(&mut self, slot: usize, node: i32) {
        self.opened += 1;
        self.sides[slot] = Side { node, number: self.opened, ..Side::default() };
    }

    /// A connection is gone: what was not answered on it may be in the log.
    pub fn closed(&mut self, slot: usize, now: u64) {
        let side = core::mem::take(&mut self.sides[slot]);
        for exchange in side.awaited.into_iter().flat_map(|(.., exchanges)| exchanges) {
            let exchange = &self.exchanges[exchange];
            if let Some(lineage) = self.lineages.get_mut(&exchange.place) {
                lineage.unanswered(slot, &exchange.batch, now);
            }
        }
        for place in side.out.into_iter().flat_map(|out| out.places) {
            self.lineages.entry(place).or_default().cut_short(now);
        }
        self.lineages.values_mut().for_each(|lineage| lineage.disconnected(slot));
    }

    /// The producer offered what is left of a frame, of which the network took some bytes. The
    /// partitions of a Produce request are returned when it is offered for the first time.
    ///
    /// # Errors
    /// When it broke a rule.
    pub fn wrote(
        &mut self,
        slot: usize,
        offered: &[u8],
        taken: usize,
        now: u64,
    ) -> Result<Vec<Place>, String> {
        let mut begun = Vec::new();
        let mut out = match self.sides[slot].out.take() {
            Some(out) => out,
            None => {
                let out = self.begin(slot, offered, now)?;
                begun.clone_from(&out.places);
                out
            }
        };
        if out.frame[out.taken..] != *offered {
            // CVE-2026-35554: its memory was given to somebody else.
            return Err(format!("a frame changed while it was written, after {} bytes", out.taken));
        }
        out.taken += taken;
        if out.taken < out.frame.len() {
            self.sides[slot].out = Some(out);
        } else {
            self.request(slot, out.sent, now)?;
        }
        Ok(begun)
    }

    /// A frame is offered for the first time, as a whole.
    fn begin(&self, slot: usize, offered: &[u8], now: u64) -> Result<Outgoing, String> {
        let side = &self.sides[slot];
        if now < side.muted_until {
            return Err(format!("a request to node {} that throttles", side.node));
        }
        let frame = Bytes::copy_from_slice(offered);
        let mut frames = Frames::default();
        frames.push(offered);
        let whole = frames.next().filter(|_| frames.is_empty());
        let sent = wire::request(whole.ok_or("what is offered is not one frame")?)?;
        let place = |batch: &SentBatch| (self.topic(&batch.topic), batch.partition);
        let places = sent.batches.iter().map(place).collect();
        Ok(Outgoing { sent, places, frame, taken: 0 })
    }

    fn request(&mut self, slot: usize, sent: Sent, now: u64) -> Checked {
        *self.requests.entry(sent.api).or_default() += 1;
        if sent.api == PRODUCE {
            self.last_terms = Some((sent.acks, sent.timeout_ms));
        }
        let mut numbers = Vec::new();
        for batch in sent.batches {
            let place = (self.topic(&batch.topic), batch.partition);
            let lineage = self.lineages.entry(place.clone()).or_default();
            lineage.recreated = self.recreated.contains(&place.0);
            if self.terms.numbered {
                lineage
                    .sent(slot, &batch, self.terms.start_sequence, self.up_to_date)
                    .map_err(|what| format!("{place:?}: {what}: {}", short(&batch)))?;
            }
            if sent.acks == 0 {
                lineage.answered(slot, &batch, 0, -1, now);
            }
            numbers.push(self.exchanges.len());
            self.exchanges.push(Exchange {
                at: now,
                slot,
                connection: self.sides[slot].number,
                node: self.sides[slot].node,
                version: sent.version,
                correlation: sent.correlation,
                place,
                batch,
                answer: None,
            });
        }
        let side = &mut self.sides[slot];
        if sent.api != PRODUCE || sent.acks != 0 {
            side.awaited.push_back((sent.correlation, sent.api, sent.version, numbers));
        }
        let produces = side.awaited.iter().filter(|(_, api, ..)| *api == PRODUCE).count();
        if produces > self.terms.in_flight {
            return Err(format!("{produces} Produce requests in flight to node {}", side.node));
        }
        Ok(())
    }

    /// The producer reads. The exchanges that this answers are returned.
    pub fn read(&mut self, slot: usize, bytes: &[u8], now: u64) -> Vec<usize> {
        if self.sides[slot].back.is_empty() {
            self.sides[slot].began = now;
        }
        self.sides[slot].back.push(bytes);
        let mut answered = Vec::new();
        while !self.sides[slot].broken {
            let Some(frame) = self.sides[slot].back.next() else { break };
            match self.answer(slot, frame, now) {
                Some(exchanges) => answered.extend(exchanges),
                None => self.sides[slot].broken = true,
            }
        }
        answered
    }

    fn answer(&mut self, slot: usize, frame: Bytes, now: u64) -> Option<Vec<usize>> {
        let (correlation, api, version, _) = self.sides[slot].awaited.front()?;
        if wire::correlation(&frame)? != *correlation {
            return None;
        }
        if *api != PRODUCE {
            self.refreshed += u64::from(*api == METADATA);
            self.sides[slot].awaited.pop_front();
            return Some(Vec::new());
        }
        let (answers, throttle) = wire::answer(frame, *version)?;
        let (.., exchanges) = self.sides[slot].awaited.pop_front()?;
        let until =
            self.sides[slot].began + u64::from(u32::try_from(throttle).unwrap_or(0)) * 1_000;
        self.sides[slot].muted_until = self.sides[slot].muted_until.max(until);
        for &number in &exchanges {
            let exchange = &mut self.exchanges[number];
            let own = |a: &&wire::Answered| {
                a.topic == exchange.batch.topic && a.partition == exchange.batch.partition
            };
            let lineage = self.lineages.get_mut(&exchange.place)?;
            if let Some(answer) = answers.iter().find(own) {
                exchange.answer = Some((now, answer.code, answer.base_offset));
                lineage.answered(slot, &exchange.batch, answer.code, answer.base_offset, now);
            } else {
                lineage.unanswered(slot, &exchange.batch, now);
            }
        }
        Some(exchanges)
    }

    /// These records were reported.
    ///
    /// # Errors
    /// When a connection may still read them: they are freed with the report.
    pub fn reported(&mut self, place: &Place, numbers: &[u64]) -> Checked {
        let writes = |side: &Side| {
            let batches = side.out.iter().flat_map(|out| &out.sent.batches);
            batches.flat_map(|batch| &batch.numbers).any(|n| numbers.contains(n))
        };
        if let Some(slot) = self.sides.iter().position(writes) {
            return Err(format!("{place:?}: {numbers:?} reported while slot {slot} writes them"));
        }
        let Some(lineage) = self.lineages.get_mut(place) else { return Ok(()) };
        // Of answers that make no sense it cannot be told which requests they end.
        let flying = lineage.slots_with(numbers).find(|slot| !self.sides[*slot].broken);
        if let Some(slot) = flying {
            return Err(format!("{place:?}: {numbers:?} reported while in flight on slot {slot}"));
        }
        lineage.reported(numbers);
        Ok(())
    }

    /// Is nothing of this partition in flight or being written, and has the backoff after the last
    /// failure, at most this long, ended?
    pub(super) fn is_rested(&self, place: &Place, backoff: u64, now: u64) -> bool {
        let written = self.sides.iter().filter_map(|side| side.out.as_ref());
        !written.flat_map(|out| &out.places).any(|p| p == place)
            && self.lineages.get(place).is_none_or(|lineage| lineage.is_rested(backoff, now))
    }

    /// The topic was created again: its logs are new.
    pub fn recreated(&mut self, topic: &str) {
        self.recreated.insert(topic.to_owned());
    }

    /// The batches sent to a partition, in order.
    pub fn sent_to<'s>(&'s self, topic: &str, partition: i32) -> Vec<&'s Exchange> {
        let there = |e: &&Exchange| e.place.0 == topic && e.place.1 == partition;
        self.exchanges.iter().filter(there).collect()
    }

    fn topic(&self, topic: &TopicRef) -> String {
        match topic {
            TopicRef::Name(name) => name.clone(),
            TopicRef::Id(id) => self.topics.get(id).cloned().unwrap_or_default(),
        }
    }
}

/// A batch in a few words.
pub(super) fn short(batch: &SentBatch) -> String {
    let SentBatch { producer_id, epoch, sequence, numbers, .. } = batch;
    format!("producer {producer_id} epoch {epoch} sequence {sequence} records {numbers:?}")
}
