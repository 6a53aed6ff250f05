//! Flash of two halves, and the gate that opens when what is held is safe there.

use std::collections::BTreeSet;

use klamm::{BatchId, Instant, Numbered};

use super::device::{Dark, Device};

/// Half of the flash: a snapshot, and the numbers of the records that klamm answers for since then.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) serial: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) covered: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gate {
    /// What the documentation asks for.
    AfterTheSnapshot,
    /// The mutant.
    BeforeTheSnapshot,
    /// Turns go on while a snapshot is written: only what is still numbered as it says is released.
    WhileItIsWritten,
}

/// A snapshot on its way to the flash.
pub(super) struct Writing {
    turns: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) covered: BTreeSet<u64>,
    held: Vec<Numbered>,
}

impl Device {
    /// What is held is released when a snapshot that has it is safe.
    pub(super) fn open_gate(&mut self) -> Result<(), Dark> {
        if !self.writes_at_once() {
            return self.write_meanwhile();
        }
        let held: Vec<BatchId> =
            self.producer.numbered().filter(|b| b.held).map(|b| b.batch).collect();
        if held.is_empty() {
            return Ok(());
        }
        if self.gate == Gate::AfterTheSnapshot {
            self.write_page()?;
        }
        for batch in held {
            assert!(self.producer.release_batch(batch), "{batch:?} is held");
            assert!(!self.producer.release_batch(batch), "{batch:?} is held no more");
        }
        if self.gate == Gate::BeforeTheSnapshot {
            // It leaves before the snapshot is safe.
            let now = Instant::from_micros(self.now);
            for conn in self.producer.connections() {
                self.serve(conn, now)?;
            }
            self.write_page()?;
        }
        self.step()
    }

    pub(super) fn writes_at_once(&self) -> bool {
        matches!(self.gate, Gate::AfterTheSnapshot | Gate::BeforeTheSnapshot)
    }

    /// The same for who has something else to do while the flash is busy.
    fn write_meanwhile(&mut self) -> Result<(), Dark> {
        let Some(mut writing) = self.writing.take() else {
            let held: Vec<Numbered> = self.producer.numbered().filter(|b| b.held).collect();
            if !held.is_empty() {
                let bytes = self.take_snapshot();
                let (turns, covered) = (self.dice.range(0, 12), self.covered.clone());
                self.writing = Some(Writing { turns, bytes, covered, held });
            }
            return Ok(());
        };
        if writing.turns > 0 {
            writing.turns -= 1;
            self.writing = Some(writing);
            return Ok(());
        }
        self.overwrite_page(&writing.bytes, &writing.covered)?;
        let now: Vec<Numbered> = self.producer.numbered().collect();
        for saved in writing.held {
            if now.contains(&saved) {
                self.producer.release_batch(saved.batch);
            }
        }
        self.step()
    }

    pub(super) fn write_page(&mut self) -> Result<(), Dark> {
        let bytes = self.take_snapshot();
        self.overwrite_page(&bytes, &self.covered.clone())
    }

    fn take_snapshot(&mut self) -> Vec<u8> {
        for numbered in self.producer.numbered() {
            let slot = u16::try_from(numbered.batch.index()).expect("few batches");
            // Parts of a split, and what was restored, are covered already.
            self.covered.extend(self.numbers.get(&slot).into_iter().flatten());
        }
        let mut bytes = vec![0; self.producer.snapshot_len()];
        assert_eq!(self.producer.snapshot(&mut bytes[1..]), None, "it would not fit");
        assert_eq!(self.producer.snapshot(&mut bytes), Some(bytes.len()));
        bytes
    }

    /// Power may be cut before, while and after the older page is overwritten.
    fn overwrite_page(&mut self, bytes: &[u8], covered: &BTreeSet<u64>) -> Result<(), Dark> {
        let serial = 1 + self.pages[0].serial.max(self.pages[1].serial);
        let older = usize::from(self.pages[0].serial > self.pages[1].serial);
        self.step()?;
        let half = bytes[..bytes.len() / 2].to_vec();
        self.pages[older] = Page { serial, bytes: half, covered: BTreeSet::new() };
        self.step()?;
        self.pages[older] = Page { serial, bytes: bytes.to_vec(), covered: covered.clone() };
        self.step()
    }
}
