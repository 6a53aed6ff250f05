//! The producer's batches and where each of them is, from its events and from the bytes it wrote.

use std::collections::{BTreeMap, HashMap};

use klamm::{BatchId, EventBatch, EventKind, RecordId};
use klamm_sim::simulator::Exchange;

/// A batch, or a part of one that was split: its number, and its first record's place in it.
pub(crate) type Name = (u64, u16);

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It takes records.
    Open,
    /// It is full, or has waited long enough.
    Sealed,
    /// It was written to a broker.
    Flying,
    /// It was sent in vain, and waits to be sent again.
    Again,
    /// It was given up.
    Failed,
}

/// A batch that is not acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Chip {
    pub(crate) partition: i32,
    pub(crate) state: State,
    pub(crate) records: u32,
    pub(crate) bytes: u32,
    pub(crate) node: Option<i32>,
    /// How often it was sent.
    pub(crate) tries: u16,
    /// The epoch and the sequence number it went out with.
    pub(crate) stamp: Option<(i16, i32)>,
    /// When it failed, in microseconds.
    pub(crate) failed: Option<u64>,
}

/// All batches without an outcome, and those that failed just now.
#[derive(Debug, Default)]
pub(crate) struct Board {
    chips: BTreeMap<Name, Chip>,
    numbers: HashMap<BatchId, u64>,
    next: u64,
    /// The batch of each record, by the record's number, and its place there.
    places: Vec<Name>,
}

/// Microseconds for which a failed batch is shown.
const SHOWN: u64 = 4_000_000;

impl Board {
    /// The producer took a record.
    pub(crate) fn accepted(&mut self, id: RecordId, partition: i32, bytes: u32) {
        if id.index == 0 {
            self.numbers.insert(id.batch, self.next);
            let chip = Chip {
                partition,
                state: State::Open,
                records: 0,
                bytes: 0,
                node: None,
                tries: 0,
                stamp: None,
                failed: None,
            };
            self.chips.insert((self.next, 0), chip);
            self.next += 1;
        }
        let number = self.numbers.get(&id.batch).copied().unwrap_or_default();
        self.places.push((number, id.index));
        if let Some(chip) = self.chips.get_mut(&(number, 0)) {
            chip.records += 1;
            chip.bytes += bytes;
        }
    }

    /// The producer said what happened.
    pub(crate) fn event(&mut self, kind: &EventKind, at: u64) {
        match *kind {
            EventKind::Sealed(batch) => self.update(&batch, |chip| chip.state = State::Sealed),
            EventKind::Sent { batch, broker, retries } => self.update(&batch, |chip| {
                chip.state = State::Flying;
                chip.node = Some(broker.node);
                chip.tries = retries + 1;
            }),
            EventKind::Retry { partition, .. } => {
                let sent = |chip: &&mut Chip| {
                    chip.partition == partition.index && chip.state == State::Flying
                };
                self.chips.values_mut().filter(sent).for_each(|chip| chip.state = State::Again);
            }
            EventKind::Delivered { batch, .. } | EventKind::Dropped(batch) => {
                if let Some(name) = self.name(&batch) {
                    self.chips.remove(&name);
                }
            }
            EventKind::Failed { batch, .. } => self.update(&batch, |chip| {
                chip.state = State::Failed;
                chip.failed = Some(at);
            }),
            _ => {}
        }
    }

    /// A batch was written.
    pub(crate) fn wrote(&mut self, exchange: &Exchange) {
        let batch = &exchange.batch;
        let Some(name) = batch.numbers.first().and_then(|number| self.place(*number)) else {
            return;
        };
        if let Some(chip) = self.chips.get_mut(&name) {
            chip.stamp = Some((batch.epoch, batch.sequence));
        }
    }

    /// Forgets what failed a while ago.
    pub(crate) fn sweep(&mut self, now: u64) {
        self.chips.retain(|_, chip| chip.failed.is_none_or(|at| at + SHOWN > now));
    }

    /// The batches, oldest first.
    pub(crate) fn chips(&self) -> impl Iterator<Item = (&Name, &Chip)> {
        self.chips.iter()
    }

    /// The batch of a record, and its place there.
    pub(crate) fn place(&self, record: u64) -> Option<Name> {
        self.places.get(usize::try_from(record).ok()?).copied()
    }

    fn name(&self, batch: &EventBatch) -> Option<Name> {
        self.numbers.get(&batch.id).map(|number| (*number, batch.first))
    }

    /// What is said of a part of a batch was said of the whole of it before.
    fn update(&mut self, batch: &EventBatch, change: impl Fn(&mut Chip)) {
        let Some(name) = self.name(batch) else { return };
        if !self.chips.contains_key(&name) {
            let whole = self.chips.range(..name).next_back().filter(|(of, _)| of.0 == name.0);
            let Some(part) = whole.map(|(_, chip)| chip.clone()) else { return };
            self.chips.insert(name, part);
        }
        if let Some(chip) = self.chips.get_mut(&name) {
            chip.records = u32::from(batch.records);
            chip.bytes = batch.bytes;
            change(chip);
        }
    }
}
